/** Rotation in two phases: what is staged is not current, is not lost, and ends once. */
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { getSecret } from '../../../src/vault/operations/get.ts';
import { showSecret } from '../../../src/vault/operations/history.ts';
import {
  openReplaced,
  openStaged,
  pendingRotations,
  settleRotation,
  stageRotation,
  type PendingRotation,
} from '../../../src/vault/operations/rotation.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { putSecret } from '../../../src/vault/operations/put.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, remove, revoke, teamVault, verified } from '../../support/team.ts';

let team: SampleVault;
let tokens: Record<'rotator' | 'other' | 'writer' | 'reader', string>;

const environment = 'production';
const db = { environment, name: 'db' };

beforeEach(async () => {
  team = await teamVault(['staging', environment]);
  tokens = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one', { environment });
    await put(owner, 'cache', 'one', { environment });
    return {
      rotator: await add(owner, 'rotator', { can: 'rotate', env: environment }),
      other: await add(owner, 'other', { can: 'rotate,read', env: environment }),
      writer: await add(owner, 'writer', { can: 'read,write', env: environment }),
      reader: await add(owner, 'reader', { can: 'read', env: environment }),
    };
  });
});

type Who = keyof typeof tokens;
const by = async <T>(who: Who, work: (vault: Vault) => Promise<T>): Promise<T> =>
  as(team.place, tokens[who], work);

const stage = async (vault: Vault, value: string): Promise<number> => {
  const staged = await vault.write('rotate-stage', async (scope) =>
    stageRotation(scope, { ...db, value: utf8(value), ifVersion: null, graceUntil: null }),
  );
  return staged.version;
};

const settle =
  (version: number, state: 'live' | 'withdrawn') =>
  async (vault: Vault): Promise<void> =>
    vault.write('rotate', async (scope) => settleRotation(scope, { ...db, version }, state));

const pending = async (vault: Vault): Promise<PendingRotation[]> =>
  vault.read('rotate-pending', async (scope) => pendingRotations(scope, environment, null));

const states = async (vault: Vault): Promise<string[]> =>
  vault.read('show', async (scope) =>
    (await showSecret(scope, environment, 'db')).versions.map(({ state }) => state),
  );

const current = async (): Promise<string> => by('reader', async (vault) => getIn(vault, environment, 'db'));

const versionTwo = async (vault: Vault): Promise<string> =>
  vault.read('get', async (scope) => {
    const options = { ...db, version: 2, field: null, allowExpired: false };
    return Buffer.from((await getSecret(scope, options)).value.bytes).toString();
  });

describe.each(['rotator', 'other', 'writer'] as const)('staged by the %s', (who) => {
  test('it is not current, and becomes that', async () => {
    expect(await by(who, async (vault) => stage(vault, 'two'))).toBe(2);
    expect(await current()).toBe('one');
    expect(await by('reader', pending)).toMatchObject([{ ...db, version: 2, by: who, own: false }]);
    await by(who, settle(2, 'live'));
    expect(await current()).toBe('two');
    expect(await by('reader', pending)).toEqual([]);
    expect(await by('reader', states)).toEqual(['live', 'live']);
    await asOwner(team, verified);
  });

  test('it is withdrawn, and can still be read by its number', async () => {
    await by(who, async (vault) => stage(vault, 'two'));
    await by(who, settle(2, 'withdrawn'));
    expect(await current()).toBe('one');
    expect(await by('reader', versionTwo)).toBe('two');
    expect(await by(who, async (vault) => stage(vault, 'three'))).toBe(3);
    await by(who, settle(3, 'live'));
    expect(await current()).toBe('three');
    expect(await by('reader', states)).toEqual(['live', 'withdrawn', 'live']);
    await asOwner(team, verified);
  });

  test('it stays when others write, and when there are new keys, and ends after that', async () => {
    await by(who, async (vault) => stage(vault, 'two'));
    await by('writer', async (vault) => put(vault, 'cache', 'two', { environment }));
    expect(await by('reader', versionTwo)).toBe('two');
    await asOwner(team, async (owner) => {
      await owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, [environment])));
    });
    expect(await by('reader', states)).toEqual(['live', 'pending']);
    expect(await current()).toBe('one');
    await by(who, settle(2, 'live'));
    expect(await current()).toBe('two');
    await asOwner(team, verified);
  });

  test('nothing comes after it until it ends', async () => {
    await by(who, async (vault) => stage(vault, 'two'));
    const error = await failureOf(by('writer', async (vault) => put(vault, 'db', 'x', { environment })));
    expect([error.exitCode, error.message]).toEqual([
      8,
      expect.stringContaining(`a rotation by ${who} is under way`),
    ]);
    expect((await failureOf(by('other', async (vault) => stage(vault, 'x')))).exitCode).toBe(8);
    await by(who, settle(2, 'live'));
    await by('writer', async (vault) => put(vault, 'db', 'three', { environment }));
    expect(await current()).toBe('three');
  });

  test('it ends once', async () => {
    await by(who, async (vault) => stage(vault, 'two'));
    await by(who, settle(2, 'withdrawn'));
    for (const state of ['live', 'withdrawn'] as const)
      expect((await failureOf(by(who, settle(2, state)))).exitCode).toBe(8);
    expect((await failureOf(by(who, settle(1, 'withdrawn')))).exitCode).toBe(8);
  });

  test('an administrator ends it, nobody else does', async () => {
    await by(who, async (vault) => stage(vault, 'two'));
    for (const other of ['rotator', 'other', 'writer', 'reader'] as const) {
      if (other === who) continue;
      expect((await failureOf(by(other, settle(2, 'live')))).exitCode).toBe(5);
    }
    expect(await asOwner(team, pending)).toMatchObject([{ by: who, own: true }]);
    await asOwner(team, settle(2, 'live'));
    expect(await current()).toBe('two');
    await asOwner(team, verified);
  });

  test.each<[string, (owner: Vault) => Promise<unknown>]>([
    ['leaves', async (owner) => remove(owner, who)],
    ['loses the environment', async (owner) => revoke(owner, who, { can: 'list', env: environment })],
  ])('who %s leaves nothing pending that nobody can end', async (_, go) => {
    await by(who, async (vault) => stage(vault, 'two'));
    await asOwner(team, async (owner) => {
      await go(owner);
      for (const one of await pending(owner)) await settle(one.version, 'withdrawn')(owner);
      expect(await states(owner)).toEqual(['live', 'withdrawn']);
      await put(owner, 'db', 'three', { environment });
      await verified(owner);
    });
    if (who !== 'writer') await by('writer', async (vault) => put(vault, 'db', 'four', { environment }));
  });
});

