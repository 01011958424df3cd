/** HPKE: what is sealed to a key opens with its seed and with nothing else, and no malformed key or text gets through. */
import { createPublicKey, diffieHellman, generateKeyPairSync, hash } from 'node:crypto';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import type { KEMFactory } from 'hpke';
import { describe, expect, test } from 'vitest';
import { concatBytes, equalBytes, parseHex, utf8, type Bytes } from '../../../src/crypto/bytes.ts';
import {
  AEAD_AES_256_GCM,
  CipherSuite,
  KDF_HKDF_SHA256,
  KEM_MLKEM768_X25519,
} from '../../../src/crypto/hpke-suite.ts';
import { hpkeOpen, hpkeSeal, sealPublicKey } from '../../../src/crypto/hpke.ts';
import { EncryptionError } from '../../../src/errors.ts';
import { systemRandom } from '../../support/sample-vault.ts';

const encLength = 1_120;
const tagLength = 16;
/** Where the X25519 half begins: in a public key and in an enc. */
const publicHalf = 1_184;
const encHalf = 1_088;

const info = utf8('info');
const aad = utf8('aad');
const message = utf8('the message');
const seed = systemRandom(32);
const publicKey = await sealPublicKey(seed);
const text = await hpkeSeal(systemRandom, publicKey, info, aad, message);

/** A copy with other bytes from `at` on. */
function patched(bytes: Bytes, at: number, patch: ArrayLike<number>): Bytes {
  const copy = bytes.slice();
  copy.set(patch, at);
  return copy;
}

/** Every u coordinate that gives the all-zero secret (order 1, 2, 4 and 8, on curve and twist), in every encoding. */
const smallOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].flatMap((hex) => {
  const point = parseHex(hex);
  return [point, patched(point, 31, [(point[31] ?? 0) | 0x80])];
});

describe('what is sealed', () => {
  test.each([0, 1, 32, 65_536])('%i bytes open again', async (length) => {
    const long = systemRandom(length);
    const sealed = await hpkeSeal(systemRandom, publicKey, info, aad, long);
    expect(sealed).toHaveLength(encLength + length + tagLength);
    expect(equalBytes(await hpkeOpen(seed, info, aad, sealed), long)).toBe(true);
  });

  test('opens without info and aad, if sealed so', async () => {
    const none = new Uint8Array(0);
    const sealed = await hpkeSeal(systemRandom, publicKey, none, none, message);
    expect(await hpkeOpen(seed, none, none, sealed)).toEqual(message);
  });

  test('follows from the randomness that came in, and from no other', async () => {
    const random = (fill: number) => (length: number) => new Uint8Array(length).fill(fill);
    const first = await hpkeSeal(random(1), publicKey, info, aad, message);
    expect(await hpkeSeal(random(1), publicKey, info, aad, message)).toEqual(first);
    expect(await hpkeSeal(random(2), publicKey, info, aad, message)).not.toEqual(first);
  });

  test('leaves nothing of that randomness behind', async () => {
    const handedOut: Bytes[] = [];
    const random = (length: number) => {
      const bytes = systemRandom(length);
      handedOut.push(bytes);
      return bytes;
    };
    await hpkeSeal(random, publicKey, info, aad, message);
    expect(handedOut).toEqual([new Uint8Array(64)]);
  });

  test('may come and go as parts of larger buffers', async () => {
    const within = (bytes: Bytes) => concatBytes(utf8('xyz'), bytes, utf8('xyz')).subarray(3, -3);
    const sealed = await hpkeSeal(
      systemRandom,
      within(publicKey),
      within(info),
      within(aad),
      within(message),
    );
    expect(await hpkeOpen(within(seed), within(info), within(aad), within(sealed))).toEqual(message);
  });
});

describe('what does not open', () => {
  test('another seed', async () => {
    await expect(hpkeOpen(systemRandom(32), info, aad, text)).rejects.toThrow(EncryptionError);
  });

  test.each([0, 31, 33, 64])('a seed of %i bytes', async (length) => {
    await expect(hpkeOpen(systemRandom(length), info, aad, text)).rejects.toThrow(EncryptionError);
    await expect(sealPublicKey(systemRandom(length))).rejects.toThrow(EncryptionError);
  });

  test('other info or aad, or the two exchanged', async () => {
    await expect(hpkeOpen(seed, utf8('inf'), aad, text)).rejects.toThrow(EncryptionError);
    await expect(hpkeOpen(seed, info, utf8('aae'), text)).rejects.toThrow(EncryptionError);
    await expect(hpkeOpen(seed, aad, info, text)).rejects.toThrow(EncryptionError);
  });

  test.each([0, 1, encHalf, encLength - 1, encLength, encLength + tagLength - 1])(
    'the first %i bytes alone',
    async (length) => {
      await expect(hpkeOpen(seed, info, aad, text.slice(0, length))).rejects.toThrow(EncryptionError);
    },
  );

  test('a text that lost a byte, or got one more', async () => {
    await expect(hpkeOpen(seed, info, aad, text.slice(1))).rejects.toThrow(EncryptionError);
    await expect(hpkeOpen(seed, info, aad, text.slice(0, -1))).rejects.toThrow(EncryptionError);
    await expect(hpkeOpen(seed, info, aad, concatBytes(text, utf8('x')))).rejects.toThrow(EncryptionError);
  });

  test('a text with any byte of enc, ciphertext or tag flipped', async () => {
    for (const [at, byte] of text.entries()) {
      const opened = hpkeOpen(seed, info, aad, patched(text, at, [byte ^ (1 << (at % 8))]));
      await expect(opened, `byte ${at}`).rejects.toThrow(EncryptionError);
    }
    await expect(hpkeOpen(seed, info, aad, text)).resolves.toEqual(message);
  });

  test('a text with the enc of another', async () => {
    const other = await hpkeSeal(systemRandom, publicKey, info, aad, message);
    const mixed = patched(text, 0, other.subarray(0, encLength));
    await expect(hpkeOpen(seed, info, aad, mixed)).rejects.toThrow(EncryptionError);
  });
});

