/**
 * A credential that somebody else may have, with an old copy of the file: an administrator’s removal makes it worthless at once; anybody
 * else’s leaves a mark, until an administrator makes new keys.
 */
import { copyFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Credential } from '../../../src/access/slot.ts';
import { limits } from '../../../src/format/limits.ts';
import { listAccess } from '../../../src/vault/operations/access-list.ts';
import { addSlot, changePassphrase, listSlots } from '../../../src/vault/operations/credentials.ts';
import { removeSlot, replaceCompromised } from '../../../src/vault/operations/renewal.ts';
import type { RenewedKeys } from '../../../src/vault/operations/own-slots.ts';
import { offboardStatus } from '../../../src/vault/operations/offboard.ts';
import { vaultStatus } from '../../../src/vault/operations/status.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { keysFrom, openedBy, recoveryCredential } from '../../support/reach.ts';
import { cheapKdf, openWith, put, samplePassphrase, type SampleVault } from '../../support/sample-vault.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  engine,
  getIn,
  openPassphrase,
  openToken,
  reissue,
  teamVault,
} from '../../support/team.ts';

const kdf = cheapKdf;
const first = 'the first passphrase';
const second = 'the second passphrase';
const passphraseOf = (passphrase: string) => ({ type: 'passphrase', passphrase }) as const;

interface Team extends SampleVault {
  readonly old: string;
  readonly ci: string;
  readonly keep: () => void;
}

/** Owner with passphrase and recovery key; `ada` with a passphrase, who may read one environment; a token. */
async function team(): Promise<Team> {
  const sample = await teamVault(['staging', 'production']);
  const old = `${sample.place.path}.old`;
  const ci = await asOwner(sample, async (owner) => {
    for (const environment of ['staging', 'production'])
      await put(owner, 'db', `of ${environment}`, { environment });
    const entrance = { type: 'passphrase', credential: passphraseOf(first), kdf } as const;
    await addBy(owner, 'ada', { can: 'read,write', env: 'staging' }, entrance);
    return add(owner, 'ci', { can: 'read', env: 'production' });
  });
  const keep = (): void => {
    copyFileSync(sample.place.path, old);
  };
  keep();
  return { ...sample, old, ci, keep };
}

async function withPassphrase<T>(
  { place }: SampleVault,
  passphrase: string,
  name: string,
  work: (vault: Vault) => Promise<T>,
): Promise<T> {
  const vault = await openPassphrase(place, passphrase, name);
  try {
    return await work(vault);
  } finally {
    vault.close();
  }
}

const compromised = async (vault: Vault, passphrase: string): Promise<RenewedKeys> =>
  vault.write('passwd', async (scope) =>
    replaceCompromised(scope, { credential: passphraseOf(passphrase), kdf, engine, newRecoveryKey: false }),
  );

const slotOf = async (vault: Vault, type: string): Promise<string> =>
  vault.read('slot-ls', async (scope) =>
    Promise.resolve(listSlots(scope).find((slot) => slot.type === type)?.id ?? ''),
  );

const removeOf = async (vault: Vault, type: string): Promise<RenewedKeys> => {
  const id = await slotOf(vault, type);
  return vault.write('slot-rm', async (scope) => removeSlot(scope, id, { recovery: false, engine }));
};

async function verify(sample: SampleVault): Promise<void> {
  await withPassphrase(sample, samplePassphrase, 'owner', async (owner) =>
    owner.read('verify', async (scope) => verifyVault(scope, owner.place)),
  );
}

/** Whom new keys are due for, as `status` and `access ls` have it; both say the same. */
async function due(sample: SampleVault): Promise<string[]> {
  return asOwner(sample, async (owner) => {
    const status = await owner.read('status', async (scope) => vaultStatus(scope, owner.place));
    const listed = await owner.read('access-ls', async (scope) => Promise.resolve(listAccess(scope)));
    const names = listed.filter(({ rekeyDue }) => rekeyDue !== null).map(({ name }) => name);
    expect(status.rekeyDue.map(({ principal }) => principal)).toEqual(names);
    return names;
  });
}

