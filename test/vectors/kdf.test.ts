/** Key derivation against vectors of the reference implementation and of OpenSSL, and Wycheproof's PBKDF2. */
import { describe, expect, test } from 'vitest';
import { encodeHex, parseHex } from '../../src/crypto/bytes.ts';
import { argon2id, stretch, stretchPbkdf2, type Argon2Parameters } from '../../src/crypto/kdf.ts';
import { readVectors, readWycheproof, type GroupedTest, vectorsAbsent, vectorTitle } from '../support/vector-folder.ts';

interface Argon2Vector {
  readonly id: number;
  readonly note: string;
  readonly password: { readonly hex: string };
  readonly salt: string;
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
  readonly length: number;
  readonly tag: string;
}

interface Pbkdf2Vector {
  readonly id: number;
  readonly note: string;
  readonly password: { readonly hex: string };
  readonly salt: string;
  readonly iterations: number;
  readonly length: number;
  readonly key: string;
}

interface Pbkdf2Test {
  readonly password: string;
  readonly salt: string;
  readonly iterationCount: number;
  readonly dkLen: number;
  readonly dk: string;
}

const argon2 = readVectors<{ tests: Argon2Vector[] }>('argon2.json', { tests: [] }).tests;
const pbkdf2 = readVectors<{ tests: Pbkdf2Vector[] }>('pbkdf2-hmac-sha256.json', { tests: [] }).tests;
const wycheproof = readWycheproof<GroupedTest<object, Pbkdf2Test>>('pbkdf2_hmacsha256');

function parametersOf({ memoryKiB, passes, lanes }: Argon2Vector): Argon2Parameters {
  return { name: 'argon2id', memoryKiB, passes, lanes };
}

describe.skipIf(vectorsAbsent)(vectorTitle('Argon2id of the reference implementation'), () => {
  test('all 91 cases are there, four of them of 64 MiB', () => {
    expect(argon2).toHaveLength(91);
    expect(argon2.filter(({ memoryKiB }) => memoryKiB === 65_536)).toHaveLength(4);
  });

  describe.each(['native', 'wasm'] as const)('by the %s engine', (engine) => {
    test.each(argon2)('$id: $note, $memoryKiB KiB, $passes passes, $lanes lanes', async (vector) => {
      const passphrase = parseHex(vector.password.hex);
      const salt = parseHex(vector.salt);
      const tag = await argon2id(passphrase, salt, parametersOf(vector), engine, vector.length);
      expect(encodeHex(tag)).toBe(vector.tag);
    });
  });

  const inBounds = argon2.filter(
    ({ memoryKiB, lanes, length }) => memoryKiB >= 8_192 && lanes <= 16 && length === 32,
  );

  test.each(inBounds)('$id: by the function that the vault calls', async (vector) => {
    const tag = await stretch(
      parseHex(vector.password.hex),
      parseHex(vector.salt),
      parametersOf(vector),
      'native',
    );
    expect(encodeHex(tag)).toBe(vector.tag);
  });
});

describe.skipIf(vectorsAbsent)(vectorTitle('PBKDF2-HMAC-SHA-256 of OpenSSL'), () => {
  test('all 22 cases are there', () => expect(pbkdf2).toHaveLength(22));

  test.each(pbkdf2)('$id: $note', async ({ password, salt, iterations, length, key }) => {
    expect(encodeHex(await stretchPbkdf2(parseHex(password.hex), parseHex(salt), iterations, length))).toBe(key);
  });
});

describe.skipIf(vectorsAbsent)(vectorTitle('PBKDF2-HMAC-SHA-256 of Wycheproof'), () => {
  test('all 60 cases are there', () => expect(wycheproof).toHaveLength(60));

  test.each(wycheproof.map(({ test: vector }) => vector))('$tcId $comment', async (vector) => {
    const { password, salt, iterationCount, dkLen, dk } = vector;
    const key = await stretchPbkdf2(parseHex(password), parseHex(salt), iterationCount, dkLen);
    expect(encodeHex(key)).toBe(dk);
  });
});
