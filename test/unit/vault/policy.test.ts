/** The rules of a vault: set, shown, refused, and kept to. docs/format.md section 12. */
import { beforeEach, describe, expect, test } from 'vitest';
import { policyTable } from '../../../src/lifecycle/policy.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { showSecret } from '../../../src/vault/operations/history.ts';
import { setPolicy, showPolicy, type PolicyRule } from '../../../src/vault/operations/policy.ts';
import { vaultStatus } from '../../../src/vault/operations/status.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, teamVault } from '../../support/team.ts';

const day = 86_400_000;
let team: SampleVault;
let ahead: number;

beforeEach(async () => {
  ahead = 0;
  team = await teamVault(['staging', 'production'], { now: () => new Date(Date.now() + ahead) });
});

const set = async (vault: Vault, key: string, value: string): Promise<PolicyRule> =>
  vault.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, key, value)));

const show = async (vault: Vault, key: string): Promise<PolicyRule | undefined> =>
  vault.read('policy-show', async (scope) => Promise.resolve(showPolicy(scope, key)[0]));

const status = async (vault: Vault) => vault.read('status', async (scope) => vaultStatus(scope, vault.place));

const verify = async (vault: Vault): Promise<unknown> =>
  vault.read('verify', async (scope) => verifyVault(scope, vault.place));

describe('every rule', () => {
  const values: Readonly<Record<string, { readonly good: string[]; readonly bad: string[] }>> = {
    'audit.days': { good: ['0', '1', '36500'], bad: ['36501', '-1', '', '1.5', '007', 'never'] },
    'environment.default': { good: ['production', 'staging'], bad: ['nowhere', '', 'AAAAAAAAAAA'] },
    'factors.administrators': { good: ['1'], bad: ['0', '3', '', 'two', '1.0', ' 1'] },
    'factors.everyone': { good: ['1'], bad: ['0', '3', '-1'] },
    'kdf.function': { good: ['pbkdf2', 'argon2id'], bad: ['scrypt', '', 'PBKDF2'] },
    'passphrase.days': { good: ['0', '90', '3650'], bad: ['3651', '-1', '1e2', '01', 'never'] },
    'rekey.days': { good: ['0', '90', '3650'], bad: ['3651', '-1', '0x10'] },
    'retention.days': { good: ['0', '1', '36500'], bad: ['36501', '-1', ''] },
    'retention.versions': { good: ['1', '10000'], bad: ['0', '10001', '1 '] },
    'expiry.days': { good: ['0', '30', '3650'], bad: ['3651', '-1', ''] },
    'rotate.days': { good: ['0', '90', '90,api-key=30'], bad: ['never', '90,', 'car=1'] },
  };

  test.each(policyTable)(
    '$key is set, shown, taken back; other values are refused',
    async ({ key, fallback }) => {
      const { good, bad } = values[key] ?? { good: [], bad: [] };
      expect(good.length).toBeGreaterThan(0);
      await asOwner(team, async (owner) => {
        const before = await show(owner, key);
        expect(before).toMatchObject({ key, default: true, value: fallback === '' ? 'staging' : fallback });
        for (const value of good) {
          expect(await set(owner, key, value)).toMatchObject({ key, value, default: false });
          expect(await show(owner, key)).toMatchObject({ key, value, default: false });
        }
        for (const value of bad) expect((await failureOf(set(owner, key, value))).exitCode, value).toBe(2);
        expect(await show(owner, key)).toMatchObject({ value: good.at(-1) });
        expect(await set(owner, key, 'default')).toMatchObject({ default: true });
        expect(await show(owner, key)).toEqual(before);
        await verify(owner);
      });
    },
  );

  test('is set by administrators, and none is made up', async () => {
    const ci = await asOwner(team, async (owner) => {
      expect((await failureOf(set(owner, 'no.such', '1'))).exitCode).toBe(2);
      expect((await failureOf(set(owner, 'tokens.reissue', 'AAAAAAAAAAA'))).exitCode).toBe(2);
      expect((await failureOf(show(owner, 'tokens.reissue'))).exitCode).toBe(2);
      return add(owner, 'ci', { can: 'read,write,delete', env: 'staging,production' });
    });
    await as(team.place, ci, async (vault) => {
      expect((await failureOf(set(vault, 'rekey.days', '1'))).exitCode).toBe(5);
      expect(await show(vault, 'rekey.days')).toMatchObject({ value: '0' });
    });
  });
});

test('environment.default is what is meant where none is named', async () => {
  await asOwner(team, async (owner) => {
    await set(owner, 'environment.default', 'production');
    expect(await put(owner, 'db', 'x')).toMatchObject({ environment: 'production' });
  });
});

test('retention.versions purges what is over with the next write', async () => {
  await asOwner(team, async (owner) => {
    for (const value of ['one', 'two', 'three']) await put(owner, 'db', value);
    await set(owner, 'retention.versions', '2');
    await put(owner, 'db', 'four');
    const { versions, purgedThrough } = await owner.read('history', async (scope) =>
      showSecret(scope, null, 'db'),
    );
    expect([versions.map(({ version }) => version), purgedThrough]).toEqual([[3, 4], 2]);
  });
});

test('retention.days purges what was replaced longer ago, counted from when it was, and never the current one', async () => {
  const kept = async (owner: Vault): Promise<[number[], number]> => {
    const { versions, purgedThrough } = await owner.read('history', async (scope) =>
      showSecret(scope, null, 'db'),
    );
    return [versions.map(({ version }) => version), purgedThrough];
  };
  await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one');
    await set(owner, 'retention.days', '30');
  });
  // For long the current one: old when it is replaced, and kept from then on.
  ahead = 100 * day;
  await asOwner(team, async (owner) => {
    await put(owner, 'db', 'two');
    expect(await kept(owner)).toEqual([[1, 2], 0]);
  });
  ahead = 120 * day;
  await asOwner(team, async (owner) => {
    await put(owner, 'db', 'three');
    expect(await kept(owner)).toEqual([[1, 2, 3], 0]);
  });
  ahead = 131 * day;
  await asOwner(team, async (owner) => {
    await put(owner, 'db', 'four');
    expect(await kept(owner)).toEqual([[2, 3, 4], 1]);
  });
  ahead = 400 * day;
  await asOwner(team, async (owner) => {
    await put(owner, 'db', 'five');
    expect(await kept(owner)).toEqual([[4, 5], 3]);
    await verify(owner);
  });
});

test('rekey.days: status says which environments need new keys, until they have them', async () => {
  const due = async (): Promise<string[]> =>
    asOwner(team, async (owner) =>
      (await status(owner)).environments.filter(({ rekeyDue }) => rekeyDue).map(({ name }) => name),
    );
  await asOwner(team, async (owner) => set(owner, 'rekey.days', '90'));
  expect(await due()).toEqual([]);
  ahead = 91 * day;
  expect(await due()).toEqual(['staging', 'production']);
  await asOwner(team, async (owner) =>
    owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, ['staging']))),
  );
  expect(await due()).toEqual(['production']);
  await asOwner(team, async (owner) => set(owner, 'rekey.days', 'default'));
  expect(await due()).toEqual([]);
});
