/**
 * Each check of scripts/recover.py has a file here that fails it alone: made by somebody who has everybody’s keys, so that all
 * signatures and digests are right. A check that is left out is noticed.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { open as openSealed, pad, seal } from '../../src/crypto/aead.ts';
import { encodeBase64url, parseBase64url, utf8, type Bytes } from '../../src/crypto/bytes.ts';
import { deriveKey } from '../../src/crypto/hash.ts';
import { importSigningKey, type SigningKey } from '../../src/crypto/signature.ts';
import { parseInvitation } from '../../src/format/join-text.ts';
import { newInvitation } from '../../src/vault/invitation.ts';
import { acceptInvitation } from '../../src/vault/join.ts';
import { removeSecret } from '../../src/vault/operations/move.ts';
import { setPolicy } from '../../src/vault/operations/policy.ts';
import { putSecret } from '../../src/vault/operations/put.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { LooseFile, str, type Json, type Line } from '../support/loose-file.ts';
import {
  cheapKdf,
  makeVault,
  placeIn,
  put,
  systemRandom,
  type SampleVault,
} from '../support/sample-vault.ts';
import {
  cannotRecover,
  recoverMany,
  recoverTitle,
  type Unlocking,
  type Verdict,
} from '../support/second-reader.ts';
import { add, addBy, as, asOwner, openPassphrase, reissue, remove, request } from '../support/team.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const environments = ['development', 'staging', 'production'] as const;
const early = '2001-01-01T00:00:00.000Z';
const late = '2199-01-01T00:00:00.000Z';

interface Base {
  readonly sample: SampleVault;
  readonly tokens: ReadonlyMap<string, string>;
  readonly keys: ReadonlyMap<string, SigningKey>;
  /** Principal ids by name. */
  readonly ids: ReadonlyMap<string, string>;
  /** Environment keys by environment name. */
  readonly environmentKeys: ReadonlyMap<string, Bytes>;
  readonly owner: { readonly bundleKey: Bytes; readonly content: Line; readonly wrapKey: Bytes };
}

let base: Base;
let folder: string;

async function rotate(vault: Vault, environment: string, name: string, value: string): Promise<void> {
  const options = { environment, name, value: utf8(value), operation: 'rotate' } as const;
  await vault.write('rotate', async (scope) => putSecret(scope, options));
}

/** One of everything that a vault can have. */
async function makeBase(): Promise<Base> {
  const sample = await makeVault(placeIn(temporaryFolder()), environments);
  const { place } = sample;
  const tokens = new Map<string, string>();
  const keys = new Map<string, SigningKey>();
  const ids = new Map<string, string>();
  const environmentKeys = new Map<string, Bytes>();
  const learn = async (name: string, vault: Vault): Promise<void> => {
    ids.set(name, vault.identity.principal);
    keys.set(vault.identity.principal, vault.identity.signing);
    await Promise.resolve();
  };
  const invitation = await newInvitation(systemRandom);
  const nobody = await newInvitation(systemRandom);
  await asOwner(sample, async (owner) => {
    await owner.write('policy-set', async (scope) =>
      Promise.resolve(setPolicy(scope, 'retention.versions', '2')),
    );
    const tags = new Map([
      ['a', '1'],
      ['b', '2'],
    ]);
    for (const value of ['one', 'two', 'three']) await put(owner, 'kept', value, { metadata: { tags } });
    await put(owner, 'once', 'only');
    await put(owner, 'api', 'staged', { environment: 'staging' });
    await put(owner, 'api', 'produced', { environment: 'production' });
    await put(owner, 'other', 'produced too', { environment: 'production' });
    for (const [name, can, env] of [
      ['ada', 'read,write', 'development,staging'],
      ['bob', 'rotate', 'production'],
      ['dan', 'delete', 'production'],
      ['ci', 'read', 'staging'],
      ['old', 'read,rotate', 'production'],
      ['zoe', 'admin', ''],
    ] as const)
      tokens.set(name, await add(owner, name, { can, env }));
  });
  for (const name of ['old', 'zoe', 'ada', 'bob', 'dan'])
    await as(place, tokens.get(name) ?? '', async (vault) => learn(name, vault));
  await asOwner(sample, async (owner) => {
    await remove(owner, 'old');
    tokens.set('ci', await reissue(owner, 'ci'));
    tokens.set('ci', await reissue(owner, 'ci'));
    const entrance = await request({ ...place, stateFolder: temporaryFolder() }, 'kim', 'kim’s passphrase');
    await addBy(owner, 'kim', { can: 'read', env: 'staging' }, entrance);
    await addBy(owner, 'ivy', { can: 'read', env: 'staging' }, nobody.entrance);
    await addBy(owner, 'eve', { can: 'read', env: 'staging' }, invitation.entrance);
    for (const [name, principal] of [
      ['kim', entrance.id],
      ['ivy', nobody.entrance.id],
      ['eve', invitation.entrance.id],
    ] as const)
      ids.set(name, principal);
  });
  await as(place, tokens.get('ci') ?? '', async (vault) => learn('ci', vault));
  // Grants that a re-key sealed are wrapped again by who writes.
  await as(place, tokens.get('ada') ?? '', async (vault) => put(vault, 'adas', 'by ada'));
  await as(place, tokens.get('bob') ?? '', async (vault) =>
    rotate(vault, 'production', 'api', 'by bob, and longer than 28 bytes'),
  );
  await as(place, tokens.get('dan') ?? '', async (vault) =>
    vault.write('rm', async (scope) => removeSecret(scope, 'production', 'other')),
  );
  const parsed = parseInvitation(invitation.text);
  if (parsed === null) throw new Error('not an invitation');
  keys.set(`invited ${parsed.principal}`, await importSigningKey(parsed.seed.slice()));
  const credential = { type: 'passphrase', passphrase: 'eve’s passphrase' } as const;
  await acceptInvitation(place, parsed, async () => Promise.resolve({ credential, kdf: cheapKdf }));
  const eve = await openPassphrase(place, credential.passphrase, 'eve');
  await learn('eve', eve);
  eve.close();
  return asOwner(sample, async (owner) => {
    await learn('owner', owner);
    await owner.read('show', async (scope) => {
      for (const name of environments) {
        const { environmentKey } = (await scope.reader(name)).keys;
        if (environmentKey !== null) environmentKeys.set(name, environmentKey.slice());
      }
    });
    const { bundleKey, content, wrapKey } = owner.identity;
    const copy = {
      bundleKey: bundleKey.slice(),
      content: { ...content } as unknown as Line,
      wrapKey: wrapKey.slice(),
    };
    return { sample, tokens, keys, ids, environmentKeys, owner: copy };
  });
}

const id = (name: string): string => base.ids.get(name) ?? '';
const random = (length: number): string => encodeBase64url(systemRandom(length));
const raw = (text: Json | undefined): Bytes => parseBase64url(str(text)) ?? new Uint8Array(0);

/** A file with one of everything, and what is in it. */
class Sound extends LooseFile {
  readonly records: Line[];
  /** What the snapshot says of the log, `null` for nothing; without it, the record that is there. */
  anchor: readonly [number, string] | null | undefined;
  unfinished = false;

  constructor() {
    super(base.sample.place.path, base.keys);
    const log = readFileSync(base.sample.place.audit.path, 'utf8').trimEnd().split('\n');
    this.records = log.map((record) => JSON.parse(record) as Line);
  }

  /** The log, and in the snapshot its last record. */
  async audit(): Promise<string> {
    const { text, digests } = await this.log(this.records);
    const last = this.records.at(-1);
    const present = [Number(last?.['seq'] ?? 1), digests.at(-1) ?? random(32)] as const;
    const anchor = this.anchor === undefined ? present : this.anchor;
    const place = this.records[0]?.['log'] ?? random(16);
    this.set(this.snapshot, 'logs', anchor === null ? [] : [[place, ...anchor]]);
    return this.unfinished ? text.trimEnd() : text;
  }

  get header(): Line {
    return this.one('header');
  }

  environment(name: string): Line {
    const found = (this.header['environments'] as Line[]).find((entry) => entry['name'] === name);
    if (found === undefined) throw new Error(`no environment ${name}`);
    return found;
  }

  /** Its index in the header. */
  principal(name: string): number {
    return (this.header['principals'] as Line[]).findIndex((entry) => entry['id'] === id(name));
  }

  part(kind: string, environment: string): Line {
    return this.one(kind, this.env(environment));
  }

  env(name: string): string {
    return str(this.environment(name)['id']);
  }

  setPrincipal(name: string, member: string, value: Json | undefined): void {
    this.set(this.header, `principals.${this.principal(name)}.${member}`, value);
  }

