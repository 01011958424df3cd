/** Between being asked in and coming in, somebody puts another vault in the place of the true one: the newcomer does not join that. */
import { copyFileSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseBase64url } from '../../../src/crypto/bytes.ts';
import { encodeInvitation, parseInvitation } from '../../../src/format/join-text.ts';
import { newInvitation } from '../../../src/vault/invitation.ts';
import { acceptInvitation, hasPendingJoin, makeJoinRequest } from '../../../src/vault/join.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import type { Place } from '../../../src/vault/place.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import {
  cheapKdf,
  get,
  makeVault,
  placeIn,
  put,
  systemRandom,
  type SampleVault,
} from '../../support/sample-vault.ts';
import {
  add,
  addBy,
  asOwner,
  finish,
  openPassphrase,
  otherMachine,
  remove,
  request,
  teamVault,
} from '../../support/team.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const passphrase = 'hers alone';
const newcomer = { credential: { type: 'passphrase', passphrase } as const, kdf: cheapKdf };
const may = { can: 'read,write', env: 'staging' };

let team: SampleVault;
let hers: Place;

beforeEach(async () => {
  team = await teamVault(['staging', 'production']);
  // A newcomer’s machine remembers nothing of the vault but what the newcomer has done itself.
  hers = otherMachine(team);
  await asOwner(team, async (owner) => put(owner, 'db', 'true'));
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

async function invite(): Promise<string> {
  return asOwner(team, async (owner) => {
    const { entrance, text } = await newInvitation(systemRandom, owner.authority);
    await addBy(owner, 'ada', may, entrance);
    return text;
  });
}

async function accept(
  text: string,
  meanwhile: () => Promise<unknown> = async () => Promise.resolve(),
): Promise<string> {
  const invitation = parseInvitation(text);
  if (invitation === null) throw new Error('not an invitation');
  return acceptInvitation(hers, invitation, async () => {
    await meanwhile();
    return newcomer;
  });
}

async function asAda<T>(work: (ada: Awaited<ReturnType<typeof openPassphrase>>) => Promise<T>): Promise<T> {
  const ada = await openPassphrase(hers, passphrase, 'ada');
  try {
    return await work(ada);
  } finally {
    ada.close();
  }
}

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
    const text = await invite();
    await swap();
    const before = readFileSync(team.place.path);
    expect(await failureOf(accept(text))).toMatchObject({
      exitCode: 7,
      message: expect.stringContaining('not the vault that you were invited to') as string,
    });
    expect(readFileSync(team.place.path)).toEqual(before);
  });

  test('is refused with the true invitation under any other pin', async () => {
    const invitation = parseInvitation(await invite());
    if (invitation === null) throw new Error('not an invitation');
    const text = encodeInvitation({ ...invitation, pin: systemRandom(16) });
    expect(await failureOf(accept(text))).toMatchObject({ exitCode: 7 });
  });
});

describe('the true vault, whatever honest people did meanwhile,', () => {
  /** A new root: another administrator comes, and goes. */
  async function newRoots(): Promise<void> {
    await asOwner(team, async (owner) => {
      await add(owner, 'boss', { can: 'admin' });
    });
  }

  const verified = async (): Promise<number> =>
    asOwner(team, async (owner) =>
      owner.read('verify', async (scope) => (await verifyVault(scope, owner.place)).versions),
    );

  test('is joined by request under later administrators', async () => {
    await requested();
    await newRoots();
    expect(await finish(hers, passphrase)).toBe('ada');
    expect(await asAda(async (ada) => get(ada, 'db'))).toBe('true');
  });

  test('is joined by invitation under later administrators', async () => {
    const text = await invite();
    await newRoots();
    expect(await accept(text)).toBe('ada');
    await asOwner(team, async (owner) => put(owner, 'db', 'later'));
    expect(await asAda(async (ada) => get(ada, 'db'))).toBe('later');
  });

  test('is joined by invitation though somebody writes while the passphrase is typed', async () => {
    const text = await invite();
    const write = async (): Promise<unknown> => asOwner(team, async (owner) => put(owner, 'db', 'meanwhile'));
    expect(await accept(text, write)).toBe('ada');
    await verified();
    await asOwner(team, async (owner) => put(owner, 'unrelated', 'x'));
    expect(await asAda(async (ada) => get(ada, 'db'))).toBe('meanwhile');
    await verified();
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
    expect(await asAda(async (ada) => get(ada, 'db'))).toBe('meanwhile');
    await verified();
  });

  test('is not joined where the place is taken back while the passphrase is typed', async () => {
    const text = await invite();
    const error = await failureOf(
      accept(text, async () => asOwner(team, async (owner) => remove(owner, 'ada'))),
    );
    expect(error.exitCode).toBe(4);
    await verified();
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
