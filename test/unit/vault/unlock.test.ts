/**
 * From a credential to a principal: what is checked before any key derivation runs, and what is told apart. Stretching is watched:
 * a file that fails its public checks must not make anybody's machine work. docs/format.md section 6, steps 2 to 6.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { identityOf, makeBundle, type Identity } from '../../../src/access/bundle.ts';
import { makeSlot, type Credential } from '../../../src/access/slot.ts';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import * as kdf from '../../../src/crypto/kdf.ts';
import type { SecretsManagerError } from '../../../src/errors.ts';
import type { SlotLine } from '../../../src/format/lines.ts';
import type { Place } from '../../../src/vault/place.ts';
import { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { addPrincipal, Forgery, type Open } from '../../support/forgery.ts';
import {
  cheapKdf,
  get,
  makeVault,
  open,
  openWithSecret,
  placeIn,
  put,
  samplePassphrase,
  systemRandom,
  type SampleVault,
} from '../../support/sample-vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

vi.mock(import('../../../src/crypto/kdf.ts'), async (importOriginal) => {
  const original = await importOriginal();
  return { ...original, stretch: vi.fn<typeof original.stretch>(original.stretch) };
});

const stretched = vi.mocked(kdf.stretch);

let sample: SampleVault;
let place: Place;
let owner: Identity;

beforeEach(async () => {
  place = placeIn(temporaryFolder());
  sample = await makeVault(place, ['development']);
  const vault = await open(sample);
  owner = { ...vault.identity, bundleKey: vault.identity.bundleKey.slice() };
  await put(vault, 'a', 'one');
  vault.close();
  stretched.mockClear();
});

/** Open with passphrases, in turn. How often a credential was asked for is counted. */
async function openBy(
  passphrases: readonly string[],
  at: Place = place,
): Promise<{ vault: Vault; asked: number }> {
  let asked = 0;
  const credentials = async (attempt: number): Promise<Credential | null> => {
    asked = attempt;
    const passphrase = passphrases[attempt - 1];
    return Promise.resolve(passphrase === undefined ? null : { type: 'passphrase', passphrase });
  };
  return { vault: await Vault.open(at, { principal: 'owner', credentials }), asked };
}

const failureBy = async (passphrases: readonly string[], at: Place = place): Promise<SecretsManagerError> =>
  failureOf(openBy(passphrases, at));

const passphraseSlot = (forgery: Forgery): Open<SlotLine> => {
  const slot = forgery.all('slot').find(({ type }) => type === 'passphrase');
  if (slot === undefined) throw new Error('no passphrase slot');
  return slot;
};

/** List the slots of the owner in its bundle, as they are now, and sign it: what only the owner can do. */
async function relist(forgery: Forgery): Promise<void> {
  const bundle = forgery.one('bundle');
  bundle.slots = forgery.all('slot').map((slot) => forgery.lineDigest(slot));
  await forgery.sign(bundle, owner);
}