test('who leaves with a rotation under way has it withdrawn in the same write', async () => {
  await by('rotator', async (vault) => stage(vault, 'two'));
  await asOwner(team, async (owner) => remove(owner, 'rotator'));
  expect(await by('reader', states)).toEqual(['live', 'withdrawn']);
  expect(await by('reader', pending)).toEqual([]);
});

test('both values are handed to whoever goes on, and to nobody who cannot read', async () => {
  await by('rotator', async (vault) => stage(vault, 'two'));
  const opened = async (vault: Vault): Promise<string[]> =>
    vault.read('rotate-resume', async (scope) => {
      const value = await openStaged(scope, { ...db, version: 2 });
      const old = await openReplaced(scope, db);
      return [value, old].map((one) => Buffer.from(one?.bytes ?? []).toString());
    });
  expect(await asOwner(team, opened)).toEqual(['two', 'one']);
  expect((await failureOf(by('rotator', opened))).exitCode).toBe(5);
});

test('what is not there, or not at the version, is not staged', async () => {
  const attempt = async (options: object): Promise<number> =>
    (
      await failureOf(
        by('other', async (vault) =>
          vault.write('rotate-stage', async (scope) =>
            stageRotation(scope, { ...db, value: utf8('x'), ifVersion: null, graceUntil: null, ...options }),
          ),
        ),
      )
    ).exitCode;
  expect(await attempt({ name: 'absent' })).toBe(3);
  expect(await attempt({ ifVersion: 2 })).toBe(8);
  expect((await failureOf(by('reader', async (vault) => stage(vault, 'x')))).exitCode).toBe(5);
  expect(await by('reader', states)).toEqual(['live']);
});

test('retention keeps the value before for as long as its grace lasts, and no longer', async () => {
  await asOwner(team, async (owner) =>
    owner.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, 'retention.versions', '1'))),
  );
  const rotate = async (value: string, graceUntil: Date | null): Promise<unknown> =>
    by('writer', async (vault) =>
      vault.write('rotate', async (scope) =>
        putSecret(scope, { ...db, value: utf8(value), operation: 'rotate', graceUntil }),
      ),
    );
  const versions = async (): Promise<number[]> =>
    by('reader', async (vault) =>
      vault.read('show', async (scope) =>
        (await showSecret(scope, environment, 'db')).versions.map(({ version }) => version),
      ),
    );
  await rotate('two', new Date(Date.now() + 60_000));
  expect(await versions()).toEqual([1, 2]);
  await rotate('three', new Date(Date.now() - 60_000));
  expect(await versions()).toEqual([3]);
});