describe('by the owner', () => {
  test('passwd --compromised: old passphrase, old recovery key and an old copy open nothing new', async () => {
    const sample = await team();
    const { place, old } = sample;
    const done = await withPassphrase(sample, samplePassphrase, 'owner', async (owner) => {
      const renewed = await compromised(owner, second);
      // The handle goes on with the new keys.
      await put(owner, 'db', 'changed', { environment: 'production' });
      return renewed;
    });
    expect(done.removed.map(({ type }) => type).sort()).toEqual(['passphrase', 'recovery']);
    expect(done.rekeyed).toEqual(['staging', 'production']);
    for (const credential of [
      passphraseOf(samplePassphrase),
      await recoveryCredential(sample.recoveryKey),
    ] satisfies Credential[]) {
      const keys = await keysFrom(old, credential, 'owner');
      expect(await openedBy(old, keys)).toContain('value production 1');
      expect(await openedBy(place.path, keys)).toEqual([]);
    }
    expect((await failureOf(openPassphrase(place, samplePassphrase, 'owner'))).exitCode).toBe(4);
    expect((await failureOf(openWith(place, sample.recoveryKey, 'owner'))).exitCode).toBe(4);
    expect(
      await withPassphrase(sample, second, 'owner', async (owner) => getIn(owner, 'production', 'db')),
    ).toBe('changed');
    await as(place, sample.ci, async (ci) => expect(await getIn(ci, 'production', 'db')).toBe('changed'));
    await withPassphrase(sample, first, 'ada', async (ada) =>
      put(ada, 'db', 'two', { environment: 'staging' }),
    );
  });

  test('the old signing key signs nothing that is accepted', async () => {
    const sample = await team();
    const owner = await openPassphrase(sample.place, samplePassphrase, 'owner');
    const { principal, signing } = owner.identity;
    await compromised(owner, second);
    owner.close();
    const forgery = Forgery.read(sample.place.path);
    await forgery.signHeader({ principal, signing });
    await forgery.write(sample.place.path, { principal, signing });
    const stateless = { ...sample, place: { ...sample.place, stateFolder: null } };
    const error = await failureOf(
      withPassphrase(stateless, second, 'owner', async (vault) => getIn(vault, 'staging', 'db')),
    );
    expect(error.exitCode).toBe(7);
  });

  test('slot rm of the recovery key: it and an old copy open nothing new, and the passphrase stays', async () => {
    const sample = await team();
    const keys = await keysFrom(sample.old, await recoveryCredential(sample.recoveryKey), 'owner');
    const removed = await withPassphrase(sample, samplePassphrase, 'owner', async (owner) =>
      removeOf(owner, 'recovery'),
    );
    expect(removed).toMatchObject({ renewed: true, rekeyed: ['staging', 'production'] });
    expect(await openedBy(sample.old, keys)).toContain('bundle owner');
    expect(await openedBy(sample.place.path, keys)).toEqual([]);
    await verify(sample);
  });

  test('passwd alone changes the lock, not the keys: that is what --compromised is for', async () => {
    const sample = await team();
    const keys = await keysFrom(sample.old, passphraseOf(samplePassphrase), 'owner');
    await withPassphrase(sample, samplePassphrase, 'owner', async (owner) =>
      owner.write('passwd', async (scope) =>
        changePassphrase(scope, { credential: passphraseOf(second), kdf, engine, newRecoveryKey: false }),
      ),
    );
    expect(await openedBy(sample.place.path, keys)).toContain('value production 1');
  });

  test('what somebody else could read in the meantime is tracked after --compromised only', async () => {
    const sample = await team();
    const left = async (passphrase: string): Promise<number> =>
      withPassphrase(sample, passphrase, 'owner', async (owner) => {
        const { secrets } = await owner.read('offboard-status', async (scope) => offboardStatus(scope, null));
        return secrets.length;
      });
    await withPassphrase(sample, samplePassphrase, 'owner', async (owner) => removeOf(owner, 'recovery'));
    expect(await left(samplePassphrase)).toBe(0);
    await withPassphrase(sample, samplePassphrase, 'owner', async (owner) => compromised(owner, second));
    expect(await left(second)).toBe(2);
  });
});

