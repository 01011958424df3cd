/**
 * What somebody with the right to rotate, or to rotate and delete, can put into their part of the file by any program: nobody else loses
 * a version, nobody is kept from writing, nor from removing them, and what is folded in is a vault that readers accept.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { readFileSync, writeFileSync } from 'node:fs';
import { signLine } from '../../../src/access/signing.ts';
import { encodeBase64url, utf8 } from '../../../src/crypto/bytes.ts';
import { purgedLine, type ChangesLine, type PurgedLine, type ValueLine } from '../../../src/format/lines.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { purgeSecret, removeSecret } from '../../../src/vault/operations/move.ts';
import { putSecret } from '../../../src/vault/operations/put.ts';
import { settleRotation, stageRotation, stateOf } from '../../../src/vault/operations/rotation.ts';
import { makeValueLine } from '../../../src/vault/value-line.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery, type Open, type Signer } from '../../support/forgery.ts';
import { put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, remove, teamVault, verifiedByOwner } from '../../support/team.ts';

const environment = 'production';

let team: SampleVault;
let tokens: Record<'rotator' | 'second' | 'mallory' | 'both' | 'writer' | 'reader' | 'blind', string>;

type Who = keyof typeof tokens;

beforeEach(async () => {
  team = await teamVault(['staging', environment]);
  tokens = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one', { environment });
    await put(owner, 'cache', 'one', { environment });
    const may = async (name: string, can: string): Promise<string> =>
      add(owner, name, { can, env: environment });
    return {
      rotator: await may('rotator', 'rotate,read'),
      second: await may('second', 'rotate,read'),
      mallory: await may('mallory', 'rotate'),
      both: await may('both', 'rotate,delete,read'),
      writer: await may('writer', 'read,write,delete'),
      reader: await may('reader', 'read'),
      blind: await may('blind', 'list,write'),
    };
  });
});

const by = async <T>(who: Who, work: (vault: Vault) => Promise<T>): Promise<T> =>
  as(team.place, tokens[who], work);

const rotate =
  (name: string, value: string) =>
  async (vault: Vault): Promise<unknown> =>
    vault.write('rotate', async (scope) =>
      putSecret(scope, { environment, name, value: utf8(value), operation: 'rotate', mustExist: true }),
    );

const stage = async (vault: Vault): Promise<number> =>
  vault.write('rotate-stage', async (scope) => {
    const options = { environment, name: 'db', value: utf8('staged'), ifVersion: null, graceUntil: null };
    return (await stageRotation(scope, options)).version;
  });

const settle =
  (version: number) =>
  async (vault: Vault): Promise<unknown> =>
    vault.write('rotate', async (scope) =>
      settleRotation(scope, { environment, name: 'db', version }, 'live'),
    );

const purge =
  (name: string) =>
  async (vault: Vault): Promise<unknown> =>
    vault.write('purge', async (scope) => purgeSecret(scope, environment, name));

const current = async (name = 'db'): Promise<string> =>
  by('reader', async (vault) => getIn(vault, environment, name));

/** Any change by who may write: it takes over what others have added. */
const touch = async (who: 'writer' | 'blind' = 'writer', name = 'third'): Promise<unknown> =>
  by(who, async (vault) => put(vault, name, 'x', { environment }));

const signerOf = async (who: Who): Promise<Signer> =>
  by(who, async ({ identity }) =>
    Promise.resolve({ principal: identity.principal, signing: identity.signing }),
  );

const isValue = (line: ValueLine | PurgedLine): line is ValueLine => line.kind === 'value';

/** Every line of the environment’s versions, in `values` and `changes`. */
function storedLines(): (ValueLine | PurgedLine)[] {
  const file = Forgery.read(team.place.path);
  const id = file.environment(environment);
  return file.head
    .filter((part) => (part.kind === 'values' || part.kind === 'changes') && part.environment === id)
    .flatMap((part) => (file.shards.get(part) ?? []).join('').split('\n'))
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text) as ValueLine | PurgedLine);
}

const traceOf = (secret: string): PurgedLine | undefined =>
  storedLines().find((line): line is PurgedLine => line.kind === 'purged' && line.secret === secret);

const secretOf = async (name: string): Promise<string> =>
  by('reader', async (vault) =>
    vault.read('ls', async (scope) => {
      const entry = await (await scope.reader(environment)).find(name);
      return entry?.secret ?? '';
    }),
  );

interface Wanted {
  readonly secret: string;
  readonly version: number;
  readonly prev: string;
  readonly state?: 'live' | 'pending' | 'withdrawn';
}

