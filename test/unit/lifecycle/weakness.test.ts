/** What of a value is judged, and of which secrets. */
import { describe, expect, test } from 'vitest';
import { utf8, type Bytes } from '../../../src/crypto/bytes.ts';
import { judge, type Judged } from '../../../src/lifecycle/weakness.ts';
import type { SecretType } from '../../../src/format/secret-type.ts';
import { systemRandom } from '../../support/sample-vault.ts';

const judged = (type: SecretType, name: string, value: string | Bytes): Judged =>
  judge(type, name, typeof value === 'string' ? utf8(value) : value);
const weakness = (type: SecretType, value: string | Bytes, name = 'a'): Judged['weakness'] =>
  judged(type, name, value).weakness;
const strong = 'kV7-pQ2_xZ9.mW4tR8bN';

describe('names of secrets without a type', () => {
  test.each([
    'password',
    'DB_PASSWORD',
    'dbPassword',
    'DBPassword',
    'stripe/secret-key',
    'API_KEY',
    'apiKey',
    'token',
    'x.secret',
    'PGPASSWORD',
    'MYSQL_PWD',
    'DB_PASSWORD_PROD',
    'token2',
    'TOKEN_2',
    'password/db',
    'db_password_2',
    'ACCESS_TOKEN_EU',
    'SECRET_KEY_BASE',
    'AWS_SECRET_ACCESS_KEY',
    'accesskey',
    'ACCESS_KEY_1',
    'secret/app/PASSWD_OLD',
  ])('%s is judged', (name) => {
    expect(weakness('other', 'abc', name)).toBe('easy to guess');
  });

  test.each([
    'LOG_LEVEL',
    'SSH_KEY_PATH',
    'PUBLIC_KEY',
    'PGPASS',
    'passwordless',
    'tokens',
    'compass',
    'HOST',
    'secret/app/LOG_LEVEL',
    'TOKEN_TTL',
    'PASSWORD_MIN_LENGTH',
    'SECRET_NAME',
    'TOKEN_URL',
    'CLIENT_SECRET_EXPIRES_AT',
    'constructor',
    '',
  ])('%s is not', (name) => {
    expect(judged('other', name, 'abc')).toEqual({ weakness: null, compared: null });
  });
});

describe('database credentials', () => {
  test.each([
    '{"password":"hunter2"}',
    '{"host":"","password":"hunter2"}',
    '{"host":"h","username":"u","port":"x","password":"hunter2"}',
    '{"password":123456}',
    '{"password":true}',
    '{"url":"postgres://u:hunter2@h/d"}',
    'hunter2',
    '["hunter2"]',
    'postgres://u:hunter2@h/d',
    '{"password":"hunter2"',
    Uint8Array.of(0xff, 0xfe, 1),
  ])('%s is weak', (value) => {
    expect(weakness('database-credential', value)).toBe('easy to guess');
  });

  test.each([
    `{"password":"${strong}"}`,
    `postgres://u:${strong}@h/d`,
    '{"host":"h"}',
    '{"host":"h","password":null}',
    '{"url":"postgres://h/d"}',
  ])('%s is not', (value) => {
    expect(weakness('database-credential', value)).toBeNull();
  });

  test('an empty password is told as one', () => {
    expect(weakness('database-credential', '{"password":""}')).toBe('empty');
  });
});

describe('URLs', () => {
  test.each([
    'postgres://app:hunter2@db.example.com:5432/app?sslmode=require',
    'redis://:hunter2@cache',
    'https://ada:hunter2@registry.acme.dev/',
    'jdbc:postgresql://app:hunter2@db/app',
    'mongodb+srv://app:hunt%65r2@cluster/app',
    'amqp://app:p@ss@queue',
    'amqp://app:%zz@queue',
    '  postgres://u:hunter2@h/d\n',
  ])('the password in %s is judged, whatever the name and the type', (value) => {
    for (const type of ['other', 'token', 'api-key', 'password'] as const)
      expect(weakness(type, value, 'DATABASE_URL')).toBe('easy to guess');
    for (const type of ['note', 'certificate', 'ssh-key'] as const) expect(weakness(type, value)).toBeNull();
  });

  test.each([
    `postgres://app:${strong}@db/app`,
    'postgres://app@db/app',
    'postgres://app:@db/app',
    'https://acme.dev/a:b@c',
    'https://acme.dev?to=a:b@c',
    'ada:hunter2@mars',
    'smtp: a@b',
    'user@host:22',
  ])('%s has none, or a strong one', (value) => {
    expect(weakness('other', value, 'DATABASE_URL')).toBeNull();
  });

  test('several of one login are no reused password', () => {
    const compared = (type: SecretType, database: string): string =>
      Buffer.from(judged(type, 'a', `postgres://u:${strong}@h/${database}`).compared ?? []).toString();
    expect(compared('other', 'a')).not.toBe(compared('other', 'b'));
    expect(compared('database-credential', 'a')).toBe(strong);
  });
});

test('the value is left as it is, and what is compared is a copy', () => {
  const value = utf8('{"key":"abc"}');
  const { compared, weakness: found } = judge('api-key', 'a', value);
  expect([Buffer.from(compared ?? []).toString(), found]).toEqual(['abc', 'easy to guess']);
  compared?.fill(0);
  expect(Buffer.from(value).toString()).toBe('{"key":"abc"}');
  const whole = utf8('hunter2');
  judge('password', 'a', whole).compared?.fill(0);
  expect(Buffer.from(whole).toString()).toBe('hunter2');
});

test('a key may be bytes', () => {
  expect(weakness('api-key', Uint8Array.of(0xff, 1))).toBe('easy to guess');
  expect(weakness('api-key', systemRandom(32))).toBeNull();
});

test('a key of a lone surrogate is judged like any other', () => {
  expect(weakness('api-key', String.raw`{"key":"\ud800aaaaaaa"}`)).toBe('easy to guess');
});

test('what is longer than 64 KiB is not looked into, and costs no time', () => {
  const most = 65_536;
  const json = (length: number): string => `{"key":"abc","list":"${'x'.repeat(length - 23)}"}`;
  expect(weakness('api-key', json(most))).toBe('easy to guess');
  expect(weakness('api-key', `{"key":"${systemRandom(32).join('')}",${json(most).slice(1)}`)).toBeNull();
  const begun = performance.now();
  expect(weakness('api-key', `{"a":"${'1,'.repeat(8 * 1024 ** 2)}"}`)).toBeNull();
  expect(weakness('database-credential', `{"a":"${String.raw`\"`.repeat(32_000)}`)).toBeNull();
  expect(performance.now() - begun).toBeLessThan(1_000);
});
