/**
 * Somebody who was invited, or is awaited, and whoever meddles with their place before an administrator completes it: what comes without
 * keys is refused, and keys that nothing can be sealed to stop nobody else.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import { sealPublicKey } from '../../../src/crypto/hpke.ts';
import { importSigningKey, type SigningKey } from '../../../src/crypto/signature.ts';
import { listAccess } from '../../../src/vault/operations/access-list.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { makePrincipalKeys } from '../../../src/vault/principal-keys.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { get, put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import { accept, invite, parsedInvitation, passphrase } from '../../support/newcomer.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  finish,
  openPassphrase,
  openToken,
  otherMachine,
  remove,
  request,
  teamVault,
  verified,
} from '../../support/team.ts';

const staging = { can: 'read', env: 'staging' };

let team: SampleVault;
let lister: string;
let told: string[];

beforeEach(async () => {
  told = [];
  team = await teamVault(['staging'], { warn: (text) => told.push(text) });
  lister = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'of staging');
    return add(owner, 'lister', { can: 'list', env: 'staging' });
  });
});

const invited = async (): Promise<string> => asOwner(team, async (owner) => invite(owner, 'ada', staging));

const policyWrite = async (owner: Vault): Promise<unknown> =>
  owner.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, 'rekey.days', '30')));

const entryOf = async (owner: Vault, name: string) =>
  owner.read('access-ls', async (scope) =>
    Promise.resolve(listAccess(scope).find((entry) => entry.name === name)),
  );

/** Who has the invitation takes the place with a public key of its choice, and with or without credentials. */
async function takePlace(
  sealPub: string,
  credentials: 'all' | 'bundle' | 'slot' | 'none' = 'all',
): Promise<void> {
  const invitation = parsedInvitation(await invited());
  const forgery = Forgery.read(team.place.path);
  const entry = forgery.one('header').principals.find(({ id }) => id === invitation.principal);
  const { keys, identity } = await makePrincipalKeys(forgery.domain, systemRandom, {
    principal: invitation.principal,
    pins: { root: 0, rootDigest: forgery.lineDigest(forgery.one('root')), floor: forgery.one('header').n },
    time: forgery.snapshot.time,
    n: 1,
    credentials: [{ credential: { type: 'recovery', secret: systemRandom(32) }, kdf: null }],
    engine: 'native',
  });
  const succession = {
    kind: 'succession' as const,
    principal: invitation.principal,
    time: forgery.snapshot.time,
    signPub: keys.signPub,
    sealPub,
    prev: forgery.lineDigest(entry ?? {}),
    sig: '',
  };
  forgery.insert(await forgery.signWith(succession, await importSigningKey(invitation.seed)), 'header');
  const [slot] = keys.slots;
  if (slot === undefined || keys.bundle === null) throw new Error('no keys');
  if (credentials === 'all' || credentials === 'slot') forgery.insert(structuredClone(slot.value), 'slot');
  if (credentials === 'all' || credentials === 'bundle')
    forgery.insert(structuredClone(keys.bundle.value), 'bundle');
  await forgery.write(team.place.path, { principal: invitation.principal, signing: identity.signing });
}

const goodKey = async (): Promise<string> => encodeBase64url(await sealPublicKey(systemRandom(32)));
const badKey = encodeBase64url(new Uint8Array(1_216).fill(255));

describe('a succession', () => {
  test.each(['none', 'slot', 'bundle'] as const)(
    'with %s of its credentials is refused',
    async (credentials) => {
      await takePlace(await goodKey(), credentials);
      const error = await failureOf(asOwner(team, async (owner) => get(owner, 'db')));
      expect(error.exitCode).toBe(7);
    },
  );

  test('without a key to seal to is refused', async () => {
    await takePlace('');
    expect((await failureOf(asOwner(team, async (owner) => get(owner, 'db')))).exitCode).toBe(7);
  });

  test('with all of it is completed', async () => {
    await takePlace(await goodKey());
    await asOwner(team, async (owner) => {
      await put(owner, 'db', 'two');
      expect(await entryOf(owner, 'ada')).toMatchObject({ state: 'active' });
      expect(await verified(owner)).toBe(2);
    });
  });
});