describe('a credential', () => {
  test('that is right stretches once', async () => {
    const { vault } = await openBy([samplePassphrase]);
    expect(await get(vault, 'a')).toBe('one');
    vault.close();
    expect(stretched).toHaveBeenCalledTimes(1);
  });

  test('may be typed again; every wrong one is recorded, by nobody', async () => {
    const { vault, asked } = await openBy(['wrong', 'wrong too', samplePassphrase]);
    vault.close();
    expect(asked).toBe(3);
    const lines = readFileSync(place.audit.path, 'utf8').trimEnd().split('\n');
    const records = lines.slice(-2).map((line) => JSON.parse(line) as object);
    expect(records).toMatchObject([
      { op: 'unlock', ok: false, count: 1 },
      { op: 'unlock', ok: false, count: 1 },
    ]);
    expect(records[0]).not.toHaveProperty('principal');
  });

  test('that is wrong is exit 4, and nothing of the vault is told', async () => {
    const error = await failureBy(['wrong']);
    expect({ code: error.code, exit: error.exitCode }).toEqual({ code: 'UNLOCK_FAILED', exit: 4 });
  });

  test.each(['', samplePassphrase.toUpperCase(), `${samplePassphrase} `, ` ${samplePassphrase}`])(
    'is taken as it is: %j does not open',
    async (passphrase) => {
      expect((await failureBy([passphrase])).code).toBe('UNLOCK_FAILED');
    },
  );

  test('of another kind than any slot is exit 4', async () => {
    const token = {
      type: 'token',
      slot: encodeBase64url(new Uint8Array(8)),
      secret: new Uint8Array(32),
    } as const;
    const credentials = async (attempt: number) => Promise.resolve(attempt > 1 ? null : token);
    expect((await failureOf(Vault.open(place, { principal: null, credentials }))).exitCode).toBe(4);
    const keyFile = new Uint8Array(32);
    const withFile = async (attempt: number) =>
      Promise.resolve(
        attempt > 1 ? null : ({ type: 'passphrase', passphrase: samplePassphrase, keyFile } as const),
      );
    expect((await failureOf(Vault.open(place, { principal: null, credentials: withFile }))).exitCode).toBe(4);
    expect(stretched).not.toHaveBeenCalled();
  });

  test('of one in decomposed letters opens what was made with composed ones', async () => {
    const forgery = Forgery.read(place.path);
    const credential = { type: 'passphrase', passphrase: 'caf\u00e9' } as const;
    const wanted = { principal: owner.principal, credential, kdf: cheapKdf, engine: 'native' } as const;
    const { line } = await makeSlot(forgery.domain, systemRandom, wanted, owner.bundleKey);
    Object.assign(passphraseSlot(forgery), { ...structuredClone(line.value), id: line.value.id });
    const slots = forgery
      .all('slot')
      .sort((a, b) => Buffer.compare(Buffer.from(a.id, 'base64url'), Buffer.from(b.id, 'base64url')));
    for (const slot of slots) forgery.remove(slot);
    for (const slot of slots) forgery.insert(slot, 'header', 'slot');
    await relist(forgery);
    await forgery.write(place.path, owner);
    stretched.mockClear();
    const { vault } = await openBy(['cafe\u0301']);
    vault.close();
    expect(stretched).toHaveBeenCalledTimes(1);
  });
});

describe('KDF parameters of the file that are out of bounds: exit 7, and nothing is stretched', () => {
  test.each([
    { name: 'argon2id', memoryKiB: 2_097_153, passes: 3, lanes: 1 },
    { name: 'argon2id', memoryKiB: 4_294_967_296, passes: 3, lanes: 1 },
    { name: 'argon2id', memoryKiB: 8_191, passes: 3, lanes: 1 },
    { name: 'argon2id', memoryKiB: 0, passes: 3, lanes: 1 },
    { name: 'argon2id', memoryKiB: 65_536, passes: 0, lanes: 1 },
    { name: 'argon2id', memoryKiB: 65_536, passes: 33, lanes: 1 },
    { name: 'argon2id', memoryKiB: 65_536, passes: 3, lanes: 0 },
    { name: 'argon2id', memoryKiB: 65_536, passes: 3, lanes: 17 },
    { name: 'argon2id', memoryKiB: 65_536.5, passes: 3, lanes: 1 },
    { name: 'argon2id', memoryKiB: '65536', passes: 3, lanes: 1 },
    { name: 'argon2i', memoryKiB: 65_536, passes: 3, lanes: 1 },
    { name: 'pbkdf2-hmac-sha256', iterations: 99_999 },
    { name: 'pbkdf2-hmac-sha256', iterations: 10_000_001 },
    { name: 'pbkdf2-hmac-sha256', iterations: -1 },
    { name: 'pbkdf2-hmac-sha1', iterations: 600_000 },
    { name: 'none' },
    { name: 'none', iterations: 1 },
    {},
    null,
  ])('%j', async (parameters) => {
    const forgery = Forgery.read(place.path);
    passphraseSlot(forgery).kdf = parameters as SlotLine['kdf'];
    await relist(forgery);
    await forgery.write(place.path, owner);
    const error = await failureBy([samplePassphrase]);
    expect(error.exitCode).toBe(7);
    expect(stretched).not.toHaveBeenCalled();
  });
});

