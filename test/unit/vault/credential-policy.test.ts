/** Rules for what people unlock with: factors, age, how it is stretched. docs/format.md section 12. */
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { defaultArgon2, defaultPbkdf2, type KdfParameters } from '../../../src/crypto/kdf.ts';
import { parseInvitation } from '../../../src/format/join-text.ts';
import { newInvitation } from '../../../src/vault/invitation.ts';
import { acceptInvitation } from '../../../src/vault/join-invitation.ts';
import { addSlot, changePassphrase, listSlots } from '../../../src/vault/operations/credentials.ts';
import { replaceCompromised } from '../../../src/vault/operations/renewal.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { setPolicy, type PolicyRule } from '../../../src/vault/operations/policy.ts';
import { vaultStatus } from '../../../src/vault/operations/status.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import {
  cheapKdf,
  get,
  open,
  put,
  samplePassphrase,
  systemRandom,
  type SampleVault,
} from '../../support/sample-vault.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  engine,
  openPassphrase,
  otherMachine,
  teamVault,
} from '../../support/team.ts';

const day = 86_400_000;
const keyFile = utf8('k'.repeat(32));
let team: SampleVault;
let ahead: number;

beforeEach(async () => {
  ahead = 0;
  team = await teamVault(['staging', 'production'], { now: () => new Date(Date.now() + ahead) });
});

const set = async (vault: Vault, key: string, value: string): Promise<PolicyRule> =>
  vault.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, key, value)));

const status = async (vault: Vault) => vault.read('status', async (scope) => vaultStatus(scope, vault.place));

const verify = async (vault: Vault): Promise<unknown> =>
  vault.read('verify', async (scope) => verifyVault(scope, vault.place));

async function withPassphrase<T>(
  passphrase: string,
  work: (vault: Vault) => Promise<T>,
  factor?: typeof keyFile,
  name = 'owner',
): Promise<T> {
  const vault = await Vault.open(team.place, {
    principal: name,
    credentials: async (attempt) =>
      Promise.resolve(attempt > 1 ? null : { type: 'passphrase', passphrase, keyFile: factor }),
  });
  try {
    return await work(vault);
  } finally {
    vault.close();
  }
}

const passwd = async (
  vault: Vault,
  passphrase: string,
  { factor, kdf = cheapKdf }: { factor?: typeof keyFile; kdf?: KdfParameters | null } = {},
): Promise<unknown> => {
  const credential = { type: 'passphrase', passphrase, keyFile: factor } as const;
  const wanted = { credential, kdf, engine, newRecoveryKey: false } as const;
  await vault.write('passwd', async (scope) => changePassphrase(scope, wanted));
  const slots = await vault.read('slot-ls', async (scope) => Promise.resolve(listSlots(scope)));
  return slots.find(({ type }) => type.startsWith('passphrase'))?.kdf;
};

describe('two factors', () => {
  async function demand(rule: 'factors.administrators' | 'factors.everyone'): Promise<string> {
    return asOwner(team, async (owner) => {
      await put(owner, 'db', 'x');
      expect(await failureOf(set(owner, rule, '2'))).toMatchObject({ exitCode: 5 });
      await owner.write('slot-add', async (scope) => {
        const credential = { type: 'passphrase', passphrase: 'with a key', keyFile } as const;
        return addSlot(scope, { type: 'given', credential, kdf: cheapKdf }, engine);
      });
      const entrance = {
        type: 'passphrase',
        credential: { type: 'passphrase', passphrase: 'hers' },
        kdf: cheapKdf,
      } as const;
      await addBy(owner, 'ada', { can: 'read', env: 'staging' }, entrance);
      const ci = await add(owner, 'ci', { can: 'read', env: 'staging' });
      await set(owner, rule, '2');
      return ci;
    });
  }

  test.each(['factors.administrators', 'factors.everyone'] as const)(
    '%s: one factor of an administrator does nothing but put it right',
    async (rule) => {
      await demand(rule);
      await withPassphrase(samplePassphrase, async (owner) => {
        for (const work of [
          async () => get(owner, 'db'),
          async () => put(owner, 'db', 'y'),
          async () => add(owner, 'eve', { can: 'admin' }),
          async () => set(owner, rule, 'default'),
          async () => owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, []))),
        ])
          expect(await failureOf(work())).toMatchObject({
            exitCode: 5,
            hint: expect.stringContaining('passwd') as string,
          });
        await status(owner);
        await verify(owner);
        expect(await failureOf(passwd(owner, 'still one'))).toMatchObject({
          exitCode: 2,
          code: 'WEAK_VALUE',
        });
        await passwd(owner, 'both', { factor: keyFile });
      });
      await withPassphrase('both', async (owner) => expect(await get(owner, 'db')).toBe('x'), keyFile);
      expect((await failureOf(withPassphrase('both', verify))).exitCode).toBe(4);
    },
  );

  test('of everyone: who is no administrator is asked for them, of administrators: it is not', async () => {
    await demand('factors.administrators');
    await withPassphrase('hers', async (ada) => expect(await get(ada, 'db')).toBe('x'), undefined, 'ada');
    await withPassphrase('with a key', async (owner) => set(owner, 'factors.everyone', '2'), keyFile);
    await withPassphrase(
      'hers',
      async (ada) => {
        expect((await failureOf(get(ada, 'db'))).exitCode).toBe(5);
        await passwd(ada, 'hers, too', { factor: keyFile });
      },
      undefined,
      'ada',
    );
    await withPassphrase('hers, too', async (ada) => expect(await get(ada, 'db')).toBe('x'), keyFile, 'ada');
  });

  test('are asked of people: tokens and recovery keys are apart', async () => {
    const ci = await demand('factors.everyone');
    await as(team.place, ci, async (vault) => expect(await get(vault, 'db')).toBe('x'));
    const owner = await open(team);
    expect(await get(owner, 'db')).toBe('x');
    owner.close();
  });

  test('are asked for where a compromised passphrase is replaced', async () => {
    await demand('factors.administrators');
    await withPassphrase(
      'with a key',
      async (owner) => {
        const credential = { type: 'passphrase', passphrase: 'one' } as const;
        const wanted = { credential, kdf: cheapKdf, engine, newRecoveryKey: false } as const;
        const work = owner.write('passwd', async (scope) => replaceCompromised(scope, wanted));
        expect((await failureOf(work)).exitCode).toBe(2);
      },
      keyFile,
    );
  });
});