describe('the all-zero X25519 secret', () => {
  /** A text sealed by somebody who takes this point and secret for the X25519 half, and does everything else by the book. */
  async function sealWith(point: Uint8Array, secret: Uint8Array): Promise<Bytes> {
    const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey.subarray(0, publicHalf));
    const label = parseHex('5c2e2f2f5e5c');
    const pieces = concatBytes(sharedSecret, secret, point, publicKey.subarray(publicHalf), label);
    const encapsulated = {
      enc: concatBytes(cipherText, point),
      shared_secret: Uint8Array.from(hash('sha3-256', pieces, 'buffer')),
    };
    const sender: KEMFactory = () => ({
      ...KEM_MLKEM768_X25519(),
      Encap: () => Promise.resolve(encapsulated),
    });
    const suite = new CipherSuite(sender, KDF_HKDF_SHA256, AEAD_AES_256_GCM);
    const recipient = await suite.DeserializePublicKey(publicKey);
    const { encapsulatedSecret, ciphertext } = await suite.Seal(recipient, message, { info, aad });
    return concatBytes(encapsulatedSecret, ciphertext);
  }

  test('an honest text made that way opens, so the next test is about the point alone', async () => {
    const ephemeral = generateKeyPairSync('x25519');
    const recipient = createPublicKey({
      key: publicKey.subarray(publicHalf),
      format: 'raw-public',
      asymmetricKeyType: 'x25519',
    });
    const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient });
    const point = ephemeral.publicKey.export({ format: 'raw-public' });
    expect(await hpkeOpen(seed, info, aad, await sealWith(point, secret))).toEqual(message);
  });

  test('no text that was sealed with it opens', async () => {
    for (const point of smallOrder) {
      const forged = await sealWith(point, new Uint8Array(32));
      await expect(hpkeOpen(seed, info, aad, forged), String(point)).rejects.toThrow(EncryptionError);
    }
  });

  test('nothing is sealed to a public key that leads to it', async () => {
    for (const point of smallOrder) {
      const sealed = hpkeSeal(systemRandom, patched(publicKey, publicHalf, point), info, aad, message);
      await expect(sealed, String(point)).rejects.toThrow(EncryptionError);
    }
  });
});

describe('malformed public keys', () => {
  test.each([0, 32, publicHalf, 1_215, 1_217])('%i bytes', async (length) => {
    const other = patched(new Uint8Array(2_000), 0, publicKey).slice(0, length);
    await expect(hpkeSeal(systemRandom, other, info, aad, message)).rejects.toThrow(EncryptionError);
  });

  /** Two coefficients of 12 bits stand in three bytes, little-endian. */
  const coefficients = (first: number, second: number) => [
    first & 0xff,
    (first >> 8) | ((second & 0xf) << 4),
    second >> 4,
  ];
  const modulus = 3_329;

  test.each([
    { first: modulus, second: 0 },
    { first: 0, second: modulus },
    { first: modulus + 1, second: 0 },
    { first: 0, second: 4_095 },
  ])(
    'coefficients $first and $second, at the start, in the middle and at the end',
    async ({ first, second }) => {
      for (const at of [0, 384, 1_149]) {
        const other = patched(publicKey, at, coefficients(first, second));
        await expect(hpkeSeal(systemRandom, other, info, aad, message)).rejects.toThrow(EncryptionError);
      }
    },
  );

  test('the largest coefficients below the modulus are none', async () => {
    for (const at of [0, 384, 1_149]) {
      const other = patched(publicKey, at, coefficients(modulus - 1, modulus - 1));
      await expect(hpkeSeal(systemRandom, other, info, aad, message)).resolves.toHaveLength(text.length);
    }
  });

  test('a seal that fails takes no randomness', async () => {
    const other = patched(publicKey, 0, coefficients(modulus, 0));
    let asked = 0;
    const random = (length: number) => {
      asked += 1;
      return systemRandom(length);
    };
    await expect(hpkeSeal(random, other, info, aad, message)).rejects.toThrow(EncryptionError);
    expect(asked).toBe(0);
  });
});

test('borrowed arguments stay as they were, whether it works or not', async () => {
  const all = [seed, publicKey, info, aad, message, text];
  const before = all.map((bytes) => bytes.slice());
  await sealPublicKey(seed);
  await hpkeSeal(systemRandom, publicKey, info, aad, message);
  await hpkeOpen(seed, info, aad, text);
  await expect(hpkeOpen(seed, aad, info, text)).rejects.toThrow(EncryptionError);
  expect(all).toEqual(before);
});