describe('by somebody who is no administrator', () => {
  /** Each with the credential that somebody else may have, and the passphrase that is left. */
  const ways = {
    'passwd --compromised': async (ada: Vault) => {
      const renewed = await compromised(ada, second);
      return { renewed, credential: passphraseOf(first), left: second };
    },
    'slot rm': async (ada: Vault, keep: () => void) => {
      const wanted = { type: 'recovery' } as const;
      const { text } = await ada.write('slot-add', async (scope) => addSlot(scope, wanted, engine));
      keep();
      const renewed = await removeOf(ada, 'recovery');
      return { renewed, credential: await recoveryCredential(text ?? ''), left: first };
    },
  } satisfies Record<string, (ada: Vault, keep: () => void) => Promise<unknown>>;

  test.each(Object.entries(ways))('%s leaves a mark, until reissue', async (_, lose) => {
    const sample = await team();
    const { place, old } = sample;
    const { renewed, credential, left } = await withPassphrase(sample, first, 'ada', async (ada) =>
      lose(ada, sample.keep),
    );
    expect(renewed).toMatchObject({ renewed: false, rekeyed: [] });
    await withPassphrase(sample, left, 'ada', async (ada) =>
      expect(await getIn(ada, 'staging', 'db')).toBe('of staging'),
    );
    expect(await openedBy(place.path, await keysFrom(place.path, credential, 'ada'))).toEqual([]);
    // With an old copy the keys are the same: that is what the mark says.
    const keys = await keysFrom(old, credential, 'ada');
    expect(await openedBy(place.path, keys)).toContain('value staging 1');
    expect(await due(sample)).toEqual(['ada']);
    await verify(sample);

    const token = await asOwner(sample, async (owner) => reissue(owner, 'ada', true));
    expect(await due(sample)).toEqual([]);
    expect(await openedBy(place.path, keys)).toEqual([]);
    expect((await failureOf(openPassphrase(place, left, 'ada'))).exitCode).toBe(4);
    await as(place, token, async (ada) => put(ada, 'db', 'mine again', { environment: 'staging' }));
    await verify(sample);
  });

  test('as often as there is room for marks; then it says what is to be done', async () => {
    const sample = await team();
    const ada = await openPassphrase(sample.place, first, 'ada');
    for (let time = 1; time < limits.slots; time++) await compromised(ada, `passphrase ${time}`);
    const error = await failureOf(compromised(ada, 'one too many'));
    expect([error.exitCode, error.hint]).toEqual([5, expect.stringContaining('access reissue')]);
    ada.close();
    expect(await due(sample)).toEqual(['ada']);
    await verify(sample);
  });
});

describe('neither may remove', () => {
  test.each([
    ['owner', samplePassphrase],
    ['ada', first],
  ] as const)('the last way in, or the one in use: %s', async (name, passphrase) => {
    const sample = await team();
    await withPassphrase(sample, passphrase, name, async (vault) => {
      if (name === 'owner') await removeOf(vault, 'recovery');
      const last = await failureOf(removeOf(vault, 'passphrase'));
      expect([last.exitCode, last.message]).toEqual([5, expect.stringContaining('last way in')]);
      const { text } = await vault.write('slot-add', async (scope) =>
        addSlot(scope, { type: 'token' }, engine),
      );
      expect((await failureOf(removeOf(vault, 'passphrase'))).exitCode).toBe(2);
      await removeOf(vault, 'token');
      expect((await failureOf(openToken(sample.place, text ?? ''))).exitCode).toBe(4);
      // A mark is no way in.
      expect((await failureOf(removeOf(vault, 'passphrase'))).exitCode).toBe(5);
    });
    await verify(sample);
  });

  test('the credential of somebody else', async () => {
    const sample = await team();
    const id = await withPassphrase(sample, samplePassphrase, 'owner', async (owner) =>
      slotOf(owner, 'recovery'),
    );
    await withPassphrase(sample, first, 'ada', async (ada) => {
      const work = ada.write('slot-rm', async (scope) => removeSlot(scope, id, { recovery: false, engine }));
      expect((await failureOf(work)).exitCode).toBe(2);
    });
  });
});