test('passphrase.days: one that is older does nothing until it is changed; other credentials go on', async () => {
  const ci = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'x');
    await set(owner, 'passphrase.days', '90');
    return add(owner, 'ci', { can: 'read', env: 'staging' });
  });
  ahead = 89 * day;
  await withPassphrase(samplePassphrase, async (owner) => expect(await get(owner, 'db')).toBe('x'));
  ahead = 91 * day;
  await withPassphrase(samplePassphrase, async (owner) => {
    const error = await failureOf(get(owner, 'db'));
    expect([error.exitCode, error.message, error.hint]).toEqual([
      5,
      expect.stringContaining('91 days'),
      expect.stringContaining('vault passwd'),
    ]);
    await status(owner);
    await verify(owner);
    await passwd(owner, 'a new one');
  });
  await withPassphrase('a new one', async (owner) => expect(await get(owner, 'db')).toBe('x'));
  await as(team.place, ci, async (vault) => expect(await get(vault, 'db')).toBe('x'));
  await asOwner(team, async (owner) => expect(await get(owner, 'db')).toBe('x'));
});

describe('kdf.function', () => {
  const kdfOf = async (passphrase: string, name = 'owner'): Promise<KdfParameters> => {
    const vault = await openPassphrase(team.place, passphrase, name);
    const slots = await vault.read('slot-ls', async (scope) => Promise.resolve(listSlots(scope)));
    vault.close();
    const kdf = slots.find(({ inUse }) => inUse)?.kdf;
    if (kdf === undefined || kdf.name === 'none') throw new Error('no passphrase');
    return kdf;
  };
  const entrance = (passphrase: string, kdf: KdfParameters | null) =>
    ({ type: 'passphrase', credential: { type: 'passphrase', passphrase }, kdf }) as const;
  const staging = { can: 'read', env: 'staging' };

  test('is what new passphrases are stretched with: of passwd, access add and join', async () => {
    await asOwner(team, async (owner) => {
      await set(owner, 'kdf.function', 'pbkdf2');
      await addBy(owner, 'ada', staging, entrance('hers', null));
      const { entrance: invited, text } = await newInvitation(systemRandom, owner.authority);
      await addBy(owner, 'eve', staging, invited);
      const invitation = parseInvitation(text);
      if (invitation === null) throw new Error('not an invitation');
      await acceptInvitation(otherMachine(team), invitation, async () =>
        Promise.resolve({ credential: { type: 'passphrase', passphrase: 'eves' } as const, kdf: null }),
      );
      expect(await passwd(owner, 'mine', { kdf: null })).toEqual(defaultPbkdf2);
    });
    expect(await kdfOf('hers', 'ada')).toEqual(defaultPbkdf2);
    expect(await kdfOf('eves', 'eve')).toEqual(defaultPbkdf2);
    expect(await kdfOf('mine')).toEqual(defaultPbkdf2);
  });

  test('that was set refuses the other one', async () => {
    await asOwner(team, async (owner) => {
      await set(owner, 'kdf.function', 'pbkdf2');
      for (const work of [
        async () => passwd(owner, 'x', { kdf: defaultArgon2 }),
        async () => addBy(owner, 'ada', staging, entrance('hers', defaultArgon2)),
      ])
        expect(await failureOf(work())).toMatchObject({ exitCode: 2, code: 'WEAK_VALUE' });
      await set(owner, 'kdf.function', 'argon2id');
      expect(await failureOf(passwd(owner, 'x'))).toMatchObject({ exitCode: 2 });
      await set(owner, 'kdf.function', 'default');
      await passwd(owner, 'mine');
    });
    expect(await kdfOf('mine')).toEqual(cheapKdf);
  });
});
