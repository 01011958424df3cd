/** Somebody leaves: what they could open, in the order of their last use of it, and what is left to be changed. */
import { beforeEach, describe, expect, test } from 'vitest';
import { rollbackSecret } from '../../../src/vault/operations/history.ts';
import { copySecret, removeSecret, renameSecret, restoreSecret } from '../../../src/vault/operations/move.ts';
import {
  offboardStatus,
  openTo,
  type OffboardStatus,
  type OpenVersion,
} from '../../../src/vault/operations/offboard.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, reissue, remove, revoke, teamVault } from '../../support/team.ts';

const minute = 60_000;
let team: SampleVault;
let ci: string;
/** Milliseconds by which the machine’s clock is ahead. */
let ahead: number;

beforeEach(async () => {
  ahead = 0;
  team = await teamVault(['staging', 'production'], { now: () => new Date(Date.now() + ahead) });
  ci = await asOwner(team, async (owner) => {
    for (const name of ['a', 'b', 'c']) await put(owner, name, 'one');
    await put(owner, 'b', 'two');
    await put(owner, 'p', 'hidden', { environment: 'production' });
    return add(owner, 'ci', { can: 'read,write', env: 'staging' });
  });
});

const open = async (vault: Vault, name = 'ci'): Promise<readonly OpenVersion[]> =>
  vault.read('offboard', async (scope) => openTo(scope, vault.place, name));

const statusOf = async (vault: Vault, name: string | null = null): Promise<OffboardStatus> =>
  vault.read('offboard-status', async (scope) => offboardStatus(scope, name));

const left = async (vault: Vault, name: string | null = null): Promise<string[]> =>
  (await statusOf(vault, name)).secrets.map(
    (one) => `${one.principal} ${one.environment}/${one.name} ${one.version}`,
  );

const use = async (name: string): Promise<string> => {
  ahead += minute;
  return as(team.place, ci, async (vault) => getIn(vault, 'staging', name));
};

const later = async (vault: Vault, name: string, value: string): Promise<void> => {
  ahead += minute;
  await put(vault, name, value);
};

describe('the list', () => {
  test('knows a use from before a rename, and not one of another secret that had the name', async () => {
    await use('a');
    await asOwner(team, async (owner) => {
      await owner.write('mv', async (scope) => renameSecret(scope, null, 'a', 'z'));
      await put(owner, 'a', 'another one');
      const used = (await open(owner)).filter(({ lastUsed }) => lastUsed !== null);
      expect(used.map(({ name, version }) => [name, version])).toEqual([['z', 1]]);
    });
  });

  test('has every kept version that they can open, what they used last first', async () => {
    for (const name of ['a', 'c', 'b', 'c']) await use(name);
    const listed = await asOwner(team, open);
    expect(
      listed.map(({ environment, name, version, current }) => [environment, name, version, current]),
    ).toEqual([
      ['staging', 'c', 1, true],
      ['staging', 'b', 2, true],
      ['staging', 'a', 1, true],
      ['staging', 'b', 1, false],
    ]);
    expect(listed.map(({ lastUsed }) => lastUsed === null)).toEqual([false, false, false, true]);
    const times = listed.flatMap(({ lastUsed }) => lastUsed ?? []);
    expect(times).toEqual([...times].sort().reverse());
  });

  test('tells uses under keys of earlier epochs too', async () => {
    await use('a');
    await asOwner(team, async (owner) =>
      owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, []))),
    );
    await use('b');
    const listed = await asOwner(team, open);
    expect(listed.filter(({ lastUsed }) => lastUsed !== null).map(({ name }) => name)).toEqual(['b', 'a']);
  });

  test('has no values for who could only list, and refuses a name that nobody has', async () => {
    await asOwner(team, async (owner) => {
      await add(owner, 'lister', { can: 'list', env: 'staging' });
      expect(await open(owner, 'lister')).toEqual([]);
      expect((await failureOf(open(owner, 'nobody'))).exitCode).toBe(2);
    });
  });

  test('takes no failed reading for a use', async () => {
    const lister = await asOwner(team, async (owner) =>
      add(owner, 'lister', { can: 'list', env: 'staging' }),
    );
    await as(team.place, lister, async (vault) => failureOf(getIn(vault, 'staging', 'a')));
    await asOwner(team, async (owner) => {
      await revoke(owner, 'ci', { can: 'write', env: 'staging' });
      expect((await open(owner)).map(({ lastUsed }) => lastUsed)).toEqual([null, null, null, null]);
    });
  });
});

