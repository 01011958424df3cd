/**
 * Slots of devices and identities, apart from any vault: what their keys depend on. An age recipient is public, and so is all that a
 * meddler needs to seal 32 bytes to it; that must not be enough for a slot that its owner's identity opens.
 */
import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  makeSlot,
  newSlotId,
  openSlot,
  stretchWith,
  type AgeIdentity,
  type Credential,
} from '../../../src/access/slot.ts';
import { encodeBase64url, parseBase64url, type Bytes } from '../../../src/crypto/bytes.ts';
import { sealToAge } from '../../../src/crypto/age.ts';
import { hkdfSha256 } from '../../../src/crypto/hash.ts';
import { Domain } from '../../../src/crypto/pae.ts';
import { ageOpener } from '../../../src/devices/age.ts';
import { encodeAgeHint } from '../../../src/format/age-hint.ts';
import type { SlotLine } from '../../../src/format/lines.ts';
import { failureOf } from '../../support/failure.ts';
import { cheapKdf, systemRandom } from '../../support/sample-vault.ts';

const domain = new Domain(encodeBase64url(systemRandom(16)));
const principal = encodeBase64url(systemRandom(8));
const engine = 'native';

async function slotFor(credential: Credential, hint: string): Promise<{ slot: SlotLine; slotKey: Bytes }> {
  const kdf = credential.type === 'pkcs11' ? cheapKdf : null;
  const wanted = { principal, credential, kdf, engine, hint: () => hint } as const;
  const { line, slotKey } = await makeSlot(domain, systemRandom, wanted, systemRandom(32));
  return { slot: line.value, slotKey };
}

const open = async (slot: SlotLine, credential: Credential): Promise<Bytes> =>
  openSlot(domain, slot, credential, stretchWith(engine));

describe('an age slot', () => {
  let identity: string;
  let recipient: string;
  let secret: Bytes;
  let hint: string;
  let owner: AgeIdentity;

  beforeAll(async () => {
    identity = await generateHybridIdentity();
    recipient = await identityToRecipient(identity);
    secret = systemRandom(32);
    // All of this needs nothing but the recipient.
    hint = encodeAgeHint({ recipient, file: await sealToAge(recipient, secret) });
    owner = { type: 'age', open: ageOpener(() => identity) };
  });

  test('opens with its identity', async () => {
    const { slot, slotKey } = await slotFor(owner, hint);
    expect(await open(slot, owner)).toEqual(slotKey);
  });

  test('that somebody made with the 32 bytes and without the identity does not open', async () => {
    const other = await generateHybridIdentity();
    for (const guess of ['', recipient, other, 'AGE-SECRET-KEY-PQ-1', identity.toLowerCase()]) {
      const meddler: AgeIdentity = {
        type: 'age',
        open: async () => Promise.resolve({ secret: secret.slice(), identity: guess }),
      };
      const { slot } = await slotFor(meddler, hint);
      await expect(open(slot, meddler)).resolves.toHaveLength(32);
      const failure = await failureOf(open(slot, owner));
      expect(failure).toMatchObject({ code: 'UNLOCK_FAILED', message: 'wrong age identity' });
    }
  });

  test('that somebody made of the 32 bytes alone does not open', async () => {
    const { slot } = await slotFor(owner, hint);
    const salt = parseBase64url(slot.salt) ?? new Uint8Array(0);
    const info = domain.encode('slot', principal, slot.id, 'age', JSON.stringify(slot.kdf));
    const commit = (await hkdfSha256(secret, salt, info, 64)).slice(0, 32);
    const failure = await failureOf(open({ ...slot, commit: encodeBase64url(commit) }, owner));
    expect(failure).toMatchObject({ code: 'UNLOCK_FAILED' });
  });

  test('for somebody else is a failed unlock; a damaged hint is damage', async () => {
    const { slot } = await slotFor(owner, hint);
    const other = await generateHybridIdentity();
    const stranger: AgeIdentity = { type: 'age', open: ageOpener(() => other) };
    expect(await failureOf(open(slot, stranger))).toMatchObject({ code: 'UNLOCK_FAILED' });
    expect(await failureOf(open({ ...slot, hint: `${hint} ` }, owner))).toMatchObject({ code: 'INTEGRITY' });
  });
});

describe('a device slot', () => {
  const signature = systemRandom(64);
  const uri = 'pkcs11:token=work;id=%01';

  function device(passphrase: string, signs = signature, asked: unknown[] = []): Credential {
    return {
      type: 'pkcs11',
      passphrase,
      present: async () => Promise.resolve(true),
      sign: async (stored, message) => {
        asked.push([stored, message]);
        return Promise.resolve(signs.slice());
      },
    };
  }

  test('opens with its passphrase and its signature, and with both only', async () => {
    const { slot, slotKey } = await slotFor(device('mine'), uri);
    expect(await open(slot, device('mine'))).toEqual(slotKey);
    for (const wrong of [
      device('other'),
      device('mine', systemRandom(64)),
      device('mine', signature.slice(1)),
    ]) {
      const failure = await failureOf(open(slot, wrong));
      expect(failure).toMatchObject({
        code: 'UNLOCK_FAILED',
        message: 'wrong passphrase, or another device',
      });
    }
  });

  test('has the device sign for this vault, principal and slot, by the hint that is stored', async () => {
    const { slot } = await slotFor(device('mine'), uri);
    const asked: unknown[] = [];
    await open(slot, device('mine', signature, asked));
    const salt = new Uint8Array(Buffer.from(slot.salt, 'base64url'));
    expect(asked).toEqual([[uri, domain.encode('pkcs11', principal, slot.id, salt)]]);
  });

  test('does not ask the device for an empty passphrase', async () => {
    const { slot } = await slotFor(device('mine'), uri);
    const asked: unknown[] = [];
    expect(await failureOf(open(slot, device('', signature, asked)))).toMatchObject({
      code: 'UNLOCK_FAILED',
    });
    expect(asked).toEqual([]);
  });
});

test('the id of a slot does not begin like an option', () => {
  for (let first = 0; first < 256; first++) {
    const id = newSlotId((length) => new Uint8Array(length).fill(first));
    expect(encodeBase64url(id)).toMatch(/^[\w][\w-]{10}$/u);
  }
});