/** What the next version of a secret has to follow. */
async function following(name: string): Promise<Wanted> {
  const secret = await secretOf(name);
  const versions = storedLines().filter(isValue);
  const [line] = versions.filter((one) => one.secret === secret).toSorted((a, b) => b.version - a.version);
  if (line === undefined) throw new Error('no version');
  return { secret, version: line.version + 1, prev: digest(line) };
}

const digest = (line: object): string => Forgery.read(team.place.path).lineDigest(line);

/** A version that somebody signs, sealed as well as they can. */
async function crafted(who: Who, wanted: Wanted): Promise<string> {
  return by(who, async (vault) =>
    vault.read('ls', async (scope) => {
      const reader = await scope.reader(environment);
      const stamp = { identity: scope.identity, random: systemRandom };
      const { raw } = await makeValueLine(scope.authority.domain, stamp, reader.part.entry, reader.keys, {
        state: 'live',
        time: new Date().toISOString(),
        decision: '',
        ...wanted,
        author: scope.identity.principal,
        value: utf8('evil'),
        note: { operation: 'rotate', rotations: 1, expires: '', graceUntil: '' },
      });
      return Buffer.from(raw).toString();
    }),
  );
}

/** The same line, changed and signed again. */
async function changed(who: Who, text: string, change: (line: Open<ValueLine>) => void): Promise<string> {
  const line = JSON.parse(text) as Open<ValueLine>;
  change(line);
  return JSON.stringify(await Forgery.read(team.place.path).sign(line, await signerOf(who)));
}

/** One that does not open. */
const sealedBadly = async (who: Who, wanted: Wanted): Promise<string> =>
  changed(who, await crafted(who, wanted), (line) => {
    const ct = Uint8Array.from(Buffer.from(line.ct, 'base64url'));
    ct[ct.length - 1] = (ct.at(-1) ?? 0) ^ 1;
    line.ct = encodeBase64url(ct);
  });

/** A trace that ends with a line. */
async function purgeThrough(who: Who, text: string): Promise<string> {
  const own = await signerOf(who);
  const file = Forgery.read(team.place.path);
  const { secret, version, time } = JSON.parse(text) as ValueLine;
  const value = {
    kind: 'purged',
    environment: file.environment(environment),
    secret,
    through: version,
    digest: file.lineDigest(JSON.parse(text) as object),
    last: time,
    time,
    by: own.principal,
  } as const;
  const line = await signLine<PurgedLine>(file.domain, own.signing, value, purgedLine, 'purged');
  return Buffer.from(line.raw).toString();
}

/** A part of somebody’s with these lines, in the place of the one that they have. */
async function plant(
  who: Who,
  lines: readonly string[],
  { copies = 1, wrongDigest = false } = {},
): Promise<void> {
  const own = await signerOf(who);
  const file = Forgery.read(team.place.path);
  const id = file.environment(environment);
  const values = file.all('values').find((one) => one.environment === id);
  if (values === undefined) throw new Error('no values');
  const ofIt = (): Open<ChangesLine>[] => file.all('changes').filter((one) => one.environment === id);
  const present = ofIt().find((one) => one.by === own.principal);
  if (present !== undefined) file.remove(present);
  const time = new Date().toISOString();
  if (time > file.snapshot.time) file.snapshot.time = time;
  const order = file.one('header').principals.map((principal) => principal.id);
  for (let copy = 0; copy < copies; copy++) {
    const part: Open<ChangesLine> = {
      kind: 'changes',
      environment: id,
      epoch: values.epoch,
      n: (present?.n ?? 0) + 1,
      time: file.snapshot.time,
      by: own.principal,
      seen: { header: 0, parts: [] },
      base: file.lineDigest(values),
      digest: '',
      size: 0,
      sig: '',
    };
    const before = ofIt().findLast((one) => order.indexOf(one.by) <= order.indexOf(part.by)) ?? values;
    file.head.splice(file.head.indexOf(before) + 1, 0, part);
    file.shards.set(part, [lines.map((line) => `${line}\n`).join('')]);
    await file.signPart(part, own);
    if (!wrongDigest) continue;
    part.digest = encodeBase64url(systemRandom(32));
    await file.sign(part, own);
  }
  await file.write(team.place.path, own);
}

const noise = (): string => encodeBase64url(systemRandom(32));

