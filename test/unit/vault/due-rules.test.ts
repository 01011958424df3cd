/** Intervals by type and environment: what lists, counts and the console go by. */
import { beforeEach, expect, test } from 'vitest';
import { listInfo } from '../../../src/vault/operations/list.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import {
  setEnvironmentPolicy,
  setPolicy,
  showEnvironmentPolicy,
} from '../../../src/vault/operations/policy.ts';
import { setHook } from '../../../src/vault/operations/hook-changes.ts';
import { listHooks } from '../../../src/vault/operations/hooks.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, teamVault, verifiedByOwner } from '../../support/team.ts';

const day = 86_400_000;

let team: SampleVault;
/** Milliseconds by which the machine’s clock is ahead. */
let ahead: number;

beforeEach(async () => {
  ahead = 0;
  team = await teamVault(['staging', 'production'], { now: () => new Date(Date.now() + ahead) });
  await asOwner(team, async (owner) => {
    for (const environment of ['staging', 'production']) {
      await put(owner, 'key', 'x', { environment, metadata: { type: 'api-key' } });
      await put(owner, 'password', 'x', { environment, metadata: { type: 'password' } });
      await put(owner, 'own', 'x', { environment, metadata: { intervalSeconds: 86_400 } });
    }
  });
});

const due = async (environment: string, days: number): Promise<string[]> => {
  ahead = days * day;
  const found = await asOwner(team, async (owner) =>
    owner.read('ls', async (scope) => {
      const none = {
        allEnvironments: false,
        pattern: null,
        removed: false,
        type: null,
        expiringBefore: null,
      };
      const options = { ...none, environment, tags: new Map<string, string>(), expired: false, due: true };
      return (await listInfo(scope, options)).map(({ name }) => name);
    }),
  );
  ahead = 0;
  return found;
};

const ofVault = async (value: string): Promise<unknown> =>
  asOwner(team, async (owner) =>
    owner.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, 'rotate.days', value))),
  );

const ofEnvironment = async (value: string, environment = 'production'): Promise<unknown> =>
  asOwner(team, async (owner) =>
    owner.write('policy-set', async (scope) =>
      setEnvironmentPolicy(scope, environment, 'rotate.days', value),
    ),
  );

const shown = async (vault: Vault): Promise<string | undefined> =>
  vault.read(
    'policy-show',
    async (scope) => (await showEnvironmentPolicy(scope, 'production', null))[0]?.value,
  );

test('by type, by environment, and back', async () => {
  expect(await due('production', 400)).toEqual(['own']);
  await ofVault('90,api-key=30');
  expect(await due('production', 40)).toEqual(['key', 'own']);
  expect(await due('production', 100)).toEqual(['key', 'own', 'password']);
  await ofEnvironment('10,password=0');
  expect(await due('production', 11)).toEqual(['key', 'own']);
  expect(await due('production', 400)).toEqual(['key', 'own']);
  expect(await due('staging', 11)).toEqual(['own']);
  expect(await asOwner(team, shown)).toBe('10,password=0');
  await ofEnvironment('default');
  expect(await asOwner(team, shown)).toBe('90,api-key=30');
  await verifiedByOwner(team);
});

test('new keys keep what stands sealed, and hooks beside it', async () => {
  await ofEnvironment('10');
  await asOwner(team, async (owner) => {
    await owner.write('policy-set', async (scope) =>
      setHook(scope, 'production', 'x', { use: null, commands: { apply: 'true' } }),
    );
    await owner.write('rekey', async (scope) => {
      rekeyEnvironments(scope, ['production']);
      // In the same write as a change of it.
      await setEnvironmentPolicy(scope, 'production', 'rotate.days', '20');
    });
    const hooks = await owner.read('hook-ls', async (scope) => listHooks(scope, 'production'));
    expect(hooks.map(({ id }) => id)).toEqual(['x']);
  });
  expect(await asOwner(team, shown)).toBe('20');
  await verifiedByOwner(team);
});

test('by administrators only; other rules are of the whole vault', async () => {
  const token = await asOwner(team, async (owner) =>
    add(owner, 'writer', { can: 'read,write', env: 'production' }),
  );
  const by = async (key: string, value: string): Promise<unknown> =>
    as(team.place, token, async (vault) =>
      vault.write('policy-set', async (scope) => setEnvironmentPolicy(scope, 'production', key, value)),
    );
  expect((await failureOf(by('rotate.days', '1'))).exitCode).toBe(5);
  expect(await as(team.place, token, shown)).toBe('0');
  const owned = async (key: string, value: string): Promise<number> =>
    (
      await failureOf(
        asOwner(team, async (owner) =>
          owner.write('policy-set', async (scope) => setEnvironmentPolicy(scope, 'production', key, value)),
        ),
      )
    ).exitCode;
  expect([
    await owned('expiry.days', '1'),
    await owned('nothing', '1'),
    await owned('rotate.days', 'x'),
  ]).toEqual([2, 2, 2]);
});
