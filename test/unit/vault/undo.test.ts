/** `undo`: every kind of change taken back, and brought back again; what people see is what it was, and history has grown. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { placeKey } from '../../../src/vault/memory.ts';
import { showSecret } from '../../../src/vault/operations/history.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { whoSaw } from '../../../src/vault/operations/who-saw.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import type { SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, teamVault } from '../../support/team.ts';
import { changesIn, redo, secretsOf, undo } from '../../support/undoing.ts';

const environment = 'production';
const change = changesIn(environment);
const everything = {
  type: 'token',
  description: 'what it is for',
  tags: new Map([['team', 'core']]),
  variable: 'DB_PASSWORD',
  expires: new Date('2099-01-01T00:00:00.000Z'),
  intervalSeconds: 86_400,
} as const;
let team: SampleVault;

beforeEach(async () => {
  team = await teamVault(['staging', environment]);
});

const versionsOf = async (vault: Vault, name: string): Promise<unknown[]> =>
  (await vault.read('show', async (scope) => showSecret(scope, environment, name))).versions.map(
    ({ version, operation }) => [version, operation],
  );

const kinds: Readonly<
  Record<string, { before?: (vault: Vault) => Promise<unknown>; act: (vault: Vault) => Promise<unknown> }>
> = {
  'put of a new secret': {
    act: async (vault) => change.put(vault, 'new', 'value', { metadata: everything }),
  },
  'put over a value': { act: async (vault) => change.put(vault, 'db', 'two') },
  'put over value, expiry and metadata': {
    before: async (vault) => change.put(vault, 'db', 'two', { metadata: everything }),
    act: async (vault) =>
      change.put(vault, 'db', 'three', {
        metadata: {
          type: 'note',
          description: '',
          tags: new Map([
            ['team', ''],
            ['other', 'tag'],
          ]),
          variable: 'OTHER',
          expires: null,
          intervalSeconds: 0,
        },
      }),
  },
  'put of the same value with other metadata': {
    act: async (vault) => change.put(vault, 'db', 'one', { metadata: everything }),
  },
  'put over nothing at all': {
    before: async (vault) => change.put(vault, 'db', ''),
    act: async (vault) => change.put(vault, 'db', 'two'),
  },
  'put of nothing at all': { act: async (vault) => change.put(vault, 'db', '') },
  'put over bytes that are no text': {
    before: async (vault) => change.put(vault, 'db', Uint8Array.of(0, 0xff, 0, 0xfe)),
    act: async (vault) => change.put(vault, 'db', Uint8Array.of(0xff)),
  },
  'put over a name that was removed': {
    before: async (vault) => change.rm(vault, 'db'),
    act: async (vault) => change.put(vault, 'db', 'two', { metadata: everything }),
  },
  edit: {
    act: async (vault) => change.put(vault, 'db', 'edited', { operation: 'edit' }),
  },
  rotate: { act: async (vault) => change.rotate(vault, 'db', 'two') },
  rollback: {
    before: async (vault) => change.put(vault, 'db', 'two', { metadata: everything }),
    act: async (vault) => change.rollback(vault, 'db', 1),
  },
  rm: { act: async (vault) => change.rm(vault, 'db') },
  restore: {
    before: async (vault) => change.rm(vault, 'db'),
    act: async (vault) => change.restore(vault, 'db'),
  },
  mv: { act: async (vault) => change.mv(vault, 'db', 'database') },
  cp: { act: async (vault) => change.cp(vault, 'db', 'copy') },
  'cp to another environment': { act: async (vault) => change.cp(vault, 'db', 'db', 'staging') },
  'import over some, of some, and of one twice': {
    act: async (vault) =>
      change.importAll(vault, [
        ['db', 'two'],
        ['cache', 'one'],
        ['a', '1'],
        ['a', '2'],
        ['db', 'three'],
      ]),
  },
  'rotation of many': { act: async (vault) => change.rotateAll(vault, ['db', 'cache'], 'two') },
};

describe('taken back, and brought back again', () => {
  test.each(Object.entries(kinds))('%s', async (_, { before, act }) => {
    await asOwner(team, async (owner) => {
      await change.put(owner, 'db', 'one', { metadata: { description: 'first' } });
      await change.put(owner, 'cache', 'one');
      await before?.(owner);
      const was = await secretsOf(owner);
      await act(owner);
      const is = await secretsOf(owner);
      expect(is).not.toEqual(was);
      await undo(owner);
      expect(await secretsOf(owner)).toEqual(was);
      await redo(owner);
      expect(await secretsOf(owner)).toEqual(is);
      await undo(owner);
      expect(await secretsOf(owner)).toEqual(was);
    });
  });
});

test('the value of before is a new version, with what it said of itself', async () => {
  await asOwner(team, async (owner) => {
    await change.put(owner, 'db', 'one', { metadata: everything });
    await change.rotate(owner, 'db', 'two');
    expect(await undo(owner)).toEqual({
      operation: 'rotate',
      sequence: records(owner.place).findLast(({ op }) => op === 'rotate')?.seq,
      time: expect.any(String) as unknown,
      redo: false,
      secrets: [
        {
          name: 'db',
          environment,
          renamedFrom: null,
          version: 3,
          valueOf: 1,
          metadata: false,
          state: 'there',
        },
      ],
    });
    expect(await versionsOf(owner, 'db')).toEqual([
      [1, 'put'],
      [2, 'rotate'],
      [3, 'rollback'],
    ]);
    // Who wanted to go on from the version that was taken back is told.
    const late = await failureOf(change.put(owner, 'db', 'x', { ifVersion: 2 }));
    expect(late.code).toBe('CONFLICT');
    await change.put(owner, 'db', 'x', { ifVersion: 3 });
  });
});

test('what was made is removed, not purged', async () => {
  await asOwner(team, async (owner) => {
    await change.put(owner, 'new', 'value');
    await undo(owner);
    expect((await failureOf(getIn(owner, environment, 'new'))).code).toBe('SECRET_NOT_FOUND');
    await change.restore(owner, 'new');
    expect(await getIn(owner, environment, 'new')).toBe('value');
  });
});

test('a put over a removed name, taken back: restored, it has the value that it had', async () => {
  await asOwner(team, async (owner) => {
    await change.put(owner, 'db', 'one');
    await change.rm(owner, 'db');
    await change.put(owner, 'db', 'two');
    await undo(owner);
    await change.restore(owner, 'db');
    expect(await getIn(owner, environment, 'db')).toBe('one');
  });
});

test('the log says what was taken back, of which secret, and which version came of it', async () => {
  await asOwner(team, async (owner) => {
    await change.put(owner, 'db', 'one');
    await change.put(owner, 'db', 'two');
    const { seq, secrets } = records(owner.place).at(-1) ?? { seq: 0, secrets: [] };
    await undo(owner);
    await redo(owner);
    const [undone, redone] = records(owner.place).slice(-2);
    expect(undone).toMatchObject({ op: 'undo', ok: true, detail: `put ${seq}` });
    expect(undone?.secrets).toEqual([[secrets[0]?.[0], secrets[0]?.[1], 3]]);
    expect(redone).toMatchObject({ op: 'undo', ok: true, detail: `redo put ${seq + 1}` });
  });
});

test('who saw a value is told across a rename that was taken back, also after new keys', async () => {
  await asOwner(team, async (owner) => {
    const renew = async (): Promise<unknown> =>
      as(team.place, boss, async (admin) =>
        admin.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, [environment]))),
      );
    const boss = await add(owner, 'boss', { can: 'admin' });
    await change.put(owner, 'db', 'one');
    await getIn(owner, environment, 'db');
    await change.mv(owner, 'db', 'database');
    await getIn(owner, environment, 'database');
    await renew();
    await undo(owner);
    await renew();
    await redo(owner);
    await renew();
    await undo(owner);
    const options = { environment, name: 'db', version: null };
    const saw = await owner.read('audit-who-saw', async (scope) => whoSaw(scope, owner.place, options));
    expect(saw.map(({ how, times }) => [how, times])).toEqual([
      ['received', 2],
      ['brought', 1],
    ]);
  });
});

test('an undo of a put that made a secret does not hide who saw it before', async () => {
  await asOwner(team, async (owner) => {
    await change.put(owner, 'db', 'one');
    await undo(owner);
    await redo(owner);
    const options = { environment, name: 'db', version: null };
    const saw = await owner.read('audit-who-saw', async (scope) => whoSaw(scope, owner.place, options));
    expect(saw.map(({ how, times }) => [how, times])).toEqual([['brought', 1]]);
  });
});

test('others write other secrets in between, and new keys are made: it is taken back all the same', async () => {
  const token = await asOwner(team, async (owner) =>
    add(owner, 'ada', { can: 'read,write,delete', env: environment }),
  );
  await asOwner(team, async (owner) => change.put(owner, 'other', 'x'));
  await as(team.place, token, async (ada) => {
    await change.put(ada, 'db', 'one', { metadata: everything });
    await change.put(ada, 'db', 'two', { metadata: { description: 'mistake' } });
  });
  await asOwner(team, async (owner) => {
    await change.put(owner, 'cache', 'y');
    await change.mv(owner, 'other', 'another');
    await owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, [environment])));
  });
  await as(team.place, token, async (ada) => {
    await getIn(ada, environment, 'db');
    expect(await undo(ada)).toMatchObject({ secrets: [{ version: 3, valueOf: 1, metadata: true }] });
    expect(await getIn(ada, environment, 'db')).toBe('one');
  });
});

test('a dry run says the same, and changes nothing', async () => {
  await asOwner(team, async (owner) => {
    await change.put(owner, 'db', 'one');
    await change.put(owner, 'db', 'two');
    const before = readFileSync(team.place.path);
    const said = await undo(owner, { dryRun: true });
    expect(readFileSync(team.place.path).equals(before)).toBe(true);
    expect(await undo(owner)).toEqual(said);
  });
});

test('no name and no metadata is on the disk in clear; what is kept goes with the next change that is none of secrets', async () => {
  const folder = path.join(team.place.stateFolder ?? '', 'undo');
  const name = 'name-that-nobody-sees';
  await asOwner(team, async (owner) => {
    await change.put(owner, name, 'x', { metadata: { description: 'text-that-nobody-sees' } });
    const { identity, place } = owner;
    const file = path.join(folder, `${await placeKey(place)}-${identity.principal}.json`);
    const text = readFileSync(file, 'utf8');
    expect(text).not.toMatch(/that-nobody-sees/);
    expect(Object.keys(JSON.parse(text) as object)).toEqual(['log', 'sequence', 'to', 'sealed']);
    await change.purge(owner, name);
    expect(existsSync(file)).toBe(false);
  });
});

test('versions beyond those that the policy keeps go with the next new value, not with an undo', async () => {
  await asOwner(team, async (owner) => {
    await owner.write('policy-set', async (scope) =>
      Promise.resolve(setPolicy(scope, 'retention.versions', '2')),
    );
    await change.put(owner, 'db', 'one');
    await change.put(owner, 'db', 'two');
    await undo(owner);
    expect(await versionsOf(owner, 'db')).toEqual([
      [1, 'put'],
      [2, 'put'],
      [3, 'rollback'],
    ]);
    await change.put(owner, 'db', 'three');
    expect(await versionsOf(owner, 'db')).toEqual([
      [3, 'rollback'],
      [4, 'put'],
    ]);
  });
});