describe('versions of others', () => {
  test('bytes changed by somebody without keys: nothing is written over them, and nothing is lost', async () => {
    await by('rotator', rotate('db', 'two'));
    const good = readFileSync(team.place.path, 'utf8');
    const at = good.lastIndexOf('"form":"sym","ct":"') + 40;
    writeFileSync(
      team.place.path,
      `${good.slice(0, at)}${good[at] === 'A' ? 'B' : 'A'}${good.slice(at + 1)}`,
    );
    const removal = async (): Promise<unknown> => asOwner(team, async (owner) => remove(owner, 'second'));
    for (const attempt of [touch, removal]) {
      const failure = await failureOf(attempt());
      const message = 'what rotator had added to production was changed';
      expect([failure.exitCode, failure.message]).toEqual([7, message]);
    }
    writeFileSync(team.place.path, good);
    expect(await current()).toBe('two');
  });

  test('a version that does not open is not built upon', async () => {
    await plant('mallory', [await sealedBadly('mallory', await following('db'))]);
    const failure = await failureOf(by('rotator', rotate('db', 'three')));
    expect([failure.exitCode, failure.message]).toEqual([7, 'version 2, by mallory, does not open']);
    await touch();
    await by('rotator', rotate('db', 'three'));
    await touch();
    expect(await current()).toBe('three');
  });

  test('a bad line about another secret costs nothing', async () => {
    await by('rotator', stage);
    await by('second', rotate('cache', 'two'));
    const line = await crafted('mallory', { ...(await following('cache')), prev: noise() });
    await plant('mallory', [line]);
    await touch();
    expect(await current('cache')).toBe('two');
    await by('rotator', settle(2));
    expect(await current()).toBe('staged');
  });

  test('a conflict with the lower of two: both stay', async () => {
    const lower = await following('db');
    await by('rotator', rotate('db', 'two'));
    await by('second', rotate('db', 'three'));
    const upper = await following('db');
    const lines = [await crafted('mallory', lower), await crafted('mallory', { ...upper, prev: noise() })];
    await plant('mallory', lines);
    await touch();
    expect(await current()).toBe('three');
  });
});

describe('what is folded in', () => {
  test.each(['a write', 'new keys'])(
    'a purged secret does not come back without a name, by %s',
    async (how) => {
      const secret = await secretOf('cache');
      await by('writer', purge('cache'));
      const trace = traceOf(secret);
      const wanted = { secret, version: (trace?.through ?? 0) + 1, prev: trace?.digest ?? '' };
      await plant('mallory', [await crafted('mallory', wanted)]);
      if (how === 'a write') await touch();
      else await asOwner(team, async (owner) => remove(owner, 'mallory'));
      await verifiedByOwner(team);
      expect(storedLines().filter((line) => line.secret === secret)).toHaveLength(1);
    },
  );

  test('a secret that never was is none', async () => {
    const secret = encodeBase64url(systemRandom(16));
    const below = await crafted('both', { secret, version: 7, prev: '' });
    const top = await crafted('both', { secret, version: 8, prev: digest(JSON.parse(below) as object) });
    await plant('both', [await purgeThrough('both', below), below, top]);
    await touch();
    await verifiedByOwner(team);
    expect(storedLines().filter((line) => line.secret === secret)).toEqual([]);
  });

  test('no number is made up by purging what nobody wrote', async () => {
    const { secret } = await following('cache');
    const most = Number.MAX_SAFE_INTEGER;
    const below = await crafted('both', { secret, version: most - 1, prev: '' });
    const top = await crafted('both', { secret, version: most, prev: digest(JSON.parse(below) as object) });
    await plant('both', [await purgeThrough('both', below), below, top]);
    await touch();
    await touch('writer', 'fourth');
    await by('writer', async (vault) => put(vault, 'cache', 'two', { environment }));
    expect(await current('cache')).toBe('two');
    await asOwner(team, async (owner) => remove(owner, 'both'));
    await verifiedByOwner(team);
  });

  test('what is purged was signed', async () => {
    const wanted = await following('cache');
    const line = JSON.parse(await crafted('both', wanted)) as Open<ValueLine>;
    line.sig = encodeBase64url(new Uint8Array(64));
    const text = JSON.stringify(line);
    await plant('both', [await purgeThrough('both', text), text]);
    await touch();
    expect(traceOf(wanted.secret)).toBeUndefined();
    expect(await current('cache')).toBe('one');
  });
});