describe('slots that their principal has not signed: exit 7, and nothing is stretched', () => {
  /** Within the bounds, and half an hour of work for a machine that has the memory. */
  const huge = { name: 'argon2id', memoryKiB: 2_097_152, passes: 32, lanes: 16 } as const;

  test('parameters changed by somebody who may sign the snapshot', async () => {
    const admin = await open(sample);
    const forgery = Forgery.read(place.path);
    const insider = await addPrincipal(forgery, admin, { name: 'lister', list: ['development'] });
    admin.close();
    passphraseSlot(forgery).kdf = huge;
    await forgery.write(place.path, insider);
    const error = await failureBy([samplePassphrase]);
    expect(error.exitCode).toBe(7);
    expect(error.message).toContain('not those that their principal signed');
    expect(stretched).not.toHaveBeenCalled();
  });

  test.each(['removed', 'doubled', 'swapped', 'with another salt'])('%s', async (what) => {
    const forgery = Forgery.read(place.path);
    const [first, second] = forgery.all('slot');
    if (first === undefined || second === undefined) throw new Error('two slots are there');
    if (what === 'removed') forgery.remove(first);
    else if (what === 'doubled') forgery.insert(structuredClone(first), 'slot');
    else if (what === 'swapped') {
      forgery.remove(first);
      forgery.insert(first, 'slot');
    } else passphraseSlot(forgery).salt = encodeBase64url(new Uint8Array(16));
    await forgery.write(place.path, owner);
    const error = await failureBy([samplePassphrase]);
    expect(error.exitCode).toBe(7);
    expect(stretched).not.toHaveBeenCalled();
  });

  test('taken out by somebody who may sign the snapshot, where nobody says who is unlocking', async () => {
    const forgery = Forgery.read(place.path);
    const admin = await open(sample);
    const insider = await addPrincipal(forgery, admin, { name: 'lister', list: ['development'] });
    admin.close();
    forgery.remove(passphraseSlot(forgery));
    await forgery.write(place.path, insider);
    const credentials = async (attempt: number): Promise<Credential | null> =>
      Promise.resolve(attempt > 1 ? null : { type: 'passphrase', passphrase: samplePassphrase });
    expect((await failureOf(Vault.open(place, { principal: null, credentials }))).exitCode).toBe(7);
    expect(stretched).not.toHaveBeenCalled();
  });

  test('a bundle signed by somebody else', async () => {
    const forgery = Forgery.read(place.path);
    const admin = await open(sample);
    const insider = await addPrincipal(forgery, admin, { name: 'lister', list: ['development'] });
    admin.close();
    passphraseSlot(forgery).kdf = huge;
    const bundle = forgery.one('bundle');
    bundle.slots = forgery
      .all('slot')
      .filter(({ principal }) => principal === owner.principal)
      .map((slot) => forgery.lineDigest(slot));
    await forgery.signWith(bundle, insider.signing);
    await forgery.write(place.path, insider);
    expect((await failureBy([samplePassphrase])).message).toContain('signature');
    expect(stretched).not.toHaveBeenCalled();
  });
});