  async catalogKey(environment: string): Promise<Bytes> {
    const entry = this.environment(environment);
    const key = base.environmentKeys.get(environment) ?? new Uint8Array(32);
    return deriveKey(this.domain, key, 'catalog', str(entry['id']), Number(entry['epoch']));
  }

  /** Seal under a key of section 4. */
  async sealed(
    label: 'block' | 'note' | 'carry' | 'value',
    environment: string,
    message: Json | Uint8Array,
    ...more: readonly (string | number)[]
  ): Promise<string> {
    const entry = this.environment(environment);
    const place = [str(entry['id']), Number(entry['epoch'])] as const;
    const above =
      label === 'value' ? base.environmentKeys.get(environment) : await this.catalogKey(environment);
    const key = await deriveKey(this.domain, above ?? new Uint8Array(32), label, ...place);
    const bytes = message instanceof Uint8Array ? message : utf8(JSON.stringify(message));
    return encodeBase64url(
      await seal(systemRandom, key, bytes, this.domain.encode(label, ...place, ...more)),
    );
  }
}

type Change = (file: Sound) => unknown;

interface Case {
  readonly title: string;
  /** In what it says on standard error; `''` where it must accept the file. */
  readonly says: string;
  readonly change: Change;
  readonly who: string;
  readonly status: number;
  readonly args: readonly string[];
}

type Options = Partial<Pick<Case, 'who' | 'status' | 'args'>>;

const cases: Case[] = [];

function refuses(says: string, title: string, change: Change, options: Options = {}): void {
  cases.push({ title, says, change, who: 'owner', status: 7, args: [], ...options });
}

function accepts(title: string, change: Change, options: Options = {}): void {
  refuses('', title, change, { status: 0, ...options });
}

function unlocking(who: string): Unlocking {
  if (who === 'owner') return [['--recovery', '--principal', 'owner'], base.sample.recoveryKey];
  if (who === 'anybody') return [['--recovery'], base.sample.recoveryKey];
  if (who === 'eve') return [['--principal', 'eve'], 'eve’s passphrase'];
  return [[], base.tokens.get(who) ?? ''];
}

// ---- What is well made.

for (const who of ['owner', 'ada', 'bob', 'dan', 'zoe', 'ci', 'eve'])
  accepts(`the file as it is, to ${who}`, () => undefined, { who });

// ---- Grammar: whatever is not as it should be, of every line.

const malformed = (kind: string): string => `${kind}: members are not as they should be`;

/** Lines of head and body, with one for every spelling; a snapshot; and requests, which no program makes yet. */
const kinds: Readonly<Record<string, string>> = {
  vault: 'format id',
  root: 'n prev time by admins sig',
  header: 'n time by seen root principals retired environments policy sig',
  succession: 'principal time signPub sealPub prev sig',
  slot: 'principal id type kdf salt hint commit wrapped',
  bundle: 'n time by slots sealed sig',
  grant: 'principal environment epoch level form ct',
  names: 'environment epoch n time by seen bits shards sig',
  values: 'environment epoch n time by seen bits shards sig',
  changes: 'environment epoch n time by seen base digest size sig',
  request: 'id environment secret version operation note epoch time expires by sig',
  decision: 'id request digest verdict time by sig',
  snapshot: 'n time by head logs sig',
  block: 'environment epoch shard sealed',
  value: 'environment epoch secret version state time author by form ct note prev decision sig',
  purged: 'environment secret through digest last time by sig',
  removed: 'environment secret time by sig',
};

for (const [kind, members] of Object.entries(kinds)) {
  for (const member of members.split(' ')) {
    if (kind === 'vault' && member === 'format') continue;
    refuses(malformed(kind), `${kind}: ${member} of another type`, (file) => {
      approve(file);
      const line = file.one(kind);
      file.set(line, member, typeof line[member] === 'number' ? `${line[member]}` : 1);
    });
  }
  refuses(malformed(kind), `${kind}: a member more`, (file) => {
    approve(file);
    file.set(file.one(kind), 'more', 1);
  });
  if (kind !== 'vault')
    refuses(malformed(kind), `${kind}: a member less`, (file) => {
      approve(file);
      file.set(file.one(kind), members.split(' ').at(-2) ?? '', undefined);
    });
}

/** A value of a member that is not to be: by line, path and value. */
const wrongValues: readonly (readonly [kind: string, path: string, ...wrong: readonly Json[]])[] = [
  ['root', 'admins', [], Array.from({ length: 1025 }, () => [random(8), random(32)])],
  ['root', 'admins.0.0', 'AAAAAAAAAA'],
  ['root', 'admins.0.1', ''],
  ['root', 'time', '2026-11-24T19:31:24Z', '2026-11-24 19:31:24.123Z'],
  ['header', 'n', 0, -1, 1.5, true],
  ['header', 'seen.header', -1],
  ['header', 'seen.parts.0.3', [['AAAAAAAAAAA', 0]]],
  ['header', 'seen.parts', Array.from({ length: 257 }, () => ['AAAAAAAAAAA', 1, 1, []])],
  ['header', 'principals', []],
  ['header', 'principals.0.id', 'AAAAAAAAAAB', 'AAAAAAAAAAAA', 'AAAAAAAAAA='],
  ['header', 'principals.0.name', '', 'x'.repeat(129)],
  ['header', 'principals.0.sealPub', 'AAAA'],
  ['header', 'principals.0.list', ['AAAA'], Array.from({ length: 257 }, () => 'AAAAAAAAAAA')],
  ['header', 'principals.0.expires', '2026'],
  ['header', 'principals.0.invited', 'AAAA'],
  ['header', 'retired.0.signPub', ''],
  ['header', 'retired.0.from', 0],
  ['header', 'retired.0.until', 0],
  ['header', 'environments.0.epoch', 0],
  ['header', 'environments.0.commitEnv', ''],
  ['header', 'environments.0.commitCatalog', ''],
  ['header', 'environments.0.sealPub', 'AAAA'],
  ['header', 'environments.0.sealed', ''],
  ['header', 'policy', [['a']], [['a', 'x'.repeat(65_537)]]],
  ['header', 'policy', Array.from({ length: 1025 }, (_, i) => [`a${i}`, ''])],
  ['succession', 'signPub', ''],
  ['slot', 'type', 'other', 'removed', 'token', 'age'],
  ['slot', 'kdf', { name: 'none' }, { name: 'scrypt' }],
  ['slot', 'kdf.iterations', -1],
  ['slot', 'salt', 'AAAA'],
  ['slot', 'hint', 'x', early.slice(1)],
  ['slot', 'wrapped', '', 'AAAA'],
  ['bundle', 'n', 0],
  ['bundle', 'slots', Array.from({ length: 17 }, () => random(32))],
  ['bundle', 'sealed', random(12 + 2048 + 16)],
  ['grant', 'level', 'write'],
  ['grant', 'form', 'other', 'seal'],
  ['grant', 'ct', random(93)],
  ['names', 'n', 0],
  ['names', 'bits', 13],
  ['names', 'shards', []],
  ['names', 'shards', Array.from({ length: 4097 }, () => [random(32), 1])],
  ['names', 'shards.0.1', '1'],
  ['changes', 'base', ''],
  ['request', 'operation', 'put'],
  ['request', 'expires', ''],
  ['decision', 'verdict', 'perhaps'],
  ['snapshot', 'logs', [[random(16), 0, random(32)]]],
  ['value', 'state', 'other'],
  ['value', 'form', 'wrap'],
  ['value', 'version', 0],
  ['value', 'author', ''],
  ['value', 'decision', 'AAAA'],
  ['purged', 'through', 0],
  ['purged', 'last', ''],
];
for (const [kind, member, ...wrong] of wrongValues) {
  for (const [i, value] of wrong.entries()) {
    const shown = JSON.stringify(value).slice(0, 30);
    refuses(malformed(kind), `${kind}: ${member} is ${shown} (${i})`, (file) => {
      approve(file);
      const slot = (): Line => file.one('slot', 'passphrase', id('eve'));
      file.set(kind === 'slot' ? slot() : file.one(kind), member, value);
    });
  }
}
for (const [kind, member] of [
  ['token', 'hint'],
  ['recovery', 'hint'],
] as const)
  refuses(malformed('slot'), `${member} of a ${kind} slot`, (file) => {
    file.set(file.one('slot', kind), member, early);
  });
for (const [member, value] of [
  ['salt', random(16)],
  ['commit', random(32)],
  ['wrapped', random(92)],
  ['hint', ''],
] as const)
  refuses(malformed('slot'), `${member} of a removed slot`, (file) => {
    mark(file);
    file.set(file.one('slot', 'removed'), member, value);
  });