describe('the status', () => {
  test('has every current value that was open to them, until each has another', async () => {
    await asOwner(team, async (owner) => {
      expect(await left(owner)).toEqual([]);
      await remove(owner, 'ci');
      expect(await left(owner)).toEqual(['ci staging/a 1', 'ci staging/b 2', 'ci staging/c 1']);
      await later(owner, 'a', 'changed');
      await later(owner, 'c', 'changed');
      expect(await left(owner)).toEqual(['ci staging/b 2']);
      await later(owner, 'b', 'changed');
      expect(await left(owner)).toEqual([]);
    });
  });

  test('takes a rollback for no change: the old value is back', async () => {
    await asOwner(team, async (owner) => {
      await remove(owner, 'ci');
      await later(owner, 'b', 'changed');
      expect(await left(owner)).not.toContain('ci staging/b 3');
      ahead += minute;
      await owner.write('rollback', async (scope) =>
        rollbackSecret(scope, { environment: null, name: 'b', to: 2 }),
      );
      expect(await left(owner)).toContain('ci staging/b 4');
    });
  });

  test('takes a copy for no new value, and passes over what is removed until it is back', async () => {
    await asOwner(team, async (owner) => {
      await remove(owner, 'ci');
      ahead += minute;
      const copy = { environment: null, from: 'a', to: 'copy of a', toEnvironment: null };
      await owner.write('cp', async (scope) => copySecret(scope, copy));
      expect(await left(owner)).toContain('ci staging/copy of a 1');
      await owner.write('rm', async (scope) => removeSecret(scope, null, 'a'));
      expect(await left(owner)).not.toContain('ci staging/a 1');
      await owner.write('restore', async (scope) => restoreSecret(scope, null, 'a'));
      expect(await left(owner)).toContain('ci staging/a 1');
    });
  });

  test('of who could only write has what they wrote themselves', async () => {
    const blind = await asOwner(team, async (owner) => add(owner, 'blind', { can: 'write', env: 'staging' }));
    await as(team.place, blind, async (vault) => put(vault, 'a', 'by blind', { environment: 'staging' }));
    await asOwner(team, async (owner) => {
      await remove(owner, 'blind');
      expect(await left(owner)).toEqual(['blind staging/a 2']);
    });
  });

  test('is kept by name, and over more new keys', async () => {
    await asOwner(team, async (owner) => {
      await add(owner, 'cron', { can: 'read', env: 'staging' });
      await remove(owner, 'ci');
      await later(owner, 'a', 'changed');
      await remove(owner, 'cron');
      await owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, [])));
      expect(await left(owner, 'ci')).toEqual(['ci staging/b 2', 'ci staging/c 1']);
      expect(await left(owner, 'cron')).toEqual(['cron staging/a 2', 'cron staging/b 2', 'cron staging/c 1']);
      expect(await left(owner)).toHaveLength(5);
      expect((await failureOf(left(owner, 'cronn'))).exitCode).toBe(2);
    });
  });

  test('follows a right that was taken, and a reissue only where somebody else had the old credential', async () => {
    await asOwner(team, async (owner) => {
      await revoke(owner, 'ci', { can: 'write', env: 'staging' });
      // It may still read; what it wrote is all that is known of it.
      expect(await left(owner)).toEqual([]);
      await reissue(owner, 'ci');
      expect(await left(owner)).toEqual([]);
      await reissue(owner, 'ci', true);
      expect(await left(owner)).toHaveLength(3);
    });
  });

  test('counts what they were given later anew', async () => {
    await asOwner(team, async (owner) => {
      await revoke(owner, 'ci', { can: '' });
      for (const name of ['a', 'b', 'c']) await later(owner, name, 'changed');
      expect(await left(owner)).toEqual([]);
    });
    const again = await asOwner(team, async (owner) => add(owner, 'ci2', { can: 'read', env: 'staging' }));
    expect(await as(team.place, again, async (vault) => getIn(vault, 'staging', 'a'))).toBe('changed');
    ahead += minute;
    await asOwner(team, async (owner) => {
      await remove(owner, 'ci2');
      expect(await left(owner)).toHaveLength(3);
    });
  });

  test('has the tokens that a removed administrator may know, until they are reissued', async () => {
    await asOwner(team, async (owner) => {
      await add(owner, 'boss', { can: 'admin' });
      await remove(owner, 'boss');
      expect((await statusOf(owner)).tokens).toEqual(['ci']);
      ahead += minute;
      await reissue(owner, 'ci');
      expect((await statusOf(owner)).tokens).toEqual([]);
    });
  });
});
