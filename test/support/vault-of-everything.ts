/**
 * A vault with one of everything that a vault can have, made by the core, and files made of it that fail one check of a reader
 * alone: by somebody who has everybody’s keys, so that all signatures and digests are right.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { open as openSealed, seal } from '../../src/crypto/aead.ts';
import { encodeBase64url, parseBase64url, utf8, type Bytes } from '../../src/crypto/bytes.ts';
import { deriveKey } from '../../src/crypto/hash.ts';
import { importSigningKey, type SigningKey } from '../../src/crypto/signature.ts';
import { parseInvitation } from '../../src/format/join-text.ts';
import { newInvitation } from '../../src/vault/invitation.ts';
import { acceptInvitation } from '../../src/vault/join-invitation.ts';
import { removeSecret } from '../../src/vault/operations/move.ts';
import { attachHook, setHook } from '../../src/vault/operations/hook-changes.ts';
import { setEnvironmentPolicy, setPolicy } from '../../src/vault/operations/policy.ts';
import { putSecret } from '../../src/vault/operations/put.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { LooseFile, str, type Json, type Line } from './loose-file.ts';
import { cheapKdf, makeVault, placeIn, put, systemRandom, type SampleVault } from './sample-vault.ts';
import { cannotRecover, recoverMany, recoverTitle, type Unlocking, type Verdict } from './second-reader.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  openPassphrase,
  reissue,
  remove as removePrincipal,
  request,
} from './team.ts';
import { temporaryFolder } from './temporary-folder.ts';

const environments = ['development', 'staging', 'production'] as const;
export const early = '2001-01-01T00:00:00.000Z';
export const late = '2199-01-01T00:00:00.000Z';

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

export let base: Base;

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
  const invite = async (): ReturnType<typeof newInvitation> =>
    asOwner(sample, async (owner) => newInvitation(systemRandom, owner.authority));
  const [invitation, nobody] = [await invite(), await invite()];
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
    await owner.write('policy-set', async (scope) => {
      await setHook(scope, 'development', 'smtp', { use: null, commands: { apply: 'printf "%s" "ü"' } });
      await setEnvironmentPolicy(scope, 'development', 'rotate.days', '90,token=7');
    });
    await owner.write('hook-use', async (scope) => attachHook(scope, 'development', ['once'], 'smtp'));
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
    await removePrincipal(owner, 'old');
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

export const id = (name: string): string => base.ids.get(name) ?? '';
export const random = (length: number): string => encodeBase64url(systemRandom(length));
const raw = (text: Json | undefined): Bytes => parseBase64url(str(text)) ?? new Uint8Array(0);

/** A file with one of everything, and what is in it. */
export class Sound extends LooseFile {
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

  /** Somebody may do just this in an environment, as the grants say. */
  allow(name: string, environment: string, ...rights: readonly string[]): void {
    const here = this.env(environment);
    const reads = rights.includes('read');
    for (const right of ['list', 'read', 'rotate', 'write', 'delete'])
      this.setPrincipal(
        name,
        right,
        right !== 'list' ? (rights.includes(right) ? [here] : []) : reads ? [] : [here],
      );
    if (this.environment(environment)['sealPub'] === '') {
      const index = (this.header['environments'] as Line[]).indexOf(this.environment(environment));
      this.set(this.header, `environments.${index}.sealPub`, random(1216));
    }
    const own = this.all('grant').filter(({ principal }) => principal === id(name));
    const [grant = {}] = own;
    this.remove(...own);
    const granted = { ...grant, environment: here, epoch: this.environment(environment)['epoch'] ?? 0 };
    const before = this.all('grant').findLast((line) => this.#rank(line['principal']) < this.#rank(id(name)));
    this.head.splice(this.head.indexOf(before ?? {}) + 1, 0, {
      ...granted,
      level: reads ? 'read' : 'list',
    });
  }

  /** Somebody’s end; who had expired by the time of the header has no grants. */
  expire(name: string, time: string): void {
    this.setPrincipal(name, 'expires', time);
    if (time < str(this.header['time']))
      this.remove(...this.all('grant').filter(({ principal }) => principal === id(name)));
  }

  #rank(principal: Json | undefined): number {
    return (this.header['principals'] as Line[]).findIndex((entry) => entry['id'] === principal);
  }

  async catalogKey(environment: string): Promise<Bytes> {
    const entry = this.environment(environment);
    const key = base.environmentKeys.get(environment) ?? new Uint8Array(32);
    return deriveKey(this.domain, key, 'catalog', str(entry['id']), Number(entry['epoch']));
  }

