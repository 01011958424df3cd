/** Padding and sealing: what goes in comes out, and nothing else ever does. docs/format.md section 1. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bucketLength, open, pad, seal, unpad } from '../../src/crypto/aead.ts';
import type { Bytes } from '../../src/crypto/bytes.ts';
import { EncryptionError } from '../../src/errors.ts';
import { attempt, kindOf } from '../support/failure.ts';
import { systemRandom } from '../support/sample-vault.ts';

const bytes = (constraints: fc.IntArrayConstraints): fc.Arbitrary<Bytes> =>
  fc.uint8Array(constraints).map((array) => Uint8Array.from(array));

const message = bytes({ maxLength: 300 });
const key = bytes({ minLength: 32, maxLength: 32 });
const smallest = fc.constantFrom(64, 1_024);

test('unpad of pad is identity, and the bucket is the least that holds', () => {
  const length = fc.oneof(
    fc.nat(70_000),
    fc.constantFrom(60, 61, 124, 125, 65_532, 65_533, 131_068, 131_069),
  );
  fc.assert(
    fc.property(length, smallest, (size, least) => {
      const text = systemRandom(size);
      const padded = pad(text, least);
      expect(Buffer.compare(unpad(padded, least), text)).toBe(0);
      expect(padded.length).toBe(bucketLength(size, least));
      const half = padded.length <= 65_536 ? padded.length / 2 : padded.length - 65_536;
      expect(padded.length === least || half < size + 4).toBe(true);
    }),
  );
});

test('padding of another length, or not of zeros, is refused', () => {
  fc.assert(
    fc.property(
      message,
      smallest,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (text, least, at, difference) => {
        const padded = pad(text, least);
        const changed = padded.slice();
        const index = at % changed.length;
        changed[index] = (changed[index] ?? 0) ^ difference;
        // A change inside the message is for the cipher's tag to find; anywhere else the padding itself is wrong.
        const inside = index >= 4 && index < 4 + text.length;
        const wanted = inside ? 'value' : 'EncryptionError';
        const outcome = kindOf(attempt(() => unpad(changed, least)));
        // A changed length may be one of the same bucket: then what was message has to be zero.
        expect(index < 4 ? wanted : outcome).toBe(wanted);
        const longer = new Uint8Array(padded.length * 2);
        longer.set(padded);
        expect(() => unpad(longer, least)).toThrow(EncryptionError);
        expect(() => unpad(padded.slice(0, -1), least)).toThrow(EncryptionError);
      },
    ),
  );
});

test('bytes that nobody padded are refused with the documented class, never with another', () => {
  fc.assert(
    fc.property(bytes({ maxLength: 200 }), (junk) => {
      const outcome = attempt(() => pad(unpad(junk)));
      expect(outcome instanceof EncryptionError || Buffer.from(junk).equals(outcome as Bytes)).toBe(true);
    }),
  );
});

test('open of seal is identity', async () => {
  await fc.assert(
    fc.asyncProperty(message, key, message, smallest, async (text, with_, aad, least) => {
      const sealed = await seal(systemRandom, with_, text, aad, least);
      expect(await open(with_, sealed, aad, least)).toEqual(text);
    }),
  );
});

test('no flipped bit, no other key, no other associated data and no shorter text opens', async () => {
  await fc.assert(
    fc.asyncProperty(message, key, message, fc.nat(), async (text, with_, aad, bit) => {
      const flip = (original: Bytes): Bytes => {
        const changed = original.slice();
        const at = (bit >>> 3) % changed.length;
        changed[at] = (changed[at] ?? 0) ^ (1 << (bit & 7));
        return changed;
      };
      const sealed = await seal(systemRandom, with_, text, aad);
      await expect(open(with_, flip(sealed), aad)).rejects.toThrow(EncryptionError);
      await expect(open(flip(with_), sealed, aad)).rejects.toThrow(EncryptionError);
      const longer = Uint8Array.of(...aad, 0);
      await expect(open(with_, sealed, longer)).rejects.toThrow(EncryptionError);
      const other = aad.length > 0 ? flip(aad) : Uint8Array.of(1);
      await expect(open(with_, sealed, other)).rejects.toThrow(EncryptionError);
      await expect(open(with_, sealed.slice(0, bit % sealed.length), aad)).rejects.toThrow(EncryptionError);
    }),
  );
});

test('the same message never seals to the same text twice', async () => {
  const with_ = systemRandom(32);
  const sealed = await Promise.all(
    Array.from({ length: 50 }, async () => seal(systemRandom, with_, new Uint8Array(0), new Uint8Array(0))),
  );
  expect(new Set(sealed.map((text) => Buffer.from(text).toString('hex'))).size).toBe(50);
});
