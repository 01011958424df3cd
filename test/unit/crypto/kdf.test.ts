/** Bounds of key derivation, and what a passphrase is. docs/format.md sections 1 and 3. */
import { describe, expect, test } from 'vitest';
import { encodeHex, utf8 } from '../../../src/crypto/bytes.ts';
import {
  checkChosenKdf,
  checkStoredKdf,
  defaultArgon2,
  defaultPbkdf2,
  passphraseBytes,
  stretch,
  weakKdfWarning,
  type KdfParameters,
} from '../../../src/crypto/kdf.ts';
import { IntegrityError, UsageError } from '../../../src/errors.ts';

const argon2 = (changes: object): KdfParameters => ({ ...defaultArgon2, ...changes });
const pbkdf2 = (iterations: number): KdfParameters => ({ ...defaultPbkdf2, iterations });

const allowed: KdfParameters[] = [
  defaultArgon2,
  defaultPbkdf2,
  argon2({ memoryKiB: 8_192, passes: 1, lanes: 1 }),
  argon2({ memoryKiB: 2_097_152, passes: 32, lanes: 16 }),
  pbkdf2(100_000),
  pbkdf2(10_000_000),
];

const refused: KdfParameters[] = [
  argon2({ memoryKiB: 8_191 }),
  argon2({ memoryKiB: 2_097_153 }),
  argon2({ passes: 0 }),
  argon2({ passes: 33 }),
  argon2({ lanes: 0 }),
  argon2({ lanes: 17 }),
  argon2({ memoryKiB: Number.NaN }),
  argon2({ memoryKiB: Number.POSITIVE_INFINITY }),
  argon2({ passes: 1.5 }),
  pbkdf2(99_999),
  pbkdf2(10_000_001),
  pbkdf2(-1),
];

describe('bounds', () => {
  test.each(allowed)('%j is within them', (parameters) => {
    expect(() => checkStoredKdf(parameters)).not.toThrow();
    expect(() => checkChosenKdf(parameters)).not.toThrow();
  });

  test.each(refused)('%j is not', async (parameters) => {
    expect(() => checkStoredKdf(parameters)).toThrow(IntegrityError);
    expect(() => checkChosenKdf(parameters)).toThrow(UsageError);
    await expect(stretch(utf8('x'), new Uint8Array(16), parameters, 'native')).rejects.toThrow(
      IntegrityError,
    );
  });
});

test('both engines give the same key', async () => {
  const parameters = argon2({ memoryKiB: 8_192, passes: 2, lanes: 3 });
  const [wasm, native] = await Promise.all(
    (['wasm', 'native'] as const).map(async (engine) =>
      stretch(passphraseBytes('grüße 🔑'), new Uint8Array(16).fill(3), parameters, engine),
    ),
  );
  expect(wasm).toEqual(native);
});

test('what is weaker than recommended is said to be', () => {
  expect(weakKdfWarning(defaultArgon2)).toBeNull();
  expect(weakKdfWarning(defaultPbkdf2)).toBeNull();
  expect(weakKdfWarning(argon2({ memoryKiB: 19_456, passes: 2 }))).toBeNull();
  expect(weakKdfWarning(argon2({ memoryKiB: 19_455, passes: 2 }))).toMatch(/19 MiB/);
  expect(weakKdfWarning(argon2({ passes: 1 }))).toMatch(/2 passes/);
  expect(weakKdfWarning(pbkdf2(599_999))).toMatch(/600,000/);
});

describe('a passphrase', () => {
  test('is NFC, UTF-8, and otherwise as it was typed', () => {
    expect(encodeHex(passphraseBytes('e\u0301'))).toBe('c3a9');
    expect(encodeHex(passphraseBytes('\u00e9'))).toBe('c3a9');
    expect(encodeHex(passphraseBytes(' a\t\n'))).toBe('2061090a');
    // Compatibility forms stay apart: the ligature is not two letters.
    expect(encodeHex(passphraseBytes('\ufb01'))).toBe('efac81');
  });

  test.each(['', '\ud800', 'a\udc00b'])('%j is refused', (passphrase) => {
    expect(() => passphraseBytes(passphrase)).toThrow(UsageError);
  });
});