  async indexKey(environment: string): Promise<Bytes> {
    const entry = this.environment(environment);
    const catalog = await this.catalogKey(environment);
    return deriveKey(this.domain, catalog, 'index', str(entry['id']), Number(entry['epoch']));
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

export type Change = (file: Sound) => unknown;

interface Case {
  readonly title: string;
  /** In what it says on standard error; `''` where it must accept the file. */
  readonly says: string;
  readonly change: Change;
  readonly who: string;
  readonly status: number;
  readonly args: readonly string[];
  /** Whether anything is written to standard output; without it, that of success. */
  readonly shows?: boolean;
}

type Options = Partial<Pick<Case, 'who' | 'status' | 'args' | 'shows'>>;

const cases: Case[] = [];

export function refuses(says: string, title: string, change: Change, options: Options = {}): void {
  cases.push({ title, says, change, who: 'owner', status: 7, args: [], ...options });
}

export function accepts(title: string, change: Change, options: Options = {}): void {
  refuses('', title, change, { status: 0, ...options });
}

function unlocking(who: string): Unlocking {
  if (who === 'owner') return [['--recovery', '--principal', 'owner'], base.sample.recoveryKey];
  if (who === 'anybody') return [['--recovery'], base.sample.recoveryKey];
  if (who === 'eve') return [['--principal', 'eve'], 'eve’s passphrase'];
  return [[], base.tokens.get(who) ?? ''];
}

// ---- What the cases above are made with.

export function two([first = {}, second = {}]: readonly Line[]): [Line, Line] {
  return [first, second];
}

/** Lines of the first shard of a part. */
export function lines(file: Sound, kind: string, environment: string): Line[] {
  return file.body.get(file.part(kind, environment))?.[0] ?? [];
}

export const staged = (file: Sound): Line => file.one('value', file.env('staging'));

/** The version that bob has put into changes. */
export const changed = (file: Sound): Line => file.body.get(file.one('changes', id('bob')))?.[0]?.[0] ?? {};

/** The version that it follows. */
export const producedFirst = (file: Sound): Line =>
  lines(file, 'values', 'production').find((line) => line['secret'] === changed(file)['secret']) ?? {};

export const numbered = (i: number): string =>
  Buffer.from([0, 0, 0, 0, 0, 0, i >> 8, i & 255]).toString('base64url');

export function requestBy(name: string, file: Sound): Line {
  const { secret = '' } = staged(file);
  const environment = file.env('production');
  const [time, expires] = ['2026-11-24T00:00:00.000Z', late];
  const head = { kind: 'request', id: random(8), environment, secret, version: 1, operation: 'rotate' };
  return { ...head, note: random(92), epoch: 1, time, expires, by: id(name), sig: random(64) };
}

export function decisionOn(asked: string, by = 'owner'): Line {
  const head = { kind: 'decision', id: random(8), request: asked, digest: random(32), verdict: 'approve' };
  return { ...head, time: '2026-11-24T00:00:00.000Z', by: id(by), sig: random(64) };
}

/** Two requests, and two decisions on the first. */
export function approve(file: Sound): void {
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
export function mark(file: Sound): void {
  const own = file.one('slot', id('ada'));
  const zeros = { salt: encodeBase64url(new Uint8Array(16)), commit: encodeBase64url(new Uint8Array(32)) };
  const slot = { ...own, id: numbered(0), type: 'removed', ...zeros, hint: early, wrapped: '' };
  file.head.splice(file.head.indexOf(own), 0, { ...slot });
}

export function sortBundles(file: Sound): void {
  const principals = (file.header['principals'] as Line[]).map((entry) => entry['id']);
  const start = file.head.findIndex(({ kind }) => kind === 'bundle');
  const all = file
    .all('bundle')
    .sort((a, b) => principals.indexOf(a['by'] ?? '') - principals.indexOf(b['by'] ?? ''));
  file.head.splice(start, all.length, ...all);
}

export const keyOf = (file: Sound, name: string): Json =>
  (file.header['principals'] as Line[])[file.principal(name)]?.['signPub'] ?? '';

/** Whom the owner awaits by its keys brings its bundle, signed with a key that we have. */
export function kimJoins(file: Sound): void {
  const key = file.key(id('kim'), file.key(`invited ${id('eve')}`));
  const signPub = encodeBase64url(key.publicKey);
  file.setPrincipal('kim', 'signPub', signPub);
  file.setPrincipal('kim', 'invited', signPub);
  file.insert({ ...file.one('bundle', id('eve')), by: id('kim') }, 'bundle');
  sortBundles(file);
}

export async function carry(file: Sound, content: Json): Promise<void> {
  file.set(file.header, 'environments.2.sealed', await file.sealed('carry', 'production', content));
}

/** `null`: sealed with another key. */
export async function editBlock(file: Sound, change: ((entries: Line[]) => unknown) | null): Promise<void> {
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

export function set(entries: readonly Line[], members: Line): void {
  Object.assign(entries[0] ?? {}, members);
}

/** The version in changes gets another number. */
export async function renumber(file: Sound, version: number): Promise<void> {
  const line = changed(file);
  const note = { operation: 'rotate', rotations: 1, expires: '', graceUntil: '' };
  file.set(line, 'version', version);
  file.set(line, 'note', await file.sealed('note', 'production', note, str(line['secret']), version));
}

/** The version in changes is pending in values, and answered in changes. @returns the answer */
export function answered(file: Sound, state: string): Line {
  const answer = changed(file);
  const pending = { ...answer, state: 'pending' };
  const values = lines(file, 'values', 'production');
  values.splice(values.indexOf(producedFirst(file)) + 1, 0, pending);
  file.set(file.part('values', 'production'), 'time', str(file.snapshot['time']));
  file.set(answer, 'state', state);
  return answer;
}

/** Somebody purges the first version of what bob has rotated. @returns the line */
export function purge(file: Sound, by = 'dan'): Line {
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

/** bob removes the secret that he has rotated. @returns the line */
export function remove(file: Sound): Line {
  const { secret = '' } = changed(file);
  const line = { ...file.one('removed'), by: id('bob'), secret };
  file.body.get(file.one('changes', id('bob')))?.[0]?.push(line);
  return line;
}

/** An unsigned record before the last one. */
export function attempt(file: Sound): Line {
  const { records } = file;
  const { log: place = '', time = '' } = records.at(-1) ?? {};
  const at = records.length - 1;
  const record: Line = { log: place, seq: at + 1, time, op: 'unlock', ok: false, count: 3, prev: '' };
  records.splice(at, 0, record);
  file.set(records.at(-1) ?? {}, 'seq', at + 2);
  return record;
}

/** A record at the end of the log. @returns its number */
export function appendTo(file: Sound, op: string, by: string, detail: string): number {
  const last = file.records.at(-1) ?? {};
  const seq = Number(last['seq']) + 1;
  const principal = { nobody: numbered(0), stranger: numbered(1) }[by] ?? id(by);
  file.records.push({ ...last, seq, op, principal, detail });
  return seq;
}

export interface Pruning {
  /** Who records it, or nobody. */
  readonly recordedBy?: string | null;
  /** What the vault says of it instead, or nothing. */
  readonly policy?: (log: string, last: number, digest: string) => string | null;
  /** What the summary says instead. */
  readonly detail?: (right: string) => string;
}

/** The first two records go. @returns the last of them, as the snapshot would name it */
export async function prune(
  file: Sound,
  by: string,
  pruning: Pruning = {},
): Promise<readonly [number, string]> {
  const { recordedBy = by, policy = (...[log, last, of]) => `${log}=${last}:${of}`, detail } = pruning;
  const { digests } = await file.log(file.records);
  const [, second = {}] = file.records.splice(0, 2);
  const digest = digests[1] ?? '';
  const right = `1 2 2 ${digest} ${random(32)}`;
  const members = { op: 'prune', detail: detail?.(right) ?? right, principal: id(by), prev: '' };
  file.records.unshift({ ...second, ...members });
  if (recordedBy !== null) appendTo(file, 'audit-prune', recordedBy, right);
  const said = policy(str(second['log']), 2, digest);
  const present = file.header['policy'] as Json[];
  if (said !== null) file.set(file.header, 'policy', [['audit.pruned', said], ...present]);
  return [2, digest];
}

// ---- All of them, in one process.

/** All cases of this file of tests, in one process. */
export function runCases(what: string): void {
  describe.skipIf(cannotRecover)(`${recoverTitle}: ${what}`, () => {
    const verdicts: Verdict[] = [];

    beforeAll(async () => {
      base = await makeBase();
      const folder = temporaryFolder();
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

    test.each(cases.map((wanted, i) => [wanted.title, i, wanted] as const))(
      '%s',
      (_, i, { status, says, shows }) => {
        const { stderr = '', written = 0, ...verdict } = verdicts[i] ?? {};
        expect(stderr).toContain(says);
        const found = {
          ...verdict,
          silent: stderr === '',
          ...(shows === undefined ? {} : { shows: written > 0 }),
        };
        expect(found).toEqual({ status, silent: says === '', ...(shows === undefined ? {} : { shows }) });
      },
    );
  });
}
