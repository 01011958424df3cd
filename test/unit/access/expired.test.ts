/** Whose time is over gets no later keys, until an administrator gives them more; ids and keys of who is gone do not come back. */
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import { sealPublicKey } from '../../../src/crypto/hpke.ts';
import { importSigningKey } from '../../../src/crypto/signature.ts';
import { newInvitation } from '../../../src/vault/invitation.ts';
import { reissuePrincipal } from '../../../src/vault/operations/access.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { keysFrom, openedBy, tokenCredential } from '../../support/reach.ts';
import { get, put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import { cannotRecover, recovered, recoverTitle } from '../../support/second-reader.ts';
import { accept, parsedInvitation } from '../../support/newcomer.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  engine,
  getIn,
  grant,
  openToken,
  otherMachine,
  reissue,
  remove,
  request,
  teamVault,
  verifiedByOwner,
} from '../../support/team.ts';

const minute = 60_000;
const staging = { can: 'read', env: 'staging' };

let team: SampleVault;
let ci: string;
let id: string;
let ahead: number;
const soon = (): Date => new Date(Date.now() + ahead + minute);

beforeEach(async () => {
  ahead = 0;
  team = await teamVault(['staging', 'production'], { now: () => new Date(Date.now() + ahead) });
  ci = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one', { environment: 'staging' });
    return add(owner, 'ci', { can: 'read', env: 'staging,production' }, soon());
  });
  id = await as(team.place, ci, async ({ identity }) => Promise.resolve(identity.principal));
});

const rekey = async (...environments: string[]): Promise<unknown> =>
  asOwner(team, async (owner) =>
    owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, environments))),
  );

const policy = async (): Promise<unknown> =>
  asOwner(team, async (owner) =>
    owner.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, 'rekey.days', '30'))),
  );

const grants = (): [string, number][] => {
  const forgery = Forgery.read(team.place.path);
  const names = new Map(forgery.one('header').environments.map((entry) => [entry.id, entry.name]));
  return forgery
    .all('grant')
    .filter(({ principal }) => principal === id)
    .map(({ environment, epoch }) => [names.get(environment) ?? '', epoch]);
};

const secondReader = async (): Promise<unknown> =>
  recovered(team.place.path, [['--principal', 'owner', '--recovery'], team.recoveryKey]);

describe('somebody whose access has expired', () => {
  beforeEach(() => {
    ahead = 2 * minute;
  });

  test('gets no grant of a later epoch, and opens nothing of it with every key that they had', async () => {
    expect(grants()).toEqual([
      ['staging', 1],
      ['production', 1],
    ]);
    const keys = await keysFrom(team.place.path, tokenCredential(ci), 'ci');
    await rekey('staging');
    expect(grants().filter(([environment]) => environment === 'staging')).toEqual([]);
    expect(await openedBy(team.place.path, keys)).not.toContain('value staging 1');
    expect(await verifiedByOwner(team)).toBe(1);
  });

  test('gets none with whatever header comes, and verify accepts each', async () => {
    await policy();
    expect(await verifiedByOwner(team)).toBe(1);
    await rekey();
    expect(grants()).toEqual([]);
    await asOwner(team, async (owner) => {
      await add(owner, 'other', staging);
      await put(owner, 'db', 'two', { environment: 'staging' });
    });
    expect(await verifiedByOwner(team)).toBe(2);
    expect((await failureOf(openToken(team.place, ci))).exitCode).toBe(5);
  });

  test('gets them again with more time', async () => {
    await rekey();
    await asOwner(team, async (owner) => grant(owner, 'ci', { can: '' }, soon()));
    expect(grants()).toEqual([
      ['staging', 2],
      ['production', 2],
    ]);
    await as(team.place, ci, async (vault) => {
      expect(await getIn(vault, 'staging', 'db')).toBe('one');
      await vault.read('verify', async (scope) => verifyVault(scope, vault.place));
    });
    expect(await verifiedByOwner(team)).toBe(1);
  });

  test('can be removed', async () => {
    await asOwner(team, async (owner) => remove(owner, 'ci'));
    expect(await verifiedByOwner(team)).toBe(1);
  });

  test.each(['token', 'invitation'] as const)('is not reissued by %s, with a hint', async (type) => {
    await asOwner(team, async (owner) => {
      const work =
        type === 'token'
          ? reissue(owner, 'ci')
          : newInvitation(systemRandom, owner.authority, id).then(async ({ entrance }) =>
              owner.write('access-reissue', async (scope) =>
                reissuePrincipal(scope, 'ci', entrance, { engine, exposed: false }),
              ),
            );
      const error = await failureOf(work);
      expect([error.exitCode, error.hint]).toEqual([2, expect.stringContaining('access grant ci --expires')]);
      await grant(owner, 'ci', { can: '' }, soon());
      await reissue(owner, 'ci');
    });
    expect(await verifiedByOwner(team)).toBe(1);
  });

  test.skipIf(cannotRecover)(`does not stop the second reader: ${recoverTitle}`, async () => {
    await rekey();
    expect(await secondReader()).toEqual({ staging: { db: 'one' }, production: {} });
    await asOwner(team, async (owner) => grant(owner, 'ci', { can: '' }, soon()));
    expect(await secondReader()).toEqual({ staging: { db: 'one' }, production: {} });
  });
});

