/**
 * A `changes` part that does not hold, by somebody who may only rotate or delete: others go on reading, the next writer leaves it out and
 * says whose it was, and whoever made it can be removed. Honest parts beside it stay.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64url, utf8 } from '../../../src/crypto/bytes.ts';
import type { SignedRecord } from '../../../src/format/audit-record.ts';
import type { PurgedLine, ValueLine } from '../../../src/format/lines.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { listNames } from '../../../src/vault/operations/list.ts';
import { renameSecret } from '../../../src/vault/operations/move.ts';
import { vaultStatus } from '../../../src/vault/operations/status.ts';
import { makeValueLine } from '../../../src/vault/value-line.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery, type Open, type Signer } from '../../support/forgery.ts';
import { records } from '../../support/audit-records.ts';
import { get, put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, openToken, remove, teamVault, verifiedByOwner } from '../../support/team.ts';

let team: SampleVault;
let tokens: Record<'culprit' | 'first' | 'second' | 'deleter' | 'writer', string>;
let told: string[];

beforeEach(async () => {
  told = [];
  team = await teamVault(['production'], { warn: (text) => told.push(text) });
  tokens = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one');
    await put(owner, 'other', 'another');
    const env = 'production';
    return {
      culprit: await add(owner, 'culprit', { can: 'rotate', env }),
      first: await add(owner, 'first', { can: 'rotate', env }),
      second: await add(owner, 'second', { can: 'rotate', env }),
      deleter: await add(owner, 'deleter', { can: 'delete', env }),
      writer: await add(owner, 'writer', { can: 'read,write', env }),
    };
  });
});

interface Hostile {
  readonly vault: Vault;
  readonly forgery: Forgery;
  readonly signer: Signer;
}

/** The next version of `db`, well made but for what is given. */
async function version({ vault, forgery }: Hostile): Promise<Open<ValueLine>> {
  return vault.read('x', async (scope) => {
    const reader = await scope.reader('production');
    const { secret } = (await reader.find('db')) ?? { secret: '' };
    const last = (await reader.history(secret)).versions.at(-1);
    if (last === undefined) throw new Error('no version');
    const line = await makeValueLine(
      forgery.domain,
      { identity: vault.identity, random: systemRandom },
      reader.part.entry,
      reader.keys,
      {
        secret,
        version: last.value.version + 1,
        state: 'live',
        time: forgery.snapshot.time,
        author: vault.identity.principal,
        prev: forgery.lineDigest(last.value),
        decision: '',
        value: utf8('of the culprit'),
        note: { operation: 'rotate', rotations: 1, expires: '', graceUntil: '' },
      },
    );
    return structuredClone(line.value);
  });
}

const noise = (): string => encodeBase64url(systemRandom(1_216));

/** What somebody puts into a part of their own, and how the part itself is spoiled then. */
interface Spoiled {
  readonly who?: 'culprit' | 'deleter';
  readonly lines: (hostile: Hostile) => Promise<object[]>;
  readonly digest?: 'wrong';
}

const changed =
  (change: (line: Open<ValueLine>, forgery: Forgery) => void) =>
  async (hostile: Hostile): Promise<object[]> => {
    const line = await version(hostile);
    change(line, hostile.forgery);
    return [await hostile.forgery.sign(line, hostile.signer)];
  };

const ways: Readonly<Record<string, Spoiled>> = {
  'a version that continues nothing': {
    lines: changed((line, forgery) => {
      line.prev = forgery.lineDigest({});
    }),
  },
  'a value that does not open': {
    lines: changed((line) => {
      line.ct = noise();
    }),
  },
  'a note that does not open': {
    lines: changed((line) => {
      line.note = noise();
    }),
  },
  'a purge of a version that is not there': {
    who: 'deleter',
    lines: async ({ forgery, signer, vault }) => {
      const { environment, secret } = await version({ forgery, signer, vault });
      const time = forgery.snapshot.time;
      const purged: Open<PurgedLine> = {
        kind: 'purged',
        environment,
        secret,
        through: 9,
        digest: forgery.lineDigest({}),
        last: time,
        time,
        by: signer.principal,
        sig: '',
      };
      return [await forgery.sign(purged, signer)];
    },
  },
  'nothing at all': { lines: async () => Promise.resolve([]) },
  'another digest': { lines: async (hostile) => [await version(hostile)], digest: 'wrong' },
};

const nothing: Spoiled = { lines: async () => Promise.resolve([]) };

async function publish({ who = 'culprit', lines, digest }: Spoiled): Promise<string> {
  const vault = await openToken(team.place, tokens[who]);
  const { principal, signing } = vault.identity;
  const forgery = Forgery.read(team.place.path);
  const signer = { principal, signing };
  const values = forgery.one('values');
  const { environment, epoch } = values;
  const made = await lines({ vault, forgery, signer });
  const own = forgery.all('changes').find((part) => part.by === principal);
  if (own !== undefined) forgery.remove(own);
  const part = {
    kind: 'changes' as const,
    environment,
    epoch,
    n: (own?.n ?? 0) + 1,
    time: forgery.snapshot.time,
    by: principal,
    seen: { header: 0, parts: [] },
    base: forgery.lineDigest(values),
    digest: '',
    size: 0,
    sig: '',
  };
  // In the order of the header's principals.
  const order = forgery.one('header').principals.map(({ id }) => id);
  const before = forgery.all('changes').filter(({ by }) => order.indexOf(by) < order.indexOf(principal));
  forgery.head.splice(forgery.head.indexOf(before.at(-1) ?? values) + 1, 0, part);
  forgery.shards.set(part, [made.map((line) => `${JSON.stringify(line)}\n`).join('')]);
  await forgery.signPart(part, signer);
  if (digest === 'wrong') {
    part.digest = forgery.lineDigest({});
    await forgery.sign(part, signer);
  }
  await forgery.write(team.place.path, signer);
  vault.close();
  return who;
}

