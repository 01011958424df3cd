/** Tokens and recovery keys as people copy and type them. docs/format.md section 8. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBase64url } from '../../src/crypto/bytes.ts';
import { encodeRecoveryKey, encodeToken, parseRecoveryKey, parseToken } from '../../src/format/key-text.ts';
import { attempt, kindOf, settled } from '../support/failure.ts';
import { oneOf } from '../support/letters.ts';

const exactly = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Uint8Array.from(array));
const secret = fc.oneof(exactly(32), fc.constantFrom(new Uint8Array(32), new Uint8Array(32).fill(0xff)));
const slot = fc.oneof(exactly(8), fc.constantFrom(new Uint8Array(8), new Uint8Array(8).fill(0xff)));
const character = fc.oneof(
  oneOf('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_ \n'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
);

const replaced = (text: string, at: number, by: string): string =>
  text.slice(0, at) + by + text.slice(at + 1);

describe('token', () => {
  test('parse of encode is identity', () => {
    fc.assert(
      fc.property(slot, secret, (id, bytes) => {
        const text = encodeToken(id, bytes);
        expect(text).toMatch(/^vlt1_[0-9A-Za-z]{60}$/);
        expect(parseToken(text)).toEqual({ slot: encodeBase64url(id), secret: bytes });
      }),
    );
  });

  test('with one character changed, lost, added or swapped it is refused', () => {
    fc.assert(
      fc.property(slot, secret, fc.nat(64), character, (id, bytes, at, other) => {
        const text = encodeToken(id, bytes);
        const swapped = text.slice(0, at) + (text[at + 1] ?? '') + (text[at] ?? '') + text.slice(at + 2);
        const wrong = [
          replaced(text, at, other),
          replaced(text, at, ''),
          text.slice(0, at) + other + text.slice(at),
          swapped,
          text + other,
        ].filter((changed) => changed !== text);
        for (const changed of wrong) {
          // Where the prefix itself is hit, it is no token at all.
          const parsed = attempt(() => parseToken(changed));
          expect(parsed === null || kindOf(parsed)).toBe(changed.startsWith('vlt1_') ? 'UnlockError' : true);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('numbers of 2^320 and more, well-checksummed, are refused', () => {
    // 54 times the last digit of base 62, and its own checksum.
    const body = `vlt1_${'z'.repeat(54)}`;
    let crc = 0xffffffff;
    for (const byte of Buffer.from(body)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    let checksum = '';
    for (let rest = (crc ^ 0xffffffff) >>> 0; checksum.length < 6; rest = Math.floor(rest / 62)) {
      checksum = (digits[rest % 62] ?? '') + checksum;
    }
    expect(kindOf(attempt(() => parseToken(body + checksum)))).toBe('UnlockError');
  });

  test('any text is a token, no token, or mistyped: nothing else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((rest) => `vlt1_${rest}`),
        ),
        (text) => {
          const parsed = attempt(() => parseToken(text));
          expect(parsed === null || kindOf(parsed) === 'UnlockError').toBe(true);
        },
      ),
    );
  });
});

describe('recovery key', () => {
  test('parse of encode is identity', async () => {
    await fc.assert(
      fc.asyncProperty(secret, async (bytes) => {
        const text = await encodeRecoveryKey(bytes);
        expect(text).toMatch(/^VRK1(-[0-9A-HJKMNP-TV-Z]{6}){9}-[0-9A-HJKMNP-TV-Z]{4}$/);
        expect(await parseRecoveryKey(text)).toEqual(bytes);
      }),
    );
  });

  test('case, dashes, spaces and look-alikes do not matter', async () => {
    await fc.assert(
      fc.asyncProperty(secret, fc.infiniteStream(fc.nat(3)), async (bytes, choices) => {
        const pick = (): number => Number(choices.next().value);
        const looks: Record<string, string[]> = { 0: ['0', 'O', 'o', '0'], 1: ['1', 'I', 'l', 'i'] };
        const plain = (await encodeRecoveryKey(bytes)).replaceAll('-', '');
        const body = Array.from(plain.slice(4)).map((letter) => {
          const spelled = looks[letter]?.[pick()] ?? (pick() < 2 ? letter.toLowerCase() : letter);
          return spelled + (['', '-', ' ', ''][pick()] ?? '');
        });
        const prefix = ['VRK1', 'vrkl', 'VRKI-', ' vRk1 '][pick()] ?? '';
        expect(await parseRecoveryKey(prefix + body.join(''))).toEqual(bytes);
      }),
    );
  });

  test('with one character changed it is refused, or means the same', async () => {
    await fc.assert(
      fc.asyncProperty(secret, fc.nat(66), character, async (bytes, at, other) => {
        const text = await encodeRecoveryKey(bytes);
        const changed = replaced(text, at % text.length, other);
        const parsed = await settled(parseRecoveryKey(changed));
        const noKeyAtAll = parsed === null && at % text.length < 4;
        const same = parsed instanceof Uint8Array && Buffer.compare(parsed, bytes) === 0;
        expect(noKeyAtAll || same || kindOf(parsed) === 'UnlockError').toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('another letter that is not a look-alike is always refused', async () => {
    const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    await fc.assert(
      fc.asyncProperty(secret, fc.nat(57), fc.integer({ min: 1, max: 31 }), async (bytes, at, shift) => {
        const plain = (await encodeRecoveryKey(bytes)).replaceAll('-', '');
        const letter = plain[4 + at] ?? '';
        const other = alphabet[(alphabet.indexOf(letter) + shift) % 32] ?? '';
        expect(kindOf(await settled(parseRecoveryKey(replaced(plain, 4 + at, other))))).toBe('UnlockError');
      }),
      { numRuns: 300 },
    );
  });

  test('any text is a key, no key, or mistyped: nothing else', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary' }).map((rest) => `VRK1${rest}`),
    );
    await fc.assert(
      fc.asyncProperty(text, async (any) => {
        const parsed = await settled(parseRecoveryKey(any));
        expect(parsed === null || kindOf(parsed) === 'UnlockError').toBe(true);
      }),
    );
  });
});