test('a reissue by invitation brings the same id back, with other keys', async () => {
  const hers = otherMachine(team);
  const before = Forgery.read(team.place.path)
    .one('header')
    .principals.find((entry) => entry.id === id);
  const text = await asOwner(team, async (owner) => {
    const made = await newInvitation(systemRandom, owner.authority, id);
    await owner.write('access-reissue', async (scope) =>
      reissuePrincipal(scope, 'ci', made.entrance, { engine, exposed: false }),
    );
    return made.text;
  });
  expect((await failureOf(openToken(team.place, ci))).exitCode).toBe(4);
  expect(parsedInvitation(text).principal).toBe(id);
  await accept(hers, text);
  await policy();
  const after = Forgery.read(team.place.path)
    .one('header')
    .principals.find((entry) => entry.id === id);
  expect(after).toMatchObject({ name: 'ci', invited: '' });
  expect(after?.signPub).not.toBe(before?.signPub);
  expect(await verifiedByOwner(team)).toBe(1);
});

describe('what was used before', () => {
  /** Keys of somebody’s own making under the id of somebody else. */
  async function requestAs(other: string) {
    const { publicKey } = await importSigningKey(systemRandom(32));
    const sealPub = encodeBase64url(await sealPublicKey(systemRandom(32)));
    return { type: 'keys', id: other, signPub: encodeBase64url(publicKey), sealPub } as const;
  }

  test.each(['removed', 'there'] as const)('an id of who is %s comes in by no request', async (state) => {
    await asOwner(team, async (owner) => {
      if (state === 'removed') await remove(owner, 'ci');
      const entrance = await requestAs(id);
      expect((await failureOf(addBy(owner, 'mallory', staging, entrance))).exitCode).toBe(2);
    });
    expect(await verifiedByOwner(team)).toBe(1);
  });

  test.each(['removed', 'reissued', 'there'] as const)(
    'a key of who is %s comes in under no other id',
    async (state) => {
      const { signPub } = Forgery.read(team.place.path)
        .one('header')
        .principals.find((entry) => entry.id === id) ?? { signPub: '' };
      await asOwner(team, async (owner) => {
        if (state === 'removed') await remove(owner, 'ci');
        if (state === 'reissued') await reissue(owner, 'ci');
        const entrance = { ...(await requestAs(encodeBase64url(systemRandom(8)))), signPub };
        expect((await failureOf(addBy(owner, 'mallory', staging, entrance))).exitCode).toBe(2);
      });
    },
  );

  test('a request of who was taken back before they came is used up', async () => {
    const entrance = await request(otherMachine(team), 'ada', 'hers alone');
    await asOwner(team, async (owner) => {
      await addBy(owner, 'ada', staging, entrance);
      await remove(owner, 'ada');
      expect((await failureOf(addBy(owner, 'ada', staging, entrance))).exitCode).toBe(2);
      expect(await get(owner, 'db')).toBe('one');
    });
    expect(await verifiedByOwner(team)).toBe(1);
  });
});