const names = async (vault: Vault): Promise<string[]> => {
  const none = {
    expiringBefore: null,
    expired: false,
    due: false,
    removed: false,
    type: null,
    pattern: null,
  };
  const all = { environment: null, allEnvironments: false, tags: new Map<string, string>(), ...none };
  return (await vault.read('ls', async (scope) => listNames(scope, all))).map(({ name }) => name);
};

const lastRecord = (): SignedRecord | undefined => records(team.place).findLast(({ to }) => to !== '');

function expectTold(who: string): void {
  expect(told).toEqual([
    expect.stringMatching(new RegExp(`what ${who} had added( to "db")? did not hold together`, 'u')),
  ]);
  expect(lastRecord()?.detail).toContain(`what ${who} had added`);
}

const rotate = async (who: 'first' | 'second', name: string, value: string): Promise<unknown> =>
  as(team.place, tokens[who], async (vault) => put(vault, name, value, { operation: 'rotate' }));

// What does not have its digest may have been taken from an honest signer: nobody can know what is missing, and it is not written over.
const itsOwn = Object.entries(ways).filter(([, { digest }]) => digest !== 'wrong');

describe.each(itsOwn)('a part with %s', (_, way) => {
  test('keeps nobody from reading other secrets', async () => {
    await publish(way);
    await asOwner(team, async (owner) => {
      expect(await get(owner, 'other')).toBe('another');
      expect(await names(owner)).toEqual(['db', 'other']);
      const status = await owner.read('status', async (scope) => vaultStatus(scope, owner.place));
      expect(status.environments).toHaveLength(1);
    });
  });

  const writes: Readonly<Record<string, (owner: Vault) => Promise<unknown>>> = {
    'the next write': async (owner) => put(owner, 'other', 'new'),
    'a write to the same secret': async (owner) => put(owner, 'db', 'new'),
    're-keying': async (owner) =>
      owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, ['production']))),
  };
  test.each(Object.entries(writes))('goes with %s, which names its signer', async (_title, write) => {
    const who = await publish(way);
    await asOwner(team, write);
    expectTold(who);
    expect(Forgery.read(team.place.path).all('changes')).toEqual([]);
    expect(await verifiedByOwner(team)).toBeGreaterThanOrEqual(2);
    expect(await asOwner(team, async (owner) => get(owner, 'db'))).toMatch(/^(one|new)$/);
  });

  test('takes no honest part with it, nor those that build on each other', async () => {
    await rotate('first', 'db', 'two');
    await rotate('second', 'db', 'three');
    await rotate('first', 'other', 'honest');
    const who = await publish(way);
    await as(team.place, tokens.writer, async (writer) => put(writer, 'unrelated', 'x'));
    expectTold(who);
    await asOwner(team, async (owner) => {
      expect(await get(owner, 'db')).toBe('three');
      expect(await get(owner, 'db', 2)).toBe('two');
      expect(await get(owner, 'other')).toBe('honest');
    });
    expect(await verifiedByOwner(team)).toBe(6);
  });
});

test.each(Object.entries(ways))('a part with %s does not keep its signer in the vault', async (_, way) => {
  const who = await publish(way);
  await asOwner(team, async (owner) => remove(owner, who));
  expectTold(who);
  expect(await verifiedByOwner(team)).toBe(2);
  expect(await asOwner(team, async (owner) => get(owner, 'db'))).toBe('one');
});

test('what does not hold together is not counted by status, which says so', async () => {
  await publish(ways['a value that does not open'] ?? nothing);
  const status = async (): Promise<unknown> =>
    asOwner(team, async (owner) => owner.read('status', async (scope) => vaultStatus(scope, owner.place)));
  await status();
  expect(told).toEqual([]);
  await publish(ways['a version that continues nothing'] ?? nothing);
  await status();
  expect(told).toEqual([expect.stringContaining('production: what does not hold together')]);
});

test('a part that was changed by somebody else is refused by readers and writers', async () => {
  await rotate('first', 'db', 'two');
  await publish(ways['another digest'] ?? nothing);
  await asOwner(team, async (owner) => {
    expect((await failureOf(get(owner, 'db'))).exitCode).toBe(7);
    expect((await failureOf(put(owner, 'other', 'new'))).exitCode).toBe(7);
  });
});

test.each(['honest', 'hostile'] as const)(
  'renaming on top of an %s part makes a new values part',
  async (kind) => {
    await (kind === 'honest' ? rotate('first', 'db', 'two') : publish(nothing));
    const before = Forgery.read(team.place.path).one('values');
    await asOwner(team, async (owner) =>
      owner.write('mv', async (scope) => renameSecret(scope, 'production', 'other', 'renamed')),
    );
    const after = Forgery.read(team.place.path);
    expect(after.one('values').n).toBe(before.n + 1);
    expect(after.all('changes')).toEqual([]);
    expect(await asOwner(team, async (owner) => get(owner, 'db'))).toBe(kind === 'honest' ? 'two' : 'one');
    expect(await verifiedByOwner(team)).toBe(kind === 'honest' ? 3 : 2);
    expect(told).toHaveLength(kind === 'honest' ? 0 : 1);
  },
);
