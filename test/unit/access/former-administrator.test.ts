/** What an administrator made while it was one, and knows still when it is one no more. */
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import { sealPublicKey } from '../../../src/crypto/hpke.ts';
import { listAccess } from '../../../src/vault/operations/access-list.ts';
import { vaultStatus } from '../../../src/vault/operations/status.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import { accept, invite, passphrase } from '../../support/newcomer.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  finish,
  getIn,
  openPassphrase,
  otherMachine,
  reissue,
  remove,
  request,
  revoke,
  teamVault,
  verified,
} from '../../support/team.ts';

const staging = { can: 'read', env: 'staging' };

let team: SampleVault;
let boss: string;
let told: string[];

beforeEach(async () => {
  told = [];
  team = await teamVault(['staging', 'production'], { warn: (text) => told.push(text) });
  boss = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one', { environment: 'staging' });
    return add(owner, 'boss', { can: 'admin' });
  });
});

const ends = {
  removed: async (owner: Vault) => remove(owner, 'boss'),
  demoted: async (owner: Vault) => revoke(owner, 'boss', { can: 'admin' }),
} as const;
const how = Object.entries(ends);

const invited = async (): Promise<string> =>
  as(team.place, boss, async (vault) => invite(vault, 'ada', staging));

const names = async (owner: Vault): Promise<string[]> =>
  owner.read('access-ls', async (scope) => Promise.resolve(listAccess(scope).map(({ name }) => name)));

const due = async (owner: Vault): Promise<string[]> => {
  const status = await owner.read('status', async (scope) => vaultStatus(scope, owner.place));
  return [...status.tokensToReissue].sort();
};

describe.each(how)('when an administrator is %s', (title, end) => {
  test('an invitation that nobody took up is withdrawn, with a word', async () => {
    const text = await invited();
    await asOwner(team, async (owner) => {
      await end(owner);
      expect(told).toEqual([expect.stringContaining('the invitation of ada was withdrawn')]);
      expect(await names(owner)).not.toContain('ada');
      await verified(owner);
    });
    expect(await failureOf(accept(otherMachine(team), text))).toMatchObject({ exitCode: 4 });
  });

  test('an invitation that was taken up and not completed is withdrawn: it may have been by the administrator', async () => {
    await accept(otherMachine(team), await invited());
    await asOwner(team, async (owner) => {
      await end(owner);
      expect(told).toContainEqual(expect.stringContaining('the invitation of ada was withdrawn'));
      expect(told).not.toContainEqual(expect.stringContaining('ada has joined'));
      expect(await names(owner)).not.toContain('ada');
      await verified(owner);
    });
    const forgery = Forgery.read(team.place.path);
    expect(forgery.all('succession')).toEqual([]);
  });

  test('who came by request, or was completed before, stays', async () => {
    await accept(otherMachine(team), await invited());
    const entrance = await request(otherMachine(team), 'bea', passphrase);
    const hers = otherMachine(team);
    const third = await request(hers, 'cleo', passphrase);
    await asOwner(team, async (owner) => {
      await addBy(owner, 'bea', staging, entrance);
      await addBy(owner, 'cleo', staging, third);
    });
    await finish(hers, passphrase);
    told.length = 0;
    await asOwner(team, async (owner) => {
      await end(owner);
      const stay = ['owner', 'ada', 'bea', 'cleo', ...(title === 'demoted' ? ['boss'] : [])];
      expect((await names(owner)).sort()).toEqual(stay.sort());
      await verified(owner);
    });
  });

  test('tokens are listed until they are reissued', async () => {
    await as(team.place, boss, async (vault) => add(vault, 'cron', staging));
    await asOwner(team, async (owner) => {
      await add(owner, 'ci', staging);
      await end(owner);
      expect(await due(owner)).toEqual(['ci', 'cron']);
      await reissue(owner, 'ci');
      expect(await due(owner)).toEqual(['cron']);
    });
  });
});

describe('a key that an administrator put in the place of somebody’s, for what others seal to them,', () => {
  async function planted(): Promise<{ ada: Vault; ci: string }> {
    const hers = otherMachine(team);
    const entrance = await request(hers, 'ada', passphrase);
    const ci = await asOwner(team, async (owner) => {
      await addBy(owner, 'ada', staging, entrance);
      return add(owner, 'ci', staging);
    });
    await finish(hers, passphrase);
    const signer = await as(team.place, boss, async ({ identity }) =>
      Promise.resolve({ principal: identity.principal, signing: identity.signing }),
    );
    const forgery = Forgery.read(team.place.path);
    for (const entry of forgery.one('header').principals)
      if (entry.name === 'ada') entry.sealPub = encodeBase64url(await sealPublicKey(systemRandom(32)));
    await forgery.signHeader(signer);
    await forgery.write(team.place.path, signer);
    return { ada: await openPassphrase(hers, passphrase, 'ada'), ci };
  }

  test('is found by her verify, and by nobody else’s', async () => {
    const { ada, ci } = await planted();
    expect(await getIn(ada, 'staging', 'db')).toBe('one');
    expect(await failureOf(verified(ada))).toMatchObject({
      exitCode: 7,
      message: expect.stringContaining('another key than yours') as string,
    });
    ada.close();
    await as(team.place, ci, async (vault) => verified(vault));
    await asOwner(team, async (owner) => verified(owner));
  });

  test('is gone with new keys', async () => {
    const { ada } = await planted();
    ada.close();
    const token = await asOwner(team, async (owner) => {
      await remove(owner, 'boss');
      return reissue(owner, 'ada');
    });
    await as(team.place, token, async (vault) => {
      expect(await getIn(vault, 'staging', 'db')).toBe('one');
      await verified(vault);
    });
  });
});

test('an administrator cannot demote itself; the vault stays as it was', async () => {
  await as(team.place, boss, async (vault) => {
    const { n } = vault.document.snapshot.value;
    expect(await failureOf(revoke(vault, 'boss', { can: 'admin' }))).toMatchObject({ exitCode: 2 });
    expect(await failureOf(remove(vault, 'boss'))).toMatchObject({ exitCode: 2 });
    expect(vault.document.snapshot.value.n).toBe(n);
    await verified(vault);
  });
});
