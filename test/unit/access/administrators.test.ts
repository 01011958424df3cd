/** A second administrator: made, demoted, removed. One who can go on always stays. */
import { copyFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { policyValue } from '../../../src/lifecycle/policy.ts';
import { listAccess } from '../../../src/vault/operations/access-list.ts';
import { vaultStatus } from '../../../src/vault/operations/status.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { keysFrom, openedBy, tokenCredential } from '../../support/reach.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { passphrase } from '../../support/newcomer.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  finish,
  getIn,
  grant,
  openPassphrase,
  openToken,
  otherMachine,
  reissue,
  remove,
  request,
  revoke,
  teamVault,
  verified,
  verifiedByOwner,
} from '../../support/team.ts';

interface Way {
  /** Make `ada` an administrator; how to open as her afterwards. */
  readonly make: (sample: SampleVault) => Promise<() => Promise<Vault>>;
  readonly title: string;
}

const ways: readonly Way[] = [
  {
    title: 'by request',
    make: async (sample) => {
      const place = otherMachine(sample);
      const entrance = await request(place, 'ada', passphrase);
      await asOwner(sample, async (owner) => addBy(owner, 'ada', { can: 'admin' }, entrance));
      await finish(place, passphrase);
      return async () => openPassphrase(place, passphrase, 'ada');
    },
  },
  {
    title: 'by promotion',
    make: async (sample) => {
      const token = await asOwner(sample, async (owner) =>
        add(owner, 'ada', { can: 'list', env: 'staging' }),
      );
      await asOwner(sample, async (owner) => grant(owner, 'ada', { can: 'admin' }));
      return async () => openToken(sample.place, token);
    },
  },
];

async function team(): Promise<SampleVault> {
  const sample = await teamVault(['staging', 'production']);
  await asOwner(sample, async (owner) => put(owner, 'db', 'one', { environment: 'production' }));
  return sample;
}

async function verify(sample: SampleVault): Promise<void> {
  const place = { ...sample.place, stateFolder: null };
  await verifiedByOwner({ ...sample, place });
}

async function working<T>(vault: Vault, work: (vault: Vault) => Promise<T>): Promise<T> {
  try {
    return await work(vault);
  } finally {
    vault.close();
  }
}

const production = { environment: 'production' };
const readDb = async (vault: Vault): Promise<string> =>
  working(vault, async () => {
    await put(vault, 'by ada', 'x', production);
    return getIn(vault, 'production', 'by ada');
  });

describe.each(ways)('a second administrator, $title,', ({ make }) => {
  test('does what the first one can, also to what others may', async () => {
    const sample = await team();
    const open = await make(sample);
    await working(await open(), async (ada) => {
      await put(ada, 'db', 'two', production);
      await add(ada, 'ci', { can: 'read', env: 'production' });
      await revoke(ada, 'ci', { can: 'read' });
      await remove(ada, 'ci');
    });
    await verify(sample);
    expect(await asOwner(sample, async (owner) => put(owner, 'db', 'three', production))).toMatchObject({
      version: 3,
    });
  });

  test('is removed with the owner’s credential alone, and nothing that it had opens or signs any more', async () => {
    const sample = await team();
    const open = await make(sample);
    const ada = await open();
    const token = await working(ada, async () => add(ada, 'ci', { can: 'read', env: 'production' }));
    const { principal, signing } = ada.identity;
    await asOwner(sample, async (owner) => {
      expect((await remove(owner, 'ada')).rekeyed).toEqual(['staging', 'production']);
    });
    await verify(sample);
    expect((await failureOf(open())).exitCode).toBe(4);
    expect(await as(sample.place, token, async (ci) => ci.authority.isAdmin(ci.identity.principal))).toBe(
      false,
    );
    // A header and a root of its own making, with the key that it had.
    for (const what of ['header', 'root'] as const) {
      const forgery = Forgery.read(sample.place.path);
      if (what === 'root') {
        const last = forgery.all('root').at(-1);
        if (last === undefined) throw new Error('no root');
        const root = { ...last, n: last.n + 1, prev: forgery.lineDigest(last), by: principal };
        root.admins = [...last.admins, [principal, encodeBase64url(signing.publicKey)]];
        forgery.insert(await forgery.sign(root, { principal, signing }), 'root');
        forgery.one('header').root = forgery.lineDigest(root);
      }
      await forgery.signHeader({ principal, signing });
      const place = { ...sample.place, path: `${sample.place.path}.forged`, stateFolder: null };
      await forgery.write(place.path, { principal, signing });
      expect((await failureOf(asOwner({ ...sample, place }, readDb))).exitCode).toBe(7);
    }
  });

  test('is demoted: it reads nothing, and stays', async () => {
    const sample = await team();
    const open = await make(sample);
    await asOwner(sample, async (owner) => revoke(owner, 'ada', { can: 'admin' }));
    await verify(sample);
    await working(await open(), async (ada) => {
      expect((await failureOf(getIn(ada, 'production', 'db'))).exitCode).toBe(5);
      expect((await failureOf(grant(ada, 'ada', { can: 'admin' }))).exitCode).toBe(5);
    });
  });

  test('removes the first one', async () => {
    const sample = await team();
    const open = await make(sample);
    await working(await open(), async (ada) => remove(ada, 'owner'));
    expect((await failureOf(asOwner(sample, readDb))).exitCode).toBe(4);
    expect(await readDb(await open())).toBe('x');
    await working(await open(), verified);
  });
});

