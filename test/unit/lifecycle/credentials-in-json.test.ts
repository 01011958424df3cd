/** Database credentials and API keys out of JSON values. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { parseApiKey } from '../../../src/lifecycle/api-key.ts';
import { databaseSpellings, parseDatabaseCredential } from '../../../src/lifecycle/database-credential.ts';
import { failureOf } from '../../support/failure.ts';

const least = { host: 'db', username: 'ada', password: 'canary' };
const parse = (value: unknown): unknown => parseDatabaseCredential(utf8(JSON.stringify(value)));

describe('a database credential', () => {
  it('has a host, a username and a password, and may have more', () => {
    expect(parse(least)).toEqual({ ...least, engine: null, port: null, database: null });
    const whole = { ...least, engine: 'mysql', port: 3306, database: 'shop' };
    expect(parse({ ...whole, sslmode: 'require', dbInstanceIdentifier: 'x' })).toEqual(whole);
  });

  it('is read under every spelling that is documented', () => {
    const documented = readFileSync(path.resolve(import.meta.dirname, '../../../docs/library.md'), 'utf8');
    for (const [field, spellings] of Object.entries(databaseSpellings)) {
      const value = field === 'port' ? 1 : 'text';
      const without = Object.fromEntries(Object.entries(least).filter(([name]) => name !== field));
      for (const spelling of spellings)
        expect(parse({ ...without, [spelling]: value })).toMatchObject({ [field]: value });
      const cells = spellings.map((spelling) => `\`${spelling}\``).join(', ');
      expect(documented).toContain(`| \`${field}\` | ${cells} |`);
    }
  });

  it.each([
    ['5432', 5432],
    [5432, 5432],
    [65_535, 65_535],
    [null, null],
  ])('has the port %j', (port, expected) => {
    expect(parse({ ...least, port })).toMatchObject({ port: expected });
  });

  it('may have an empty password, and one spelling twice if both say the same', () => {
    expect(parse({ ...least, password: '' })).toMatchObject({ password: '' });
    expect(parse({ ...least, user: 'ada' })).toMatchObject({ username: 'ada' });
  });

  it.each<readonly [string, unknown, string, string]>([
    ['a list', ['canary'], 'USAGE', 'the value of the secret is not a JSON object'],
    ['text', 'canary', 'USAGE', 'the value of the secret is not a JSON object'],
    ['null', null, 'USAGE', 'the value of the secret is not a JSON object'],
    ['no host', { ...least, host: undefined }, 'FIELD_NOT_FOUND', 'the credential has no field host'],
    ['a host of null', { ...least, host: null }, 'FIELD_NOT_FOUND', 'the credential has no field host'],
    ['an empty host', { ...least, host: '' }, 'USAGE', 'host of the credential is empty'],
    [
      'no password',
      { ...least, password: undefined },
      'FIELD_NOT_FOUND',
      'the credential has no field password',
    ],
    [
      'a password that is a number',
      { ...least, password: 12_345 },
      'USAGE',
      'password of the credential is not text',
    ],
    [
      'an engine that is a list',
      { ...least, engine: ['canary'] },
      'USAGE',
      'engine of the credential is not text',
    ],
    ['an empty database', { ...least, db: '' }, 'USAGE', 'database of the credential is not text'],
    [
      'two users',
      { ...least, user: 'canary' },
      'USAGE',
      'the credential has username and user, and they differ',
    ],
    ...[0, 65_536, -1, 1.5, 'canary', '', '080', true, [5432]].map(
      (port) =>
        [
          `the port ${JSON.stringify(port)}`,
          { ...least, port },
          'USAGE',
          'port of the credential is not a number from 1 to 65535',
        ] as const,
    ),
  ])('is refused: %s', async (_, value, code, message) => {
    const failure = await failureOf(() => parse(value));
    expect(failure).toMatchObject({ code, message });
    expect(failure.message + failure.hint).not.toContain('canary');
  });

  it('is refused: what is no JSON, or no text', async () => {
    for (const value of [utf8('{"password":"canary"'), utf8(''), Uint8Array.of(0xff)]) {
      const failure = await failureOf(() => parseDatabaseCredential(value));
      expect(failure.code).toBe('USAGE');
      expect(failure.message).not.toContain('canary');
    }
  });

  it('takes own members only', async () => {
    const failure = await failureOf(() =>
      parseDatabaseCredential(utf8('{"__proto__":{"host":"h"},"username":"u"}')),
    );
    expect(failure.message).toBe('the credential has no field host');
  });
});

describe('an API key', () => {
  it('is the value, or the member key of an object', () => {
    expect(parseApiKey(utf8('sk_1\n'))).toBe('sk_1\n');
    expect(parseApiKey(utf8('["a"]'))).toBe('["a"]');
    expect(parseApiKey(utf8(' {"key":"sk_2"}'))).toBe('sk_2');
  });

  it.each([
    ['{"kee":"canary"}', 'FIELD_NOT_FOUND'],
    ['{"key":12345}', 'USAGE'],
    ['{"key":""}', 'USAGE'],
    ['{canary', 'USAGE'],
  ])('is refused: %s', async (value, code) => {
    const failure = await failureOf(() => parseApiKey(utf8(value)));
    expect(failure.code).toBe(code);
    expect(failure.message).not.toContain('canary');
  });
});