describe('a succession with a key that nothing can be sealed to', () => {
  const writes: Readonly<Record<string, (owner: Vault) => Promise<unknown>>> = {
    'a value': async (owner) => put(owner, 'db', 'two'),
    'the policy': policyWrite,
    'somebody else': async (owner) => add(owner, 'ci', staging),
  };

  test.each(Object.entries(writes))('stops no administrator from changing %s', async (_, write) => {
    await takePlace(badKey);
    told.length = 0;
    await asOwner(team, async (owner) => {
      await write(owner);
      expect(told).toEqual([
        expect.stringMatching(/^ada has joined with keys that nothing can be sealed to/),
      ]);
      expect(await entryOf(owner, 'ada')).toMatchObject({ state: 'joined' });
      await verified(owner);
      await write(owner).catch(() => undefined);
      await remove(owner, 'ada');
      expect(await entryOf(owner, 'ada')).toBeUndefined();
      await verified(owner);
    });
    expect(Forgery.read(team.place.path).all('succession')).toEqual([]);
  });

  test('does not hold up who joins rightly', async () => {
    await takePlace(badKey);
    const hers = otherMachine(team);
    const entrance = await request(hers, 'bea', passphrase);
    await asOwner(team, async (owner) => addBy(owner, 'bea', staging, entrance));
    await finish(hers, passphrase);
    await asOwner(team, async (owner) => put(owner, 'db', 'two'));
    const bea = await openPassphrase(hers, passphrase, 'bea');
    expect(await get(bea, 'db')).toBe('two');
    bea.close();
    await asOwner(team, async (owner) => {
      expect(await entryOf(owner, 'bea')).toMatchObject({ state: 'active' });
      await verified(owner);
    });
  });
});

async function listerSigner(): Promise<{ principal: string; signing: SigningKey }> {
  return as(team.place, lister, async (vault) =>
    Promise.resolve({ principal: vault.identity.principal, signing: vault.identity.signing }),
  );
}

describe('what somebody who may only list puts into another one’s place', () => {
  test('a bundle that nobody signed, for who is awaited, is refused', async () => {
    const entrance = await request(otherMachine(team), 'ada', passphrase);
    await asOwner(team, async (owner) => addBy(owner, 'ada', staging, entrance));
    const forgery = Forgery.read(team.place.path);
    const slot = structuredClone(forgery.one('slot'));
    const bundle = structuredClone(forgery.one('bundle'));
    Object.assign(slot, { principal: entrance.id, id: 'AAAAAAAAAAA' });
    bundle.by = entrance.id;
    forgery.insert(slot, 'slot');
    forgery.insert(bundle, 'bundle');
    await forgery.write(team.place.path, await listerSigner());
    for (const work of [
      async (owner: Vault) => put(owner, 'db', 'two'),
      policyWrite,
      async (owner: Vault) => verified(owner),
    ])
      expect((await failureOf(asOwner(team, work))).exitCode).toBe(7);
  });

  test.each(['bundle', 'both'] as const)(
    'nothing: a joined one’s %s taken out is damage, not a wrong credential',
    async (what) => {
      const ci = await asOwner(team, async (owner) => add(owner, 'ci', staging));
      const hers = otherMachine(team);
      const id = await as(team.place, ci, async (vault) => Promise.resolve(vault.identity.principal));
      const forgery = Forgery.read(team.place.path);
      forgery.remove(forgery.one('bundle', id));
      if (what === 'both') forgery.remove(forgery.one('slot', id));
      await forgery.write(team.place.path, await listerSigner());
      expect((await failureOf(openToken(hers, ci))).exitCode).toBe(7);
      expect((await failureOf(openPassphrase(hers, passphrase, 'ci'))).exitCode).toBe(7);
    },
  );
});

describe('a newcomer’s completion', () => {
  test('is told to the administrator, and in the record', async () => {
    const text = await invited();
    await accept(otherMachine(team), text);
    told.length = 0;
    await asOwner(team, async (owner) => put(owner, 'db', 'two'));
    expect(told).toEqual(['ada has joined, and has now what it was promised']);
    expect(records(team.place).at(-1)).toMatchObject({
      op: 'put',
      detail: 'ada has joined, and has now what it was promised',
    });
    await asOwner(team, async (owner) => put(owner, 'db', 'three'));
    expect(told).toHaveLength(1);
  });

  test('is not told where she is removed instead', async () => {
    const text = await invited();
    await accept(otherMachine(team), text);
    told.length = 0;
    await asOwner(team, async (owner) => remove(owner, 'ada'));
    expect(told).toEqual([]);
  });
});
