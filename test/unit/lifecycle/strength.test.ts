/** A rule of thumb must err on one side only: what generators make passes, what people make up does not. */
import { describe, expect, test } from 'vitest';
import { utf8, type Bytes } from '../../../src/crypto/bytes.ts';
import { generate } from '../../../src/lifecycle/generate.ts';
import { estimateBits } from '../../../src/lifecycle/strength.ts';
import { judge } from '../../../src/lifecycle/weakness.ts';
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
  ])('%s', (text) => {
    expect(bits(text)).toBeLessThan(50);
  });
});

test.each([
  ['password', 100],
  ['password:16', 50],
  ['password:20:l', 50],
  ['password:20:lud', 64],
  ['passphrase', 64],
  ['passphrase:4', 44],
  ['hex:16', 100],
  ['hex:32', 100],
  ['base64:16', 100],
  ['base64url:16', 64],
  ['uuid', 100],
])('what %s generates is worth more than %i', async (spec, least) => {
  const all: number[] = [];
  for (let drawn = 0; drawn < 1_000; drawn++) all.push(estimateBits(await generate(systemRandom, spec)));
  expect(Math.min(...all)).toBeGreaterThan(least);
});

test('nor are random bytes, and what base 32 makes of them, ever weak', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  for (let drawn = 0; drawn < 1_000; drawn++) {
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

describe('judge', () => {
  const judged = (type: Parameters<typeof judge>[0], name: string, value: string | Bytes) =>
    judge(type, name, typeof value === 'string' ? utf8(value) : value);

  test.each([
    'password',
    'DB_PASSWORD',
    'dbPassword',
    'stripe/secret-key',
    'API_KEY',
    'apiKey',
    'token',
    'x.secret',
    'PGPASS',
  ])('a secret without a type is judged where its name is %s', (name) => {
    const telling = name !== 'PGPASS';
    expect(judged('other', name, 'abc').weakness).toBe(telling ? 'easy to guess' : null);
  });

  test.each(['LOG_LEVEL', 'SSH_KEY_PATH', 'PUBLIC_KEY', 'passwordless', 'tokens', 'compass', 'HOST'])(
    'and is not where it is %s',
    (name) => {
      expect(judged('other', name, 'abc')).toEqual({ weakness: null, compared: null });
    },
  );

  test('the value is left as it is, and what is compared is a copy', () => {
    const value = utf8('{"key":"abc"}');
    const { compared, weakness } = judge('api-key', 'a', value);
    expect([Buffer.from(compared ?? []).toString(), weakness]).toEqual(['abc', 'easy to guess']);
    compared?.fill(0);
    expect(Buffer.from(value).toString()).toBe('{"key":"abc"}');
    const whole = utf8('hunter2');
    judge('password', 'a', whole).compared?.fill(0);
    expect(Buffer.from(whole).toString()).toBe('hunter2');
  });

  test('what is no credential is not judged by its type, a key of bytes is', () => {
    expect(judged('database-credential', 'a', '{"host":"h"}')).toEqual({ weakness: null, compared: null });
    expect(judged('api-key', 'a', Uint8Array.of(0xff, 1)).weakness).toBe('easy to guess');
    expect(judged('api-key', 'a', systemRandom(32)).weakness).toBeNull();
  });
});