describe('a stranger’s vault', () => {
  let theirs: SampleVault;
  let stranger: Identity;

  beforeEach(async () => {
    theirs = await makeVault(placeIn(temporaryFolder()), ['development']);
    const vault = await open(theirs);
    stranger = vault.identity;
    vault.close();
    stretched.mockClear();
  });

  test('with the victim’s slot lines grafted in: exit 7, and nothing is stretched', async () => {
    const ours = Forgery.read(place.path);
    const forged = Forgery.read(theirs.place.path);
    for (const slot of forged.all('slot')) forged.remove(slot);
    const victim = ours.one('header').principals[0];
    if (victim !== undefined) forged.one('header').principals.push({ ...victim, name: 'victim' });
    for (const slot of ours.all('slot')) forged.insert(slot, 'header', 'slot');
    forged.insert(ours.one('bundle'), 'slot', 'bundle');
    await forged.signHeader(stranger);
    await forged.write(place.path, stranger);
    let asked = 0;
    const credentials = async (attempt: number): Promise<Credential | null> => {
      asked += 1;
      return Promise.resolve(attempt > 1 ? null : { type: 'passphrase', passphrase: samplePassphrase });
    };
    const error = await failureOf(Vault.open(place, { principal: 'victim', credentials }));
    expect(error.exitCode).toBe(7);
    expect(asked).toBe(1);
    expect(stretched).not.toHaveBeenCalled();
  });

  /** A file that says that it is ours, and is consistent in itself: every public key in it is the stranger's. */
  async function impersonation(): Promise<Forgery> {
    const forged = Forgery.read(place.path);
    const own = { principal: owner.principal, signing: stranger.signing };
    const signPub = encodeBase64url(stranger.signing.publicKey);
    const root = forged.one('root');
    root.admins = [[owner.principal, signPub]];
    await forged.sign(root, own);
    const header = forged.one('header');
    header.root = forged.lineDigest(root);
    for (const principal of header.principals) principal.signPub = signPub;
    await forged.signHeader(own);
    await forged.sign(forged.one('bundle'), own);
    await forged.signPart(forged.one('names'), own);
    await forged.signPart(forged.one('values'), own);
    await forged.write(place.path, own);
    return forged;
  }

  test('that is consistent in itself and has our id, our slots and our bundle: exit 7', async () => {
    await impersonation();
    const error = await failureBy([samplePassphrase]);
    expect(error.exitCode).toBe(7);
    expect(error.message).toContain('not the listed one');
    // A machine that has never seen the vault has nothing to hold these keys against before it has stretched.
    expect(stretched).toHaveBeenCalledTimes(1);
  });

  test('and on a machine that knows the vault: before anything is asked or stretched', async () => {
    const remembering = { ...place, stateFolder: path.join(temporaryFolder(), 'state') };
    const vault = await openWithSecret(remembering, await secretOf(sample), 'owner');
    await get(vault, 'a');
    vault.close();
    stretched.mockClear();
    await impersonation();
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      return Promise.resolve(null);
    };
    const error = await failureOf(Vault.open(remembering, { principal: 'owner', credentials }));
    expect(error.exitCode).toBe(7);
    expect(asked).toBe(0);
    expect(stretched).not.toHaveBeenCalled();
  });

  test('where any signature is wrong, no credential is asked for', async () => {
    copyFileSync(theirs.place.path, place.path);
    const text = readFileSync(place.path, 'utf8');
    writeFileSync(place.path, text.replace('"name":"owner"', '"name":"ownes"'));
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      return Promise.resolve(null);
    };
    expect((await failureOf(Vault.open(place, { principal: null, credentials }))).exitCode).toBe(7);
    expect(asked).toBe(0);
  });
});

async function secretOf({ recoveryKey }: SampleVault): Promise<Uint8Array<ArrayBuffer>> {
  const { parseRecoveryKey } = await import('../../../src/format/key-text.ts');
  return (await parseRecoveryKey(recoveryKey)) ?? new Uint8Array(0);
}

describe('damage is not taken for a wrong credential: exit 7', () => {
  test('a wrapped key that does not open', async () => {
    const forgery = Forgery.read(place.path);
    const slot = passphraseSlot(forgery);
    slot.wrapped = encodeBase64url(systemRandom(Buffer.from(slot.wrapped, 'base64url').length));
    await relist(forgery);
    await forgery.write(place.path, owner);
    expect((await failureBy([samplePassphrase])).exitCode).toBe(7);
  });

  test('a hint or an id put into a slot that was made with others', async () => {
    for (const change of [{ hint: 'x' }, { salt: encodeBase64url(new Uint8Array(16)) }]) {
      const forgery = Forgery.read(place.path);
      Object.assign(passphraseSlot(forgery), change);
      await relist(forgery);
      await forgery.write(place.path, owner);
      // Another salt is another key, and looks like a wrong passphrase; the hint is bound by the seal alone.
      expect((await failureBy([samplePassphrase])).exitCode).toBe('hint' in change ? 7 : 4);
    }
  });

  test('a bundle that does not open', async () => {
    const forgery = Forgery.read(place.path);
    const bundle = forgery.one('bundle');
    bundle.n += 1;
    await forgery.sign(bundle, owner);
    await forgery.write(place.path, owner);
    expect((await failureBy([samplePassphrase])).exitCode).toBe(7);
  });

  test('a bundle of another principal', async () => {
    const forgery = Forgery.read(place.path);
    const content = { ...owner.content, principal: encodeBase64url(new Uint8Array(8)) };
    const identity = { ...(await identityOf(content, owner.bundleKey, '')), principal: owner.principal };
    const [time, slots] = [forgery.snapshot.time, forgery.all('slot')];
    const raw = slots.map((slot) => ({
      raw: Uint8Array.from(Buffer.from(JSON.stringify(slot))),
      value: slot,
    }));
    const bundle = await makeBundle(forgery.domain, systemRandom, identity, raw, { n: 1, time });
    Object.assign(forgery.one('bundle'), bundle.value);
    await forgery.write(place.path, owner);
    expect((await failureBy([samplePassphrase])).message).toContain('belongs elsewhere');
  });
});