test('keys of a removed administrator open nothing in the new file, by the crypto modules alone', async () => {
  const sample = await team();
  const token = await asOwner(sample, async (owner) => add(owner, 'ada', { can: 'admin' }));
  const old = `${sample.place.path}.old`;
  copyFileSync(sample.place.path, old);
  const keys = await keysFrom(old, tokenCredential(token), 'ada');
  expect(await openedBy(old, keys)).toContain('value production 1');
  await asOwner(sample, async (owner) => remove(owner, 'ada'));
  expect(await openedBy(sample.place.path, keys)).toEqual([]);
});

describe('the last administrator', () => {
  test('is neither removed nor demoted', async () => {
    const sample = await team();
    await asOwner(sample, async (owner) => {
      expect((await failureOf(remove(owner, 'owner'))).exitCode).toBe(2);
      expect((await failureOf(revoke(owner, 'owner', { can: 'admin' }))).exitCode).toBe(5);
    });
    await verify(sample);
  });

  test('is the one who has joined: nobody who is still awaited counts', async () => {
    const sample = await team();
    const entrance = await request(otherMachine(sample), 'ada', passphrase);
    await asOwner(sample, async (owner) => {
      await addBy(owner, 'ada', { can: 'admin' }, entrance);
      expect((await failureOf(revoke(owner, 'owner', { can: 'admin' }))).exitCode).toBe(5);
    });
  });

  test('has no end: one without an expiry always stays', async () => {
    const sample = await team();
    const soon = new Date(Date.now() + 3_600_000);
    await asOwner(sample, async (owner) => {
      expect((await failureOf(grant(owner, 'owner', { can: '' }, soon))).exitCode).toBe(5);
      await add(owner, 'guest', { can: 'admin' }, soon);
    });
    const guest = await asOwner(sample, async (owner) => reissue(owner, 'guest'));
    await as(sample.place, guest, async (vault) => {
      expect((await failureOf(grant(vault, 'owner', { can: '' }, soon))).exitCode).toBe(5);
      expect((await failureOf(remove(vault, 'owner'))).exitCode).toBe(5);
      expect((await failureOf(revoke(vault, 'owner', { can: 'admin' }))).exitCode).toBe(5);
      await grant(vault, 'guest', { can: '' }, null);
      await grant(vault, 'owner', { can: '' }, soon);
    });
    await verify(sample);
  });
});

describe('tokens that a removed administrator may know', () => {
  async function due(sample: SampleVault): Promise<readonly string[]> {
    return asOwner(sample, async (owner) =>
      owner.read('status', async (scope) => (await vaultStatus(scope, sample.place)).tokensToReissue),
    );
  }

  async function withAdministrator(): Promise<SampleVault> {
    const sample = await team();
    const boss = await asOwner(sample, async (owner) => {
      await add(owner, 'ci', { can: 'read', env: 'staging' });
      return add(owner, 'boss', { can: 'admin' });
    });
    await as(sample.place, boss, async (vault) => add(vault, 'cron', { can: 'read', env: 'staging' }));
    return sample;
  }

  test.each(['removed', 'demoted'] as const)('are due when it is %s, until each is reissued', async (how) => {
    const sample = await withAdministrator();
    expect(await due(sample)).toEqual([]);
    await asOwner(sample, async (owner) =>
      how === 'removed' ? remove(owner, 'boss') : revoke(owner, 'boss', { can: 'admin' }),
    );
    expect([...(await due(sample))].sort()).toEqual(['ci', 'cron']);
    await asOwner(sample, async (owner) => reissue(owner, 'ci'));
    expect(await due(sample)).toEqual(['cron']);
    await asOwner(sample, async (owner) => remove(owner, 'cron'));
    expect(await due(sample)).toEqual([]);
    await verify(sample);
  });

  test('are none where there is no token: the vault stays readable', async () => {
    const sample = await team();
    const entrance = await request(otherMachine(sample), 'ada', passphrase);
    await asOwner(sample, async (owner) => addBy(owner, 'ada', { can: 'admin' }, entrance));
    await asOwner(sample, async (owner) => remove(owner, 'ada'));
    await verify(sample);
    await asOwner(sample, async (owner) => {
      expect(
        policyValue(await owner.read('x', async ({ policy }) => Promise.resolve(policy)), 'tokens.reissue'),
      ).toBe('');
      expect(
        await owner.read('access-ls', async (scope) =>
          Promise.resolve(listAccess(scope).map(({ name }) => name)),
        ),
      ).toEqual(['owner']);
    });
  });
});