describe('nobody is stopped', () => {
  test('by a part that is no lines', async () => {
    await plant('mallory', ['{}']);
    expect(await current()).toBe('one');
    await by('rotator', rotate('db', 'two'));
    await plant('mallory', ['{}']);
    expect(await current()).toBe('two');
    await touch();
    const version = await by('writer', stage);
    await plant('mallory', ['{}']);
    await by('writer', settle(version));
    expect(await current()).toBe('staged');
  });

  test('from removing who signed what nobody can read', async () => {
    await plant('mallory', ['{}'], { wrongDigest: true });
    expect((await failureOf(current())).exitCode).toBe(7);
    const rm = async (vault: Vault): Promise<unknown> =>
      vault.write('rm', async (scope) => removeSecret(scope, environment, 'cache'));
    expect((await failureOf(by('writer', rm))).exitCode).toBe(7);
    await asOwner(team, async (owner) => remove(owner, 'mallory'));
    expect(await current()).toBe('one');
  });

  test('by a live version that does not open, folded in by somebody who cannot read', async () => {
    await plant('mallory', [await sealedBadly('mallory', await following('db'))]);
    await touch('blind');
    await asOwner(team, async (owner) => remove(owner, 'mallory'));
    expect(await current()).toBe('one');
    await verifiedByOwner(team);
  });

  test('by one that was withdrawn, below a good one', async () => {
    const wanted = { ...(await following('db')), state: 'withdrawn' as const };
    await plant('mallory', [await sealedBadly('mallory', wanted)]);
    await touch('blind');
    await by('writer', async (vault) => put(vault, 'db', 'three', { environment }));
    await asOwner(team, async (owner) => remove(owner, 'mallory'));
    expect(await current()).toBe('three');
    await verifiedByOwner(team);
  });

  test('by two parts of one signer: there is one for each', async () => {
    await plant('mallory', [await crafted('mallory', await following('db'))], { copies: 2 });
    expect((await failureOf(current())).exitCode).toBe(7);
  });

  test.each(['live', 'withdrawn'] as const)('by a line in another name that says %s', async (state) => {
    const wanted = { ...(await following('db')), state };
    const version = await by('rotator', stage);
    const victim = (await signerOf('rotator')).principal;
    const line = await changed('mallory', await crafted('mallory', wanted), (one) => {
      one.author = victim;
    });
    await plant('mallory', [line]);
    const asked = by('rotator', async (vault) =>
      vault.read('show', async (scope) => stateOf(scope, { environment, name: 'db', version })),
    );
    expect((await failureOf(asked)).exitCode).toBe(7);
    await touch();
    await by('rotator', settle(version));
    expect(await current()).toBe('staged');
  });
});

test('at random: whatever she makes up, without a conflict, others lose nothing and the vault verifies', async () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  const pick = <T>(all: readonly [T, ...T[]]): T => all[random(all.length)] ?? all[0];
  const kinds = {
    'another chain': async (next: Wanted) => crafted('mallory', { ...next, prev: noise() }),
    'does not open': async (next: Wanted) => sealedBadly('mallory', next),
    'a gap': async (next: Wanted) => crafted('mallory', { ...next, version: next.version + 1 + random(3) }),
    'a number again': async (next: Wanted) =>
      crafted('mallory', { ...next, version: Math.max(1, next.version - 1), prev: noise() }),
    'another secret': async (next: Wanted) =>
      crafted('mallory', { ...next, secret: encodeBase64url(systemRandom(16)) }),
    'another signature': async (next: Wanted) => {
      const line = JSON.parse(await crafted('mallory', next)) as Open<ValueLine>;
      return JSON.stringify({ ...line, sig: encodeBase64url(systemRandom(64)) });
    },
    'a purge': async (next: Wanted) => {
      const last = storedLines()
        .filter(isValue)
        .find(({ secret, version }) => secret === next.secret && version === next.version - 1);
      return purgeThrough('mallory', JSON.stringify(last));
    },
    'somebody’s name': async (next: Wanted) => {
      const last = storedLines()
        .filter(isValue)
        .find(({ secret, version }) => secret === next.secret && version === next.version - 1);
      const wanted = { ...next, version: next.version - 1, state: 'withdrawn' as const };
      return changed('mallory', await crafted('mallory', wanted), (line) => {
        line.author = last?.author ?? line.author;
        line.prev = last?.prev ?? '';
      });
    },
  };
  const own = await signerOf('mallory');
  for (let round = 0; round < 40; round++) {
    const made: Wanted[] = [];
    for (let count = 1 + random(4); count > 0; count--) {
      const name = pick(['db', 'cache']);
      made.push(await following(name));
      await by(pick(['rotator', 'both', 'second']), rotate(name, `${round} ${count}`));
    }
    const lines: string[] = [];
    const what: string[] = [];
    for (let count = 1 + random(4); count > 0; count--) {
      const name = pick(['db', 'cache']);
      const kind = pick(Object.keys(kinds) as [keyof typeof kinds]);
      what.push(`${kind} of ${name}`);
      lines.push(await kinds[kind](await following(name)));
    }
    await plant('mallory', lines);
    if (random(2) === 0) await touch();
    else
      await asOwner(team, async (owner) =>
        owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, [environment]))),
      );
    for (const { secret, version } of made) {
      const kept = storedLines()
        .filter(isValue)
        .filter((line) => line.secret === secret && line.version === version);
      expect(kept, `round ${round}: ${what.join(', ')}`).toHaveLength(1);
      expect(kept[0]?.author).not.toBe(own.principal);
    }
    await verifiedByOwner(team);
  }
}, 60_000);
