/** Public keys that prove nothing: the eight points of small order, in every encoding. docs/format.md section 1. */
import { describe, expect, test } from 'vitest';
import { encodeHex, parseHex, utf8 } from '../../../src/crypto/bytes.ts';
import {
  importSigningKey,
  importVerifyKey,
  isSmallOrder,
  sign,
  verify,
} from '../../../src/crypto/signature.ts';
import { EncryptionError } from '../../../src/errors.ts';

const p = 2n ** 255n - 19n;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let [b, e] = [base % p, exponent]; e > 0n; b = (b * b) % p, e >>= 1n)
    if (e & 1n) result = (result * b) % p;
  return result;
}

const inverse = (x: bigint): bigint => power(x, p - 2n);
const d = (p - ((121_665n * inverse(121_666n)) % p)) % p;

/** A square root modulo p (p = 5 mod 8), or `null`. */
function root(x: bigint): bigint | null {
  const candidate = power(x, (p + 3n) / 8n);
  for (const y of [candidate, (candidate * power(2n, (p - 1n) / 4n)) % p])
    if ((y * y - x) % p === 0n) return y;
  return null;
}

/** The y of the points of order 1, 2, 4 and 8, computed here from the curve and not looked up. */
function smallOrderYs(): bigint[] {
  // Order 8: its double has y = 0. Doubling gives y' = (y^2 + x^2) / (1 - d x^2 y^2) up to sign, so x^2 = -y^2 on the curve
  // -x^2 + y^2 = 1 + d x^2 y^2, that is 2 y^2 = 1 - d y^4.
  const discriminant = root((1n + d) % p);
  if (discriminant === null) throw new Error('1 + d is a square');
  const roots = [(p - 1n + discriminant) * inverse(d), (2n * p - 1n - discriminant) * inverse(d)];
  const orderEight = roots.map((square) => root(square % p)).filter((y) => y !== null);
  return [1n, p - 1n, 0n, ...orderEight.flatMap((y) => [y, p - y])];
}

function encode(y: bigint, signOfX: 0 | 1): string {
  const bytes = Uint8Array.from({ length: 32 }, (_, index) => Number((y >> BigInt(8 * index)) & 0xffn));
  bytes[31] = (bytes[31] ?? 0) | (signOfX << 7);
  return encodeHex(bytes);
}

/** Both signs, and with p added where that still fits in 255 bits. */
const encodings = smallOrderYs()
  .flatMap((y) => (y + p < 2n ** 255n ? [y, y + p] : [y]))
  .flatMap((y) => [encode(y, 0), encode(y, 1)]);

test('the points that were computed are the eight of the curve', () => {
  // Orders 1, 2 and the two of 4 share three y; the four of order 8 share two.
  expect(new Set(smallOrderYs()).size).toBe(5);
  expect(encodings).toContain('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa');
  expect(new Set(encodings).size).toBe(14);
});

describe('small order', () => {
  test.each(encodings)('%s is refused', async (hex) => {
    expect(isSmallOrder(parseHex(hex))).toBe(true);
    await expect(importVerifyKey(parseHex(hex))).rejects.toThrow(EncryptionError);
  });

  test('is said of those whose encoding is a proper one', async () => {
    for (const y of smallOrderYs()) {
      await expect(importVerifyKey(parseHex(encode(y, 0)))).rejects.toThrow('small order');
    }
  });

  test('looking does not change the key', () => {
    const key = parseHex(encode(p - 1n, 1));
    isSmallOrder(key);
    expect(encodeHex(key)).toBe(encode(p - 1n, 1));
  });

  test('ordinary keys are not', async () => {
    for (let n = 0; n < 50; n++) {
      const { publicKey } = await importSigningKey(crypto.getRandomValues(new Uint8Array(32)));
      expect(isSmallOrder(publicKey)).toBe(false);
    }
  });
});

test('a second spelling of a public key, y of p or more, is refused', async () => {
  for (let y = p; y < 2n ** 255n; y++) {
    await expect(importVerifyKey(parseHex(encode(y, 0)))).rejects.toThrow(EncryptionError);
    await expect(importVerifyKey(parseHex(encode(y, 1)))).rejects.toThrow(EncryptionError);
  }
});

test.each([0, 31, 33, 64])('a public key of %i bytes is refused', async (length) => {
  await expect(importVerifyKey(new Uint8Array(length))).rejects.toThrow(EncryptionError);
});

test('a signature holds for its message and key alone', async () => {
  const key = await importSigningKey(new Uint8Array(32).fill(7));
  const other = await importSigningKey(new Uint8Array(32).fill(8));
  const signature = await sign(key, utf8('message'));
  const verifyKey = await importVerifyKey(key.publicKey);
  expect(signature).toHaveLength(64);
  expect(await verify(verifyKey, signature, utf8('message'))).toBe(true);
  expect(await verify(verifyKey, signature, utf8('messagf'))).toBe(false);
  expect(await verify(await importVerifyKey(other.publicKey), signature, utf8('message'))).toBe(false);
  expect(await verify(verifyKey, signature.slice(0, 63), utf8('message'))).toBe(false);
});