/** What JSON could also be written like. */
const spellings: readonly (readonly [title: string, says: string, (head: string) => string | Uint8Array])[] =
  [
    ['white space', malformed('header'), (head) => head.replace('"retired":', '"retired": ')],
    [
      'a character escaped',
      'header: not in the strict encoding',
      (head) => head.replace('"ada"', '"\\u0061da"'),
    ],
    ['a solidus escaped', 'header: not in the strict encoding', (head) => head.replace('"ada"', '"a\\/da"')],
    ['a member twice', malformed('header'), (head) => head.replace('"retired":', '"policy":[],"retired":')],
    ['a leading zero', malformed('header'), (head) => head.replace('"header","n":', '"header","n":0')],
    ['an exponent', malformed('header'), (head) => head.replace('"header","n":', '"header","n":1e')],
    [
      'a large number',
      'a number above 2^53',
      (head) => head.replace(/"header","n":\d+/u, '"header","n":9007199254740992'),
    ],
    [
      'no such day',
      '(ValueError)',
      (head) => head.replace(/("header","n":\d+,"time":")2\d\d\d-\d\d-\d\d/u, '$12026-02-30'),
    ],
    [
      'no such hour',
      '(ValueError)',
      (head) => head.replace(/("header","n":\d+,"time":"....-..-..T)\d\d/u, '$124'),
    ],
    ['a line end of Windows', malformed('vault'), (head) => head.replace('\n', '\r\n')],
    ['an empty line', 'kind of no line has no place here', (head) => head.replace('\n', '\n\n')],
    [
      'an unknown kind',
      'kind future has no place here',
      (head) => head.replace('\n', '\n{"kind":"future"}\n'),
    ],
    [
      'a body line in the head',
      'kind purged has no place here',
      (head) => head.replace('\n', '\n{"kind":"purged"}\n'),
    ],
    ['another format', 'format 2 is not known', (head) => head.replace('"format":1', '"format":2')],
    ['no vault', 'this is not a vault', (head) => head.replace('"vault"', '"fault"')],
    [
      'bytes that are no text',
      '(UnicodeDecodeError)',
      (head) => Buffer.from(head.replace('"ada"', '"\u00ff"'), 'latin1'),
    ],
  ];
for (const [title, says, rewrite] of spellings)
  refuses(says, `spelling: ${title}`, (file) => {
    file.rewrite = rewrite;
  });

/** Bits of the last character that mean nothing, in a sealed text that nobody here opens. */
refuses('second spelling', 'spelling: a sealed text with unused bits', (file) => {
  const line = file.one('value', 'seal');
  const [text, last] = [str(line['ct']), str(line['ct']).slice(-1)];
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  file.set(line, 'ct', text.slice(0, -1) + (digits[digits.indexOf(last) ^ 1] ?? ''));
});

// ---- Order.

for (const [title, kind, ...having] of [
  ['slots of one principal', 'slot', 'owner'],
  ['grants of one principal', 'grant', 'ada'],
  ['lines of two principals', 'bundle'],
  ['changes', 'changes'],
] as const)
  refuses('lines: out of order', `order: ${title}`, (file) => {
    const [first = {}, second = {}] = file
      .all(kind)
      .filter((line) => having.every((name) => line['principal'] === id(name)));
    file.swap(first, second);
  });
refuses('lines: out of order', 'order: requests', (file) => {
  approve(file);
  file.swap(...two(file.all('request')));
});
refuses('lines: out of order', 'order: decisions', (file) => {
  approve(file);
  file.swap(...two(file.all('decision')));
});
refuses('lines: out of order', 'order: names after values', (file) => {
  file.swap(file.part('names', 'staging'), file.part('values', 'staging'));
});
refuses('lines: out of order', 'order: environments', (file) => {
  const { head } = file;
  const [at] = [head.indexOf(file.part('names', 'development'))];
  head.splice(at, 0, ...head.splice(head.indexOf(file.part('names', 'staging')), 2));
});
refuses('lines: out of order', 'order: a grant twice', (file) => {
  file.insert({ ...file.one('grant') }, 'bundle');
});
refuses('lines: out of order', 'order: a header twice', (file) => {
  file.insert({ ...file.header }, 'header');
});
refuses('lines: out of order', 'order: a slot after its bundle', (file) => {
  const slot = file.all('slot').at(-1) ?? {};
  file.head.splice(file.head.indexOf(slot), 1);
  file.insert(slot, 'bundle');
});
refuses('lines: out of order', 'order: values of one secret', (file) => {
  file.swap(...two(file.all('value').filter(({ secret }) => secret === file.one('purged')['secret'])));
});
refuses('lines: out of order', 'order: a purged line after the versions', (file) => {
  const purged = file.one('purged');
  file.swap(purged, file.one('value', purged['secret'] ?? ''));
});
refuses('lines: out of order', 'order: secrets', (file) => {
  const [first = {}, ...rest] = lines(file, 'values', 'production');
  file.swap(first, rest.at(-1) ?? {});
});

// ---- Roots and header.

refuses('the roots are no chain', 'root: a number left out', (file) => {
  file.set(two(file.all('root'))[1], 'n', 2);
});
refuses('the roots are no chain', 'root: after another root', (file) => {
  file.set(two(file.all('root'))[1], 'prev', random(32));
});
refuses('the roots are no chain', 'root: the first is after one', (file) => {
  file.set(file.one('root'), 'prev', random(32));
});
refuses('an administrator twice', 'root', (file) => {
  const root = two(file.all('root'))[1];
  file.set(root, 'admins', [...(root['admins'] as Json[]), (root['admins'] as Json[])[0] ?? null]);
});
refuses('root: wrong signature', 'root: by another key', (file) => {
  file.signedWith.set(two(file.all('root'))[1], file.key(id('ada')));
});
refuses('(KeyError)', 'root: by somebody whom the root before does not list', (file) => {
  file.set(two(file.all('root'))[1], 'by', id('zoe'));
});
refuses('too many roots', 'root: one more than may be', (file) => {
  const last = two(file.all('root'))[1];
  for (let n = 2; n <= 4096; n++) file.insert({ ...last, n }, 'root');
});
refuses('not for the last root', 'header: for another root', (file) => {
  file.set(file.header, 'root', random(32));
});
refuses('not for the last root', 'header: another key of an administrator', (file) => {
  file.setPrincipal(
    'zoe',
    'signPub',
    (file.header['principals'] as Line[])[file.principal('ada')]?.['signPub'],
  );
});
refuses('header: wrong signature', 'header: by another key', (file) => {
  file.signedWith.set(file.header, file.key(id('ada')));
});
refuses('(KeyError)', 'header: by who is no administrator', (file) => {
  file.set(file.header, 'by', id('ada'));
});
refuses('names or ids are not distinct', 'header: a name twice', (file) => {
  file.setPrincipal('ivy', 'name', 'ada');
});
refuses('names or ids are not distinct', 'header: an environment’s name twice', (file) => {
  file.set(file.header, 'environments.1.name', 'development');
});
refuses('names or ids are not distinct', 'header: a principal twice', (file) => {
  const principals = file.header['principals'] as Line[];
  file.set(file.header, 'principals', [...principals, { ...principals[file.principal('ivy')], name: 'iva' }]);
});
for (const name of [
  'a b',
  'a\u00a0b',
  'a\u2028b',
  'a\u0085b',
  'a\u202eb',
  'a\u2066b',
  'a\u061cb',
  'a\u200fb',
])
  for (const where of ['principals', 'environments', 'retired'])
    refuses('a name with characters', `header: ${JSON.stringify(name)} in ${where}`, (file) => {
      file.set(file.header, `${where}.1.name`, name);
    });
for (const where of ['retired.0.signPub', 'kim signPub', 'ivy invited'])
  for (const bytes of [new Uint8Array(32), new Uint8Array(32).fill(255)])
    refuses('of small order', `header: ${where} of ${bytes[0]}`, (file) => {
      const [name = '', member] = where.split(' ');
      const key = encodeBase64url(bytes);
      if (member === undefined) file.set(file.header, name, key);
      else file.setPrincipal(name, member, key);
    });
refuses('environments out of order', 'rights: of no order', (file) => {
  file.setPrincipal('ada', 'read', [file.env('staging'), file.env('development')]);
});
refuses('environments out of order, or not listed', 'rights: in no environment', (file) => {
  file.setPrincipal('ivy', 'list', ['AAAAAAAAAAA']);
});
refuses('rights that do not go together', 'rights: both to list and to read', (file) => {
  file.setPrincipal('ada', 'list', [file.env('staging')]);
});
for (const right of ['rotate', 'write', 'delete'])
  refuses('rights that do not go together', `rights: ${right} without list`, (file) => {
    file.setPrincipal('ada', right, [file.env('production')]);
  });
refuses('rights of an administrator', 'rights: of an administrator', (file) => {
  file.setPrincipal('zoe', 'read', [file.env('production')]);
});
refuses('neither joined nor is awaited', 'header: a principal without keys and invitation', (file) => {
  file.setPrincipal('ivy', 'invited', '');
});
refuses('neither joined nor is awaited', 'header: an invitation beside keys', (file) => {
  file.setPrincipal('ada', 'invited', file.get(file.header, `principals.${file.principal('bob')}.signPub`));
});
for (const right of ['rotate', 'write'])
  refuses('without a key to seal to', `header: no key for who may ${right} and not read`, (file) => {
    file.setPrincipal('bob', 'rotate', []);
    file.setPrincipal('bob', right, [file.env('production')]);
    file.set(file.header, 'environments.2.sealPub', '');
  });
refuses('not a range of the past', 'retired: the wrong way round', (file) => {
  file.set(file.header, 'retired.0.from', 3);
  file.set(file.header, 'retired.0.until', 2);
});
refuses('not a range of the past', 'retired: until now', (file) => {
  file.set(file.header, 'retired.0.until', Number(file.header['n']));
});
refuses('ranges that meet', 'retired: ranges of one id', (file) => {
  const retired = file.header['retired'] as Line[];
  const [first = {}, second = {}] = retired.filter((entry) => entry['name'] === 'ci');
  file.set(file.header, `retired.${retired.indexOf(second)}.from`, first['until']);
});
refuses('policy: out of order', 'policy: of no order', (file) => {
  file.set(file.header, 'policy', [
    ['rekey.days', '1'],
    ['kdf.function', 'pbkdf2'],
  ]);
});
refuses('policy: out of order, or twice', 'policy: a key twice', (file) => {
  file.set(file.header, 'policy', [
    ['rekey.days', '1'],
    ['rekey.days', '1'],
  ]);
});
for (const [key, ...wrong] of [
  ['future', '1'],
  ['environment.default', '', 'AAAAAAAAAAA', 'production'],
  ['factors.administrators', '0', '3', '01', ''],
  ['factors.everyone', '0', '3'],
  ['kdf.function', 'scrypt', ''],
  ['passphrase.days', '3651', '-1', '007', '1.5'],
  ['rekey.days', '3651', ''],
  ['retention.versions', '0', '10001', '010'],
  ['tokens.reissue', '', 'AAAA', 'AAAAAAAAAAA,', 'AAAAAAAAAAA AAAAAAAAAAA'],
] as const)
  for (const value of wrong)
    refuses(`policy '${key}', or its value, is not known`, `policy: ${key} = ${value}`, (file) => {
      file.set(file.header, 'policy', [[key, value]]);
    });
accepts('every key of the policy', (file) => {
  file.set(file.header, 'policy', [
    ['environment.default', file.env('staging')],
    ['factors.administrators', '2'],
    ['factors.everyone', '1'],
    ['kdf.function', 'argon2id'],
    ['passphrase.days', '0'],
    ['rekey.days', '3650'],
    ['retention.versions', '10000'],
    ['tokens.reissue', 'AAAAAAAAAAA,AAAAAAAAAAE'],
  ]);
});

// ---- Credentials and grants.

refuses('succession: for another entry', 'succession: of who has keys', (file) => {
  const succession = file.one('succession');
  file.insert({ ...succession, principal: id('kim') }, 'header');
});
refuses('succession: for another entry', 'succession: to another entry', (file) => {
  file.set(file.one('succession'), 'prev', random(32));
});
refuses('succession: wrong signature', 'succession: by another key', (file) => {
  file.signedWith.set(file.one('succession'), file.key(id('ada')));
});
for (const [kdf, member, ...wrong] of [
  ['pbkdf2', 'iterations', 99_999, 10_000_001],
  ['argon2id', 'memoryKiB', 8191, 2_097_153],
  ['argon2id', 'passes', 0, 33],
  ['argon2id', 'lanes', 0, 17],
] as const)
  for (const value of wrong)
    refuses('slot: its kdf is out of bounds', `slot: ${member} ${value}`, (file) => {
      const slot = file.one('slot', 'passphrase');
      const argon = { name: 'argon2id', memoryKiB: 8192, passes: 1, lanes: 1 };
      file.set(slot, 'kdf', {
        ...(kdf === 'argon2id' ? argon : { name: 'pbkdf2-hmac-sha256' }),
        [member]: value,
      });
    });
refuses('two slots of one id', 'slot: an id twice', (file) => {
  file.set(file.one('slot', id('eve')), 'id', file.one('slot', id('ada'))['id']);
});
refuses('not one bundle for each principal', 'bundle: none', (file) => {
  file.remove(file.one('bundle', id('ada')), file.one('slot', id('ada')));
});
refuses('not one bundle for each principal', 'bundle: of an invited one', (file) => {
  file.head.splice(
    file.head.findIndex(({ kind }) => kind === 'grant'),
    0,
    {
      ...file.one('bundle', id('eve')),
      by: id('ivy'),
    },
  );
  sortBundles(file);
});
refuses('does not list exactly its slots', 'bundle: another slot', (file) => {
  file.set(file.one('bundle', id('ada')), 'slots', [random(32)]);
});
refuses('does not list exactly its slots', 'slot: of who has not joined', (file) => {
  const kim = { ...file.one('slot', id('eve')), principal: id('kim'), id: random(8) };
  file.head.splice(file.head.indexOf(file.one('slot', id('eve'))), 0, kim);
});
refuses('a principal joined without a slot', 'succession: without a slot', (file) => {
  file.remove(file.one('slot', id('eve')));
});
refuses('a principal joined without a slot', 'bundle: of an awaited one, without a slot', (file) => {
  kimJoins(file);
});
accepts('the bundle of an awaited one, with a slot', (file) => {
  kimJoins(file);
  const slot = { ...file.one('slot', id('eve')), principal: id('kim'), id: random(8) };
  file.head.splice(file.head.indexOf(file.one('slot', id('eve'))), 0, slot);
});
refuses('bundle: wrong signature', 'bundle: by another key', (file) => {
  file.signedWith.set(file.one('bundle', id('bob')), file.key(id('ada')));
});
const wrongGrants = 'grants are not those';
refuses(wrongGrants, 'grant: none', (file) => {
  file.remove(file.one('grant', id('ada')));
});
refuses(wrongGrants, 'grant: of who has not joined', (file) => {
  const grant = { ...file.one('grant', id('kim')), principal: id('ivy') };
  file.insert(grant, 'grant');
});
refuses(wrongGrants, 'grant: before the header says so', (file) => {
  file.insert({ ...file.one('grant', id('kim')), principal: id('eve') }, 'grant');
});
refuses(wrongGrants, 'grant: of another level', (file) => {
  file.set(file.one('grant', id('bob')), 'level', 'read');
});
refuses(wrongGrants, 'grant: of another epoch', (file) => {
  file.set(file.one('grant', id('bob')), 'epoch', 1);
});
refuses(wrongGrants, 'grant: without the right', (file) => {
  file.setPrincipal('ci', 'read', []);
});

// ---- Parts.

refuses('not one names and one values line', 'names: none', (file) => {
  file.remove(file.part('names', 'staging'));
});
refuses('not one names and one values line', 'values: none', (file) => {
  file.remove(file.part('values', 'staging'));
});
for (const [kind, by] of [
  ['names', 'bob'],
  ['values', 'bob'],
  ['values', 'dan'],
  ['names', 'ada'],
] as const)
  refuses(`${kind}: its signer has no right`, `${kind}: by ${by}`, (file) => {
    file.set(file.part(kind, 'production'), 'by', id(by));
  });
refuses('changes: its signer has no right', 'changes: by who may read', (file) => {
  const changes = file.one('changes', id('dan'));
  file.setPrincipal('dan', 'delete', []);
  expect(changes['environment']).toBe(file.env('production'));
});
refuses('(KeyError)', 'values: by nobody', (file) => {
  file.set(file.part('values', 'production'), 'by', 'AAAAAAAAAAA');
});
for (const [kind, environment] of [
  ['names', 'staging'],
  ['values', 'staging'],
  ['changes', 'production'],
] as const) {
  refuses(`${kind}: wrong signature`, `${kind}: by another key`, (file) => {
    file.signedWith.set(file.part(kind, environment), file.key(id('eve')));
  });
  refuses(`${kind}: of another epoch`, kind, (file) => {
    file.set(file.part(kind, environment), 'epoch', 9);
  });
}
refuses('changes: to other values', 'changes', (file) => {
  file.set(file.one('changes'), 'base', random(32));
});
refuses('names: not 2^bits shards', 'names: too few shards', (file) => {
  file.set(file.one('names'), 'bits', 1);
});
refuses('snapshot: wrong signature', 'snapshot: by another key', (file) => {
  file.signedWith.set(file.snapshot, file.key(id('ada')));
});
refuses('(KeyError)', 'snapshot: by nobody', (file) => {
  file.set(file.snapshot, 'by', 'AAAAAAAAAAA');
});
refuses('of a principal that has not joined', 'snapshot: by who is awaited', (file) => {
  kimJoins(file);
  file.remove(file.one('bundle', id('kim')));
  file.set(file.snapshot, 'by', id('kim'));
});
refuses('not the one that the snapshot names', 'snapshot: of another head', (file) => {
  file.set(file.snapshot, 'head', random(32));
});
refuses('logs: out of order', 'snapshot: logs', (file) => {
  const log: Json = [encodeBase64url(new Uint8Array(16)), 1, random(32)];
  file.set(file.snapshot, 'logs', [...(file.snapshot['logs'] as Json[]), log]);
});
for (const kind of ['header', 'names', 'values', 'changes', 'snapshot'])
  refuses(`${kind}: its signer expired`, `${kind}: after the signer’s end`, (file) => {
    const by = { header: 'zoe', snapshot: 'ci' }[kind] ?? 'dan';
    const part = kind === 'snapshot' ? file.snapshot : kind === 'header' ? file.header : null;
    file.setPrincipal(by, 'expires', early);
    if (kind === 'names' || kind === 'values') {
      file.setPrincipal('dan', 'write', [file.env('production')]);
      file.set(file.part(kind, 'production'), 'by', id('dan'));
    } else if (part !== null) file.set(part, 'by', id(by));
  });
for (const kind of [
  'root',
  'header',
  'succession',
  'bundle',
  'names',
  'values',
  'changes',
  'request',
  'decision',
])
  refuses(`${kind}: younger than the snapshot`, kind, (file) => {
    approve(file);
    file.set(file.one(kind), 'time', late);
  });
const later = 'its signer saw a later state';
for (const kind of ['header', 'names', 'values', 'changes']) {
  refuses(`${kind}: ${later}`, `${kind}: of another header`, (file) => {
    file.set(file.one(kind), 'seen.header', Number(file.header['n']) + 1);
  });
  for (const [what, counters] of [
    ['names', [99, 1, []]],
    ['values', [1, 99, []]],
  ] as const)
    refuses(`${kind}: ${later}`, `${kind}: of other ${what}`, (file) => {
      file.set(file.one(kind), 'seen.parts', [[file.env('staging'), ...(counters as unknown as Json[])]]);
    });
  refuses(`${kind}: ${later}`, `${kind}: of other changes`, (file) => {
    const { n = 0 } = file.part('values', 'production');
    const counters: Json[] = [file.env('production'), 1, n, [[id('bob'), 2]]];
    file.set(file.one(kind), 'seen.parts', [counters]);
  });
}
accepts('who saw changes that were folded since, or an environment that is gone', (file) => {
  const { n } = file.part('values', 'production');
  const folded: Json[] = [file.env('production'), 1, Number(n) - 1, [[id('bob'), 9]]];
  file.set(file.header, 'seen.parts', [folded, ['AAAAAAAAAAA', 99, 99, []]]);
});

// ---- Requests and decisions.

accepts('requests and decisions', (file) => {
  approve(file);
});
accepts('a request by a key that is retired', (file) => {
  approve(file);
  file.set(two(file.all('request'))[0], 'by', id('old'));
});
refuses('request: wrong signature', 'request: by another key', (file) => {
  approve(file);
  file.signedWith.set(file.one('request'), file.key(id('ada')));
});
refuses('request: its signer has no right', 'request: by who may delete', (file) => {
  approve(file);
  file.set(file.one('request'), 'by', id('dan'));
});
refuses('decision: its signer has no right', 'decision: by who may rotate', (file) => {
  approve(file);
  file.set(two(file.all('decision'))[0], 'by', id('dan'));
});
refuses('decision: on another request', 'decision: by who asked', (file) => {
  approve(file);
  file.setPrincipal('bob', 'write', [file.env('production')]);
  file.set(file.one('decision'), 'by', id('bob'));
});
refuses('decision: on another request', 'decision: of another digest', (file) => {
  approve(file);
  file.set(file.one('decision'), 'digest', random(32));
});
refuses('(KeyError)', 'decision: on no request', (file) => {
  approve(file);
  file.set(file.one('decision'), 'request', 'AAAAAAAAAAA');
});
refuses('two decisions of one signer', 'decision', (file) => {
  approve(file);
  for (const line of file.all('decision')) file.set(line, 'by', id('owner'));
});
refuses('request: of an epoch to come', 'request', (file) => {
  approve(file);
  file.set(file.one('request'), 'epoch', 9);
});
refuses('(KeyError)', 'request: in no environment', (file) => {
  approve(file);
  file.set(file.one('request'), 'by', id('owner'));
  file.set(file.one('request'), 'environment', 'AAAAAAAAAAA');
});
refuses('too many requests', 'request: one more than may be', (file) => {
  const line = (i: number): Line => ({ ...requestBy('owner', file), id: numbered(i) });
  for (let i = 0; i <= 1024; i++) file.insert(line(i), 'changes', 'request');
});
refuses('too many requests or decisions', 'decision: one more than may be', (file) => {
  file.insert({ ...requestBy('bob', file), id: numbered(0) }, 'changes');
  for (let i = 0; i <= 4096; i++)
    file.insert({ ...decisionOn(numbered(0)), id: numbered(i) }, 'request', 'decision');
});

// ---- Unlocking.

const wrongBundle = 'bundle: of another vault or principal';
for (const [says, member, value] of [
  [wrongBundle, 'vault', random(16)],
  [wrongBundle, 'principal', random(8)],
  ['(InvalidSignature)', 'signSeed', random(32)],
  ['roots or header are not those', 'rootDigest', random(32)],
  ['roots or header are not those', 'floor', 99],
  ['(IndexError)', 'root', 9],
  ['sealed text of a bundle: members', 'sealSeed', ''],
  ['sealed text of a bundle: members', 'wrapKey', 1],
] as const)
  refuses(says, `unlock: ${member} of the bundle`, async (file) => {
    const bundle = file.one('bundle', id('owner'));
    const text = utf8(JSON.stringify({ ...base.owner.content, [member]: value }));
    const aad = file.domain.encode('bundle', id('owner'), Number(bundle['n']));
    const sealed = await seal(systemRandom, base.owner.bundleKey, text, aad, 1024);
    file.set(bundle, 'sealed', encodeBase64url(sealed));
  });
accepts('a bundle that was sealed like these', async (file) => {
  const bundle = file.one('bundle', id('owner'));
  const aad = file.domain.encode('bundle', id('owner'), Number(bundle['n']));
  const text = utf8(JSON.stringify(base.owner.content));
  const sealed = await seal(systemRandom, base.owner.bundleKey, text, aad, 1024);
  file.set(bundle, 'sealed', encodeBase64url(sealed));
});
refuses(
  'could not unlock: wrong credential (1 slots',
  'unlock: another commitment',
  (file) => {
    file.set(file.one('slot', 'recovery'), 'commit', random(32));
  },
  { status: 4 },
);
refuses('(InvalidTag)', 'unlock: another bundle key', (file) => {
  file.set(file.one('slot', 'recovery'), 'wrapped', random(92));
});
refuses(
  'this principal has expired',
  'unlock: after the principal’s end',
  (file) => {
    file.setPrincipal('ci', 'expires', early);
  },
  { who: 'ci', status: 5 },
);
refuses(
  'this principal has expired',
  'unlock: after the principal’s end, by the snapshot',
  (file) => {
    file.setPrincipal('ci', 'expires', '2150-01-01T00:00:00.000Z');
    file.set(file.snapshot, 'time', late);
  },
  { who: 'ci', status: 5 },
);
refuses(
  'whose credential is it? --principal owner or zoe',
  'unlock: by one of two',
  (file) => {
    file.set(file.one('slot', id('zoe')), 'type', 'recovery');
  },
  { status: 2, who: 'anybody' },
);

// ---- Environments: keys, and what is sealed.

for (const [title, member, ...people] of [
  ['environment key', 'commitEnv', 'owner'],
  ['catalog key', 'commitCatalog', 'owner', 'dan'],
] as const)
  for (const who of people)
    refuses(
      'grant: another key',
      `grant: another ${title}, to ${who}`,
      (file) => {
        file.set(file.header, `environments.2.${member}`, random(32));
      },
      { who },
    );
refuses('(InvalidTag)', 'grant: sealed for somebody else', (file) => {
  file.set(file.one('grant', id('owner')), 'ct', random(92));
});
for (const epochs of [
  [1, 1],
  [1, 2],
])
  refuses(
    'audit keys of earlier epochs: out of order, or twice',
    `carry: epochs ${epochs.join(', ')}`,
    async (file) => {
      expect(file.environment('production')['epoch']).toBe(2);
      await carry(file, { auditKeys: epochs.map((epoch) => [epoch, random(32)]), policy: [] });
    },
  );
for (const [title, content] of [
  ['keys', { auditKeys: [[1, 'AAAA']], policy: [] }],
  ['policy', { auditKeys: [], policy: [['a', 1]] }],
  ['members', { policy: [], auditKeys: [] }],
] as const)
  refuses('sealed text of an environment: members', `carry: ${title}`, async (file) => {
    await carry(file, content as unknown as Json);
  });
for (const [says, title, change] of [
  ['names: out of order', 'names of no order', (entries) => entries.reverse()],
  [
    'names: out of order, or twice',
    'a name twice',
    (entries) => entries.unshift({ ...entries[0], secret: random(16) }),
  ],
  ['names: members', 'a member less', (entries) => delete entries[0]?.['hook']],
  ['names: members', 'a type', (entries) => set(entries, { type: 'other ' })],
  ['names: members', 'a description', (entries) => set(entries, { description: 'x'.repeat(4097) })],
  ['names: members', 'a variable', (entries) => set(entries, { variable: '1A' })],
  ['names: members', 'a long variable', (entries) => set(entries, { variable: 'A'.repeat(129) })],
  ['names: members', 'a name', (entries) => set(entries, { name: '' })],
  ['names: members', 'a long name', (entries) => set(entries, { name: 'x'.repeat(1025) })],
  ['names: members', 'an interval', (entries) => set(entries, { interval: -1 })],
  ['names: members', 'a tag without a key', (entries) => set(entries, { tags: [['', 'x']] })],
  ['names: members', 'a long tag', (entries) => set(entries, { tags: [['x', 'x'.repeat(257)]] })],
  [
    'names: members',
    'many tags',
    (entries) => set(entries, { tags: Array.from({ length: 65 }, (_, i) => [`${100 + i}`, '']) }),
  ],
  [
    'tags: out of order',
    'tags',
    (entries) =>
      set(entries, {
        tags: [
          ['b', ''],
          ['a', ''],
        ],
      }),
  ],
  ['a name with characters', 'a name of control characters', (entries) => set(entries, { name: 'a\u0085' })],
  ['a name with characters', 'a name of lines', (entries) => set(entries, { name: 'a\u2028' })],
  ['or two of one secret', 'a secret twice', (entries) => entries.push({ ...entries[0], name: 'z' })],
  [
    'a name without versions',
    'a name without versions',
    (entries) => entries.push({ ...entries[0], name: 'z', secret: random(16) }),
  ],
  ['a name without versions, or the reverse', 'versions without a name', (entries) => entries.pop()],
  ['(InvalidTag)', 'another key', null],
] as readonly (readonly [string, string, ((entries: Line[]) => unknown) | null])[])
  refuses(says, `block: ${title}`, async (file) => {
    await editBlock(file, change);
  });
for (const [title, note] of [
  ['operation', { operation: 'other', rotations: 0, expires: '', graceUntil: '' }],
  ['rotations', { operation: 'put', rotations: -1, expires: '', graceUntil: '' }],
  ['expires', { operation: 'put', rotations: 0, expires: 'never', graceUntil: '' }],
  ['graceUntil', { operation: 'put', rotations: 0, expires: '', graceUntil: 0 }],
] as const)
  refuses('note of a version: members', `note: ${title}`, async (file) => {
    const line = staged(file);
    const named = [str(line['secret']), Number(line['version'])] as const;
    file.set(line, 'note', await file.sealed('note', 'staging', note, ...named));
  });
refuses(
  'this value has expired',
  'note: the time is over',
  async (file) => {
    const line = staged(file);
    const note = { operation: 'put', rotations: 0, expires: early, graceUntil: '' };
    file.set(
      line,
      'note',
      await file.sealed('note', 'staging', note, str(line['secret']), Number(line['version'])),
    );
  },
  { who: 'owner', status: 6, args: ['--get', 'api', '--env', 'staging'] },
);
for (const [says, title, plain] of [
  ['value: wrong checksum', 'checksum', new Uint8Array(40)],
  ['value: wrong checksum', 'larger than it may be', null],
] as const)
  refuses(says, `value: ${title}`, async (file) => {
    const line = staged(file);
    const large = new Uint8Array(2 ** 24 + 1);
    const bytes = plain ?? Buffer.concat([createHash('sha256').update(large).digest(), large]);
    const named = [str(line['secret']), Number(line['version'])] as const;
    file.set(line, 'ct', await file.sealed('value', 'staging', bytes, ...named));
  });
for (const [title, change] of [
  ['a larger bucket', (padded) => Buffer.concat([padded, new Uint8Array(padded.length)])],
  ['not zero', (padded) => padded.fill(1, padded.length - 1)],
  ['longer than there is', (padded) => padded.fill(255, 0, 2)],
  ['no bucket', (padded) => Buffer.concat([padded, new Uint8Array(1)])],
] as readonly (readonly [string, (padded: Buffer) => Uint8Array])[])
  refuses('wrong padding', `padding: ${title}`, async (file) => {
    const line = staged(file);
    const plain = Buffer.concat([createHash('sha256').update('x').digest(), Buffer.from('x')]);
    const named = [file.env('staging'), Number(line['epoch'])] as const;
    const key = await deriveKey(
      file.domain,
      base.environmentKeys.get('staging') ?? new Uint8Array(),
      'value',
      ...named,
    );
    const cipher = createCipheriv('aes-256-gcm', key, new Uint8Array(12));
    cipher.setAAD(file.domain.encode('value', ...named, str(line['secret']), Number(line['version'])));
    const text = Buffer.concat([cipher.update(change(Buffer.from(pad(plain)))), cipher.final()]);
    file.set(
      line,
      'ct',
      Buffer.concat([new Uint8Array(12), text, cipher.getAuthTag()]).toString('base64url'),
    );
  });

// ---- Body lines.

for (const [kind, environment] of [
  ['names', 'staging'],
  ['values', 'staging'],
  ['changes', 'production'],
] as const) {
  refuses(`${kind}: wrong digest or size of a shard`, `${kind}: digest`, (file) => {
    const part = file.part(kind, environment);
    file.set(part, kind === 'changes' ? 'digest' : 'shards.0.0', random(32));
  });
  refuses(`${kind}: wrong digest or size of a shard`, `${kind}: a size that goes to the end`, (file) => {
    const part = file.part(kind, environment);
    file.set(part, kind === 'changes' ? 'size' : 'shards.0.1', 2 ** 40);
  });
}
refuses('lines between the body and the snapshot', 'body: a line more', (file) => {
  file.appended = `${JSON.stringify(file.one('removed'))}\n`;
});
refuses('not one block for each shard', 'body: no block', (file) => {
  file.body.get(file.part('names', 'staging'))?.[0]?.pop();
});
refuses('not one block for each shard', 'block: of another shard', (file) => {
  file.set(file.one('block'), 'shard', 1);
});
for (const [kind, environment] of [
  ['block', 'staging'],
  ['value', 'staging'],
  ['purged', 'development'],
  ['removed', 'production'],
] as const) {
  const says = `${kind}: of another environment, epoch or shard`;
  const line = (file: Sound): Line => file.one(kind, file.env(environment));
  refuses(says, `${kind}: of another environment`, (file) => {
    file.set(line(file), 'environment', file.env(environment === 'staging' ? 'production' : 'staging'));
  });
  if (kind === 'block' || kind === 'value')
    refuses(says, `${kind}: of another epoch`, (file) => {
      file.set(line(file), 'epoch', 9);
    });
}
refuses('kind removed has no place here', 'removed: in values', (file) => {
  const line = { ...file.one('removed'), environment: file.env('staging') };
  file.body.get(file.part('values', 'staging'))?.[0]?.push(line);
});
refuses('kind value has no place here', 'value: in names', (file) => {
  file.body.get(file.part('names', 'staging'))?.[0]?.push(staged(file));
});
refuses('value: wrong signature', 'value: by another key', (file) => {
  file.signedWith.set(staged(file), file.key(id('bob')));
});
refuses('value: its signer has no right', 'value: by who may delete', (file) => {
  file.set(lines(file, 'values', 'production')[0] ?? {}, 'by', id('dan'));
});
refuses('purged: its signer has no right', 'purged: by who may rotate', (file) => {
  purge(file, 'bob');
});
refuses('removed: its signer has no right', 'removed: by who may rotate', (file) => {
  const removed = file.one('removed');
  const [mine] = [file.body.get(file.one('changes', id('bob')))?.[0] ?? []];
  mine.push({ ...removed, by: id('bob'), secret: '_____________________w' });
});
refuses('changes: a line of another signer', 'changes: by somebody else', (file) => {
  const mine = file.body.get(file.one('changes', id('bob')))?.[0] ?? [];
  for (const line of mine) file.set(line, 'by', id('owner'));
});
refuses('value: its signer has no right to it', 'value: the first version, by who may rotate', (file) => {
  const [line = {}] = file.body.get(file.one('changes', id('bob')))?.[0] ?? [];
  file.set(line, 'version', 1);
});
refuses('value: its signer has no right to it', 'value: of another author', (file) => {
  const [line = {}] = file.body.get(file.one('changes', id('bob')))?.[0] ?? [];
  file.set(line, 'author', id('ada'));
});
accepts('a value of somebody else, signed by an administrator', (file) => {
  file.set(staged(file), 'author', id('old'));
});
refuses('value: younger than the part', 'value: time', (file) => {
  file.set(file.part('values', 'staging'), 'time', early);
});

// ---- Versions.

const noChain = 'the versions of a secret are no chain';
refuses('two lines for one version', 'versions: one in changes that is there', async (file) => {
  file.setPrincipal('bob', 'rotate', []);
  file.setPrincipal('bob', 'write', [file.env('production')]);
  file.setPrincipal('bob', 'delete', [file.env('production')]);
  await renumber(file, 1);
});
refuses(noChain, 'versions: one left out', async (file) => renumber(file, 3));
refuses(noChain, 'versions: after another line', (file) => {
  const [line = {}] = file.body.get(file.one('changes', id('bob')))?.[0] ?? [];
  file.set(line, 'prev', random(32));
});
refuses(noChain, 'versions: the first is after one', (file) => {
  file.set(staged(file), 'prev', random(32));
});
refuses(noChain, 'versions: before the one before', (file) => {
  const [line = {}] = file.body.get(file.one('changes', id('bob')))?.[0] ?? [];
  file.set(line, 'time', early);
});
refuses(noChain, 'versions: after a purged one, another', (file) => {
  file.set(file.one('purged'), 'digest', random(32));
});
refuses(noChain, 'versions: before the purged one', (file) => {
  file.set(file.one('purged'), 'last', late);
});
refuses(noChain, 'versions: a purged one is there', (file) => {
  file.set(file.one('purged'), 'through', 2);
});
refuses(noChain, 'versions: none purged', (file) => {
  file.body
    .get(file.part('values', 'development'))?.[0]
    ?.splice(lines(file, 'values', 'development').indexOf(file.one('purged')), 1);
});
refuses(noChain, 'versions: one after a pending one', (file) => {
  file.set(producedFirst(file), 'state', 'pending');
});
accepts('a pending version', (file) => {
  file.set(changed(file), 'state', 'pending');
});
for (const state of ['live', 'withdrawn'])
  accepts(`a pending version that is ${state} by changes`, (file) => {
    answered(file, state);
  });
refuses('two lines for one version', 'versions: pending, and pending again', (file) => {
  answered(file, 'pending');
});
refuses('two lines for one version', 'versions: answered for another author', (file) => {
  answered(file, 'live');
  const pending = lines(file, 'values', 'production').find((line) => line['state'] === 'pending') ?? {};
  file.set(pending, 'author', id('ada'));
  file.set(pending, 'by', id('owner'));
});
refuses('two lines for one version', 'versions: answered after another line', (file) => {
  file.set(answered(file, 'live'), 'prev', random(32));
});
refuses('purged: of another version than that there', 'purged: another digest, in changes', (file) => {
  file.set(purge(file), 'digest', random(32));
});
refuses('purged: of another version than that there', 'purged: another time, in changes', (file) => {
  file.set(purge(file), 'last', early);
});
refuses('purged: of another version than that there', 'purged: no such version, in changes', (file) => {
  file.set(purge(file), 'through', 7);
});

// ---- The audit log.

const log = { args: ['--audit'] } as const;
const recordMembers =
  'log seq time op ok code principal environment secrets context source detail header from to prev sig';
accepts('the audit log as it is', () => undefined, log);
for (const member of recordMembers.split(' '))
  refuses(
    ': members are not as they should be',
    `audit: ${member} of another type`,
    (file) => {
      const [, record = {}] = file.records;
      file.set(record, member, typeof record[member] === 'number' ? `${record[member]}` : 1);
    },
    log,
  );
for (const [member, ...wrong] of [
  ['op', 'x'.repeat(65)],
  ['code', 'x'.repeat(65)],
  ['source', 'x'.repeat(65)],
  ['detail', 'x'.repeat(1025)],
  ['context.user', 'x'.repeat(257)],
  ['context.host', 1],
  ['secrets', [[random(8), random(32)]]],
  ['header', 0],
  ['seq', 0],
] as const)
  for (const value of wrong)
    refuses(
      ': members are not as they should be',
      `audit: ${member}`,
      (file) => {
        file.set(file.records[1] ?? {}, member, value as unknown as Json);
      },
      log,
    );
accepts('an attempt to unlock', (file) => attempt(file), log);
for (const [member, value] of [
  ['op', 'other'],
  ['ok', true],
  ['count', 0],
  ['time', 'now'],
] as const)
  refuses(
    ': members are not as they should be',
    `audit: ${member} of an attempt to unlock`,
    (file) => {
      file.set(attempt(file), member, value);
    },
    log,
  );
refuses(
  'audit record 1: not how a log starts',
  'audit: a record first',
  (file) => {
    file.set(file.records[0] ?? {}, 'op', 'put');
  },
  log,
);
refuses(
  'audit record 3: not how a log starts',
  'audit: a start later',
  (file) => {
    file.set(file.records[2] ?? {}, 'op', 'log');
  },
  log,
);
for (const [member, value] of [
  ['seq', 9],
  ['log', random(16)],
  ['prev', random(32)],
] as const)
  refuses(
    'audit record 3: no chain',
    `audit: another ${member}`,
    (file) => {
      file.set(file.records[2] ?? {}, member, value);
    },
    log,
  );
refuses(
  'audit record: wrong signature',
  'audit: by another key',
  (file) => {
    file.signedWith.set(file.records[2] ?? {}, file.key(id('ada')));
  },
  log,
);
accepts(
  'an audit record by a key that is retired',
  (file) => {
    Object.assign(file.records[2] ?? {}, { principal: id('old'), header: 2 });
  },
  log,
);
refuses(
  '(IndexError)',
  'audit: by a key that is retired, after its time',
  (file) => {
    Object.assign(file.records[2] ?? {}, { principal: id('old'), header: 99 });
  },
  log,
);
refuses(
  'audit record: wrong signature',
  'audit: by the key of now, in the time of a retired one',
  (file) => {
    const { records, header } = file;
    const entry: Json = { id: id('ada'), name: 'ada', signPub: keyOf(file, 'bob'), from: 1, until: 1 };
    file.set(header, 'retired', [...(header['retired'] as Json[]), entry]);
    Object.assign(records[2] ?? {}, { principal: id('ada'), header: 1 });
  },
  log,
);
refuses(
  'or has no such record as the snapshot names',
  'audit: another record',
  (file) => {
    file.anchor = [file.records.length, random(32)];
  },
  log,
);
refuses(
  'or has no such record as the snapshot names',
  'audit: behind',
  (file) => {
    file.anchor = [file.records.length + 1, random(32)];
  },
  log,
);
refuses(
  'the audit log is empty',
  'audit: nothing',
  (file) => {
    file.records.splice(0);
  },
  log,
);
refuses(
  'an unfinished line',
  'audit: an unfinished line',
  (file) => {
    file.unfinished = true;
  },
  log,
);
accepts(
  'a log of another place',
  (file) => {
    for (const record of file.records) record['log'] = 'AAAAAAAAAAAAAAAAAAAAAA';
    file.anchor = null;
  },
  log,
);
accepts('a pruned log', async (file) => prune(file, 'owner'), log);
accepts(
  'a log that was pruned up to where the snapshot is',
  async (file) => {
    file.anchor = await prune(file, 'owner');
  },
  log,
);
refuses(
  'prune: not by an administrator',
  'audit: pruned by who may write',
  async (file) => prune(file, 'ada'),
  log,
);
refuses(
  'prune: not by an administrator, or not in the snapshot',
  'audit: pruned since',
  async (file) => {
    await prune(file, 'owner');
    file.anchor = [1, random(32)];
  },
  log,
);

// ---- What the cases above are made with.

function two([first = {}, second = {}]: readonly Line[]): [Line, Line] {
  return [first, second];
}

/** Lines of the first shard of a part. */
function lines(file: Sound, kind: string, environment: string): Line[] {
  return file.body.get(file.part(kind, environment))?.[0] ?? [];
}

const staged = (file: Sound): Line => file.one('value', file.env('staging'));

/** The version that bob has put into changes. */
const changed = (file: Sound): Line => file.body.get(file.one('changes', id('bob')))?.[0]?.[0] ?? {};

/** The version that it follows. */
const producedFirst = (file: Sound): Line =>
  lines(file, 'values', 'production').find((line) => line['secret'] === changed(file)['secret']) ?? {};

const numbered = (i: number): string =>
  Buffer.from([0, 0, 0, 0, 0, 0, i >> 8, i & 255]).toString('base64url');

function requestBy(name: string, file: Sound): Line {
  const { secret = '' } = staged(file);
  const environment = file.env('production');
  const [time, expires] = ['2026-11-24T00:00:00.000Z', late];
  const head = { kind: 'request', id: random(8), environment, secret, version: 1, operation: 'rotate' };
  return { ...head, note: random(92), epoch: 1, time, expires, by: id(name), sig: random(64) };
}

function decisionOn(asked: string, by = 'owner'): Line {
  const head = { kind: 'decision', id: random(8), request: asked, digest: random(32), verdict: 'approve' };
  return { ...head, time: '2026-11-24T00:00:00.000Z', by: id(by), sig: random(64) };
}

/** Two requests, and two decisions on the first. */
function approve(file: Sound): void {
  if (file.all('request').length > 0) return;
  const byId = (line: Line): string => Buffer.from(raw(line['id'])).toString('hex');
  const sorted = (all: Line[]): Line[] => all.sort((a, b) => (byId(a) < byId(b) ? -1 : 1));
  const requests = sorted([requestBy('bob', file), requestBy('owner', file)]);
  const first = requests.find((line) => line['by'] === id('bob')) ?? {};
  const decisions = sorted([decisionOn(str(first['id'])), decisionOn(str(first['id']), 'zoe')]);
  for (const line of requests) file.insert(line, 'values', 'changes', 'request');
  for (const line of decisions) file.insert(line, 'request', 'decision');
}

/** The mark of a credential that ada has removed. */
function mark(file: Sound): void {
  const own = file.one('slot', id('ada'));
  const zeros = { salt: encodeBase64url(new Uint8Array(16)), commit: encodeBase64url(new Uint8Array(32)) };
  const slot = { ...own, id: numbered(0), type: 'removed', ...zeros, hint: early, wrapped: '' };
  file.head.splice(file.head.indexOf(own), 0, { ...slot });
}

function sortBundles(file: Sound): void {
  const principals = (file.header['principals'] as Line[]).map((entry) => entry['id']);
  const start = file.head.findIndex(({ kind }) => kind === 'bundle');
  const all = file
    .all('bundle')
    .sort((a, b) => principals.indexOf(a['by'] ?? '') - principals.indexOf(b['by'] ?? ''));
  file.head.splice(start, all.length, ...all);
}

const keyOf = (file: Sound, name: string): Json =>
  (file.header['principals'] as Line[])[file.principal(name)]?.['signPub'] ?? '';

/** Whom the owner awaits by its keys brings its bundle, signed with a key that we have. */
function kimJoins(file: Sound): void {
  const key = file.key(id('kim'), file.key(`invited ${id('eve')}`));
  const signPub = encodeBase64url(key.publicKey);
  file.setPrincipal('kim', 'signPub', signPub);
  file.setPrincipal('kim', 'invited', signPub);
  file.insert({ ...file.one('bundle', id('eve')), by: id('kim') }, 'bundle');
  sortBundles(file);
}

async function carry(file: Sound, content: Json): Promise<void> {
  file.set(file.header, 'environments.2.sealed', await file.sealed('carry', 'production', content));
}

/** `null`: sealed with another key. */
async function editBlock(file: Sound, change: ((entries: Line[]) => unknown) | null): Promise<void> {
  const [block = {}] = lines(file, 'names', 'development');
  if (change === null) {
    file.set(block, 'sealed', await file.sealed('note', 'development', { entries: [] }, 0, 0));
    return;
  }
  const named = [file.env('development'), Number(block['epoch'])] as const;
  const key = await deriveKey(file.domain, await file.catalogKey('development'), 'block', ...named);
  const text = await openSealed(key, raw(block['sealed']), file.domain.encode('block', ...named, 0, 0));
  const { entries } = JSON.parse(Buffer.from(text).toString('utf8')) as { entries: Line[] };
  change(entries);
  file.set(block, 'sealed', await file.sealed('block', 'development', { entries }, 0, 0));
}

function set(entries: readonly Line[], members: Line): void {
  Object.assign(entries[0] ?? {}, members);
}

/** The version in changes gets another number. */
async function renumber(file: Sound, version: number): Promise<void> {
  const line = changed(file);
  const note = { operation: 'rotate', rotations: 1, expires: '', graceUntil: '' };
  file.set(line, 'version', version);
  file.set(line, 'note', await file.sealed('note', 'production', note, str(line['secret']), version));
}

/** The version in changes is pending in values, and answered in changes. @returns the answer */
function answered(file: Sound, state: string): Line {
  const answer = changed(file);
  const pending = { ...answer, state: 'pending' };
  const values = lines(file, 'values', 'production');
  values.splice(values.indexOf(producedFirst(file)) + 1, 0, pending);
  file.set(file.part('values', 'production'), 'time', str(file.snapshot['time']));
  file.set(answer, 'state', state);
  return answer;
}

/** Somebody purges the first version of what bob has rotated. @returns the line */
function purge(file: Sound, by = 'dan'): Line {
  const first = producedFirst(file);
  const head = { kind: 'purged', environment: file.env('production'), secret: first['secret'] ?? '' };
  const mine = file.body.get(file.one('changes', id(by)))?.[0] ?? [];
  const line: Line = {
    ...head,
    through: 1,
    digest: file.H(first),
    last: first['time'] ?? '',
    time: str(file.snapshot['time']),
    by: id(by),
    sig: '',
  };
  mine.unshift(line);
  mine.sort((a, b) => Buffer.compare(raw(a['secret']), raw(b['secret'])));
  return line;
}
accepts('a version that is purged in changes', (file) => purge(file));

/** An unsigned record before the last one. */
function attempt(file: Sound): Line {
  const { records } = file;
  const { log: place = '', time = '' } = records.at(-1) ?? {};
  const at = records.length - 1;
  const record: Line = { log: place, seq: at + 1, time, op: 'unlock', ok: false, count: 3, prev: '' };
  records.splice(at, 0, record);
  file.set(records.at(-1) ?? {}, 'seq', at + 2);
  return record;
}

/** The first two records go. @returns the last of them, as the snapshot would name it */
async function prune(file: Sound, by: string): Promise<readonly [number, string]> {
  const { digests } = await file.log(file.records);
  const [, second = {}] = file.records.splice(0, 2);
  const detail = `1 2 2 ${digests[1] ?? ''} ${random(32)}`;
  file.records.unshift({ ...second, op: 'prune', detail, principal: id(by), prev: '' });
  return [2, digests[1] ?? ''];
}

// ---- All of them, in one process.

describe.skipIf(cannotRecover)(`${recoverTitle}: every check`, () => {
  const verdicts: Verdict[] = [];

  beforeAll(async () => {
    base = await makeBase();
    folder = temporaryFolder();
    const runs: Unlocking[] = [];
    for (const [i, { title, change, who, args }] of cases.entries()) {
      const file = new Sound();
      const [unlock, input] = unlocking(who);
      const at = path.join(folder, `${i}`);
      const audited = args.includes('--audit') ? [`${at}.log`] : [];
      try {
        await change(file);
        if (audited.length > 0) writeFileSync(`${at}.log`, await file.audit());
        writeFileSync(at, await file.bytes());
      } catch (error) {
        throw new Error(`the file of "${title}" could not be made`, { cause: error });
      }
      runs.push([[at, ...unlock, ...args, ...audited], input]);
    }
    verdicts.push(...(await recoverMany(runs)));
  }, 120_000);

  test.each(cases.map(({ title, status, says }, i) => [title, i, status, says] as const))(
    '%s',
    (_, i, status, says) => {
      const verdict = verdicts[i];
      expect(verdict?.stderr).toContain(says);
      expect({ status: verdict?.status, silent: verdict?.stderr === '' }).toEqual({
        status,
        silent: says === '',
      });
    },
  );
});