describe('pins in the bundle', () => {
  test('a header below the floor is a rollback', async () => {
    const forgery = Forgery.read(place.path);
    const identity = { ...owner, content: { ...owner.content, floor: 5 } };
    const raw = forgery
      .all('slot')
      .map((slot) => ({ raw: Uint8Array.from(Buffer.from(JSON.stringify(slot))), value: slot }));
    const { time } = forgery.snapshot;
    Object.assign(
      forgery.one('bundle'),
      (await makeBundle(forgery.domain, systemRandom, identity, raw, { n: 1, time })).value,
    );
    await forgery.write(place.path, owner);
    expect((await failureBy([samplePassphrase])).code).toBe('ROLLBACK');
  });
});

describe('many slots of a type', () => {
  /** The owner's slots are decoys of this type, whose ids come first, and the real one. */
  async function withDecoys(type: 'passphrase' | 'recovery', decoys: number): Promise<Place> {
    const forgery = Forgery.read(place.path);
    const real = forgery.all('slot').find((slot) => slot.type === type);
    if (real === undefined) throw new Error(`no ${type} slot`);
    for (const slot of forgery.all('slot')) forgery.remove(slot);
    for (let number = 0; number < decoys; number++) {
      const id = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, number);
      const credential: Credential =
        type === 'recovery' ? { type, secret: systemRandom(32) } : { type, passphrase: `decoy ${number}` };
      const common = { principal: owner.principal, credential, engine: 'native' } as const;
      const random = (length: number) => (length === id.length ? id : systemRandom(length));
      const wanted = { ...common, kdf: type === 'recovery' ? null : cheapKdf };
      const { line } = await makeSlot(forgery.domain, random, wanted, owner.bundleKey);
      forgery.insert(structuredClone(line.value), 'header', 'slot');
    }
    forgery.insert(real, 'slot');
    await relist(forgery);
    const other = placeIn(temporaryFolder());
    await forgery.write(other.path, owner);
    stretched.mockClear();
    return other;
  }

  test('four passphrase slots are tried, in file order', async () => {
    (await openBy([samplePassphrase], await withDecoys('passphrase', 3))).vault.close();
    expect(stretched).toHaveBeenCalledTimes(4);
  });

  test('and not a fifth: nobody makes us stretch for ever', async () => {
    expect((await failureBy([samplePassphrase], await withDecoys('passphrase', 4))).code).toBe(
      'UNLOCK_FAILED',
    );
    expect(stretched).toHaveBeenCalledTimes(4);
  });

  test('recovery slots cost nothing: all of them are tried', async () => {
    (await openWithSecret(await withDecoys('recovery', 7), await secretOf(sample), 'owner')).close();
    expect(stretched).not.toHaveBeenCalled();
  });
});

test('a principal that has expired is told so, exit 5', async () => {
  const admin = await open(sample);
  const forgery = Forgery.read(place.path);
  const expires = new Date(Date.now() + 86_400_000).toISOString();
  const guest = await addPrincipal(forgery, admin, { name: 'guest', read: ['development'], expires });
  admin.close();
  await forgery.write(place.path, owner);
  (await openWithSecret(place, guest.secret, 'guest')).close();
  const later = { ...place, now: () => new Date(Date.now() + 2 * 86_400_000) };
  expect((await failureOf(openWithSecret(later, guest.secret, 'guest'))).exitCode).toBe(5);
});
