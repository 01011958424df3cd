/** A rule of thumb must err on one side only: what generators make passes, what people make up does not. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { RandomSource } from '../../../src/crypto/aead.ts';
import { encodeHex, utf8, type Bytes } from '../../../src/crypto/bytes.ts';
import { generate } from '../../../src/lifecycle/generate.ts';
import { estimateBits } from '../../../src/lifecycle/strength.ts';
import { systemRandom } from '../../support/sample-vault.ts';

const bits = (text: string): number => estimateBits(utf8(text));

describe('what people make up is worth less than 50 bits', () => {
  test.each([
    '',
    'a',
    'password',
    'P@ssw0rd',
    'passw0rd!',
    'Passwort1!',
    'hunter2',
    'Summer2024!',
    'Tuesday2025',
    'changeme',
    'CHANGE_ME',
    '<your-token-here>',
    'xxxxxxxxxxxxxxxxxxxx',
    'aaaaaaaaaaaaaaaaaaaaaaaa',
    'abcdefghijklmnop',
    '1234567890123456',
    '9876543210',
    'qwertyuiop',
    'abcabcabcabcabc',
    '00000000-0000-0000',
    'acme-prod-2024',
    'test_key_1',
    'sk_test_123',
    'root1234',
    'letmein!!',
    'S3cr3t!!',
    'bonjour-monde',
    'db-password',
    'postgres',
    'admin@localhost',
    'company1985',
    'Manchester1!',
    'LondonBridge1!',
    'Charlotte99!',
    'Liverpool2019!',
    'MyDogRex2020!',
    'administrator-console',
    'Grossbritannien1!',
    'passwordmanchester',
    'super_secret_key_change_me_in_production',
    'my_super_secret_jwt_key',
    'super-secret-admin-key',
    'AKIAIOSFODNN7EXAMPLE',
    'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    '00000000-0000-0000-0000-000000000000',
    'deadbeefcafebabe',
    'ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
    'change-me',
    'replace-me',
    'your-api-key-of-the-payment-provider',
    'YOUR_TOKEN',
    'TODO: fill in',
    'dummy-token-for-staging',
    'test-test-test-test-test',
  ])('%s', (text) => {
    expect(bits(text)).toBeLessThan(50);
  });
});

test.each([
  ['00000000-0000-4000-8000-000000000001', 64],
  ['11111111-2222-3333-4444-555555555555', 64],
  ['12345678-1234-1234-1234-123456789012', 64],
])('%s is no token', (text, least) => {
  expect(bits(text)).toBeLessThan(least);
});

/** The same bytes at every run: what is one in a million is not to fail a test now and then. */
function drawn(seed: string): RandomSource {
  let block = 0;
  return (length) => {
    const cipher = createHash('shake256', { outputLength: length }).update(`${seed} ${block}`);
    block += 1;
    return Uint8Array.from(cipher.digest());
  };
}

const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

test.each<[string, number, (random: RandomSource) => Bytes | Promise<Bytes>]>([
  ['16 letters and digits', 64, (random) => utf8(textOf(random, 16))],
  ['22 letters and digits', 80, (random) => utf8(textOf(random, 22))],
  ['128 bits in hexadecimal', 100, (random) => utf8(encodeHex(random(16)))],
  ['128 bits in base 64', 100, (random) => utf8(Buffer.from(random(16)).toString('base64'))],
  ['a UUID', 100, async (random) => generate(random, 'uuid')],
  ['four words', 50, async (random) => generate(random, 'passphrase:4')],
  ['16 bytes', 100, (random) => random(16)],
])('of %s, none is worth less than %i', async (name, least, draw) => {
  const random = drawn(name);
  const weak: string[] = [];
  for (let count = 0; count < 10_000; count++) {
    const value = await draw(random);
    if (estimateBits(value) < least) weak.push(Buffer.from(value).toString());
  }
  expect(weak).toEqual([]);
});

function textOf(random: RandomSource, length: number): string {
  let text = '';
  while (text.length < length)
    for (const byte of random(length)) if (text.length < length) text += alphanumeric[byte & 63] ?? '';
  return text;
}

test.each([
  ['password', 100],
  ['password:16', 50],
  ['password:20:l', 50],
  ['password:20:lud', 64],
  ['passphrase', 64],
  ['passphrase:4', 49.9],
  ['hex:16', 100],
  ['hex:32', 100],
  ['base64:16', 100],
  ['base64url:16', 64],
  ['uuid', 100],
])('what %s generates is worth more than %i', async (spec, least) => {
  const all: number[] = [];
  const random = drawn(spec);
  for (let count = 0; count < 2_000; count++) all.push(estimateBits(await generate(random, spec)));
  expect(Math.min(...all)).toBeGreaterThan(least);
});

test('nor are random bytes, and what base 32 makes of them, ever weak', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  for (let count = 0; count < 1_000; count++) {
    expect(estimateBits(systemRandom(16))).toBeGreaterThan(100);
    const base32 = Array.from(systemRandom(26), (byte) => alphabet[byte & 31]).join('');
    expect(bits(base32)).toBeGreaterThan(64);
  }
});

test('nothing is worth more than there is in it', () => {
  for (const length of [1, 8, 32, 256]) {
    expect(estimateBits(systemRandom(length))).toBeLessThanOrEqual(length * 8);
    expect(bits('7'.repeat(length))).toBeLessThan(20);
  }
  expect(estimateBits(systemRandom(1024 ** 2))).toBeLessThanOrEqual(256 * 8);
});
