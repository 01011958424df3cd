/** Where the policy demands a second factor, who unlocks with one gets no credential that wants none. */
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import {
  addSlot,
  changePassphrase,
  listSlots,
  type NewCredential,
} from '../../../src/vault/operations/credentials.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { cheapKdf, get, put, type SampleVault } from '../../support/sample-vault.ts';
import { asAda, passphrase } from '../../support/newcomer.ts';
import { addBy, asOwner, engine, teamVault, verified } from '../../support/team.ts';

const keyFile = utf8('k'.repeat(32));
const both = { type: 'passphrase', passphrase, keyFile } as const;

let team: SampleVault;

beforeEach(async () => {
  team = await teamVault(['staging']);
  await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one');
    const credential = { type: 'passphrase', passphrase } as const;
    const entrance = { type: 'passphrase', credential, kdf: cheapKdf } as const;
    await addBy(owner, 'ada', { can: 'read', env: 'staging' }, entrance);
  });
});

const addTo = async (vault: Vault, wanted: NewCredential): Promise<unknown> =>
  vault.write('slot-add', async (scope) => addSlot(scope, wanted, engine));

/** The owner has two factors, and wants them of everybody. */
async function demand(): Promise<void> {
  await asOwner(team, async (owner) => {
    await addTo(owner, { type: 'given', credential: both, kdf: cheapKdf });
    await owner.write('policy-set', async (scope) =>
      Promise.resolve(setPolicy(scope, 'factors.everyone', '2')),
    );
  });
}

const types = async (vault: Vault): Promise<string[]> =>
  (await vault.read('slot-ls', async (scope) => Promise.resolve(listSlots(scope)))).map(({ type }) => type);

describe.each([{ type: 'token' }, { type: 'recovery' }] as const)('a $type', (wanted) => {
  test('is not added by who lacks the second factor', async () => {
    await demand();
    await asAda(team.place, async (ada) => {
      expect(await failureOf(addTo(ada, wanted))).toMatchObject({ exitCode: 5 });
      expect(await types(ada)).toEqual(['passphrase']);
      await verified(ada);
    });
  });

  test('is added where nothing is wanting', async () => {
    await asAda(team.place, async (ada) => {
      await addTo(ada, wanted);
      expect(await types(ada)).toContain(wanted.type);
    });
  });

  test('is added with both factors', async () => {
    await demand();
    await asAda(team.place, async (ada) => {
      const change = { credential: both, kdf: cheapKdf, engine, newRecoveryKey: false } as const;
      await ada.write('passwd', async (scope) => changePassphrase(scope, change));
    });
    const ada = await Vault.open(team.place, {
      principal: 'ada',
      credentials: async (attempt) => Promise.resolve(attempt > 1 ? null : both),
    });
    await addTo(ada, wanted);
    expect(await get(ada, 'db')).toBe('one');
    ada.close();
  });
});

test('a key file beside the passphrase is what is asked for, and is added', async () => {
  await demand();
  await asAda(team.place, async (ada) => {
    await addTo(ada, { type: 'given', credential: both, kdf: cheapKdf });
    expect(await types(ada)).toContain('passphrase+keyfile');
  });
});
