/** Between being asked in and coming in, somebody puts another vault in the place of the true one: the newcomer does not join that. */
import { copyFileSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseBase64url } from '../../../src/crypto/bytes.ts';
import { encodeInvitation } from '../../../src/format/join-text.ts';
import { hasPendingJoin, makeJoinRequest } from '../../../src/vault/join-request.ts';
import type { Place } from '../../../src/vault/place.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { get, makeVault, placeIn, put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import {
  accept,
  asAda,
  invite,
  newcomer,
  parsedInvitation,
  passphrase,
  teamAndNewcomer,
} from '../../support/newcomer.ts';
import { add, addBy, asOwner, finish, remove, request, verifiedByOwner } from '../../support/team.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const may = { can: 'read,write', env: 'staging' };

let team: SampleVault;
let hers: Place;

beforeEach(async () => {
  ({ team, hers } = await teamAndNewcomer('true'));
});

/** A vault of the meddler’s own with the true one’s id and the newcomer’s entry, in the true one’s place. */
async function swap(): Promise<void> {
  const real = Forgery.read(team.place.path);
  const id = parseBase64url(real.one('vault').id);
  const entry = real.one('header').principals.find(({ name }) => name === 'ada');
  if (id === null || entry === undefined) throw new Error('no entry');
  let first = true;
  const random = (length: number): Uint8Array<ArrayBuffer> => {
    if (!first) return systemRandom(length);
    first = false;
    return id.slice();
  };
  const fake = await makeVault(placeIn(temporaryFolder(), { random }), ['staging', 'production']);
  expect(fake.vaultId).toBe(team.vaultId);
  const { signPub, sealPub, invited } = entry;
  const entrance =
    signPub === ''
      ? ({ type: 'invitation', id: entry.id, publicKey: invited } as const)
      : ({ type: 'keys', id: entry.id, signPub, sealPub } as const);
  await asOwner(fake, async (meddler) => addBy(meddler, 'ada', may, entrance));
  copyFileSync(fake.place.path, team.place.path);
  copyFileSync(fake.place.audit.path, team.place.audit.path);
}

const invited = async (): Promise<string> => asOwner(team, async (owner) => invite(owner, 'ada', may));

async function requested(): Promise<void> {
  const entrance = await request(hers, 'ada', passphrase);
  await asOwner(team, async (owner) => addBy(owner, 'ada', may, entrance));
}

describe('a vault of a meddler’s own in the place of the true one', () => {
  test('is refused by who made a request, and nothing is put into it', async () => {
    await requested();
    await swap();
    const before = readFileSync(team.place.path);
    const error = await failureOf(finish(hers, passphrase));
    expect([error.exitCode, error.message]).toEqual([7, expect.stringContaining('do not descend')]);
    expect(readFileSync(team.place.path)).toEqual(before);
    expect(hasPendingJoin(hers)).toBe(true);
  });

  test('is refused by who was invited, and nothing is put into it', async () => {
    const text = await invited();
    await swap();
    const before = readFileSync(team.place.path);
    expect(await failureOf(accept(hers, text))).toMatchObject({
      exitCode: 7,
      message: expect.stringContaining('not the vault that you were invited to') as string,
    });
    expect(readFileSync(team.place.path)).toEqual(before);
  });

  test('is refused with the true invitation under any other pin', async () => {
    const invitation = parsedInvitation(await invited());
    const text = encodeInvitation({ ...invitation, pin: systemRandom(16) });
    expect(await failureOf(accept(hers, text))).toMatchObject({ exitCode: 7 });
  });
});

describe('the true vault, whatever honest people did meanwhile,', () => {
  /** A new root: another administrator comes, and goes. */
  async function newRoots(): Promise<void> {
    await asOwner(team, async (owner) => {
      await add(owner, 'boss', { can: 'admin' });
    });
  }

  test('is joined by request under later administrators', async () => {
    await requested();
    await newRoots();
    expect(await finish(hers, passphrase)).toBe('ada');
    expect(await asAda(hers, async (ada) => get(ada, 'db'))).toBe('true');
  });

  test('is joined by invitation under later administrators', async () => {
    const text = await invited();
    await newRoots();
    expect(await accept(hers, text)).toBe('ada');
    await asOwner(team, async (owner) => put(owner, 'db', 'later'));
    expect(await asAda(hers, async (ada) => get(ada, 'db'))).toBe('later');
  });

  test('is joined by invitation though somebody writes while the passphrase is typed', async () => {
    const text = await invited();
    const write = async (): Promise<unknown> => asOwner(team, async (owner) => put(owner, 'db', 'meanwhile'));
    expect(await accept(hers, text, write)).toBe('ada');
    await verifiedByOwner(team);
    await asOwner(team, async (owner) => put(owner, 'unrelated', 'x'));
    expect(await asAda(hers, async (ada) => get(ada, 'db'))).toBe('meanwhile');
    await verifiedByOwner(team);
  });

  test('is joined by request though somebody writes while the passphrase is typed', async () => {
    const entrance = await request(hers, 'ada', passphrase);
    const slow: Place = {
      ...hers,
      // The lock is taken when the passphrase has been typed.
      acquireLock: async (...given) => {
        await asOwner(team, async (owner) => put(owner, 'db', 'meanwhile'));
        return hers.acquireLock(...given);
      },
    };
    await asOwner(team, async (owner) => addBy(owner, 'ada', may, entrance));
    expect(await finish(slow, passphrase)).toBe('ada');
    expect(await asAda(hers, async (ada) => get(ada, 'db'))).toBe('meanwhile');
    await verifiedByOwner(team);
  });

  test('is not joined where the place is taken back while the passphrase is typed', async () => {
    const text = await invited();
    const error = await failureOf(
      accept(hers, text, async () => asOwner(team, async (owner) => remove(owner, 'ada'))),
    );
    expect(error.exitCode).toBe(4);
    await verifiedByOwner(team);
  });
});

describe('a second request', () => {
  const ask = async (replace: boolean) =>
    makeJoinRequest(hers, 'ada', async () => Promise.resolve(newcomer), replace);

  test('is refused: the keys of the first would be lost; with --replace they are given up', async () => {
    const first = await ask(false);
    let asked = false;
    const error = await failureOf(
      makeJoinRequest(hers, 'ada', async () => {
        asked = true;
        return Promise.resolve(newcomer);
      }),
    );
    expect(error).toMatchObject({ exitCode: 8, code: 'ALREADY_EXISTS' });
    expect(error.hint).toContain('--replace');
    expect(asked).toBe(false);
    const second = await ask(true);
    expect(second.id).not.toBe(first.id);
    const { id, signPub, sealPub } = second;
    await asOwner(team, async (owner) => addBy(owner, 'ada', may, { type: 'keys', id, signPub, sealPub }));
    expect(await finish(hers, passphrase)).toBe('ada');
  });

  test('is fine once the first is finished', async () => {
    await requested();
    await finish(hers, passphrase);
    await ask(false);
  });
});
