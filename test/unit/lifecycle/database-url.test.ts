/** Connection URLs of database credentials: what is data stays data, whatever it looks like. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseUtf8, utf8 } from '../../../src/crypto/bytes.ts';
import { urlOf } from '../../../src/lifecycle/database-credential.ts';
import { failureOf } from '../../support/failure.ts';

const url = (credential: object): string => parseUtf8(urlOf(utf8(JSON.stringify(credential))));
const least = { engine: 'postgres', host: 'db.example', username: 'app', password: 'pass' };

test.each([
  [least, 'postgresql://app:pass@db.example'],
  [
    { ...least, engine: 'PostgreSQL', port: 5432, database: 'shop' },
    'postgresql://app:pass@db.example:5432/shop',
  ],
  [{ ...least, engine: 'mariadb', port: '3306', db: 'shop' }, 'mysql://app:pass@db.example:3306/shop'],
  [
    {
      ...least,
      engine: 'mongodb',
      database: 'shop',
      options: { authSource: 'admin', tls: true, maxPoolSize: 5 },
    },
    'mongodb://app:pass@db.example/shop?authSource=admin&tls=true&maxPoolSize=5',
  ],
  [
    { ...least, engine: 'mongodb+srv', options: { w: 'majority' } },
    'mongodb+srv://app:pass@db.example/?w=majority',
  ],
  [{ engine: 'redis', host: 'cache', password: 'pass', database: 2 }, 'redis://:pass@cache/2'],
  [{ engine: 'rediss', host: 'cache', username: 'app', password: '', port: 6380 }, 'rediss://app@cache:6380'],
  [{ engine: 'redis', host: '::1', password: '' }, 'redis://[::1]'],
  [{ ...least, host: '[fe80::1]', port: 5432 }, 'postgresql://app:pass@[fe80::1]:5432'],
  [{ ...least, host: '/var/run/postgresql' }, 'postgresql://app:pass@%2Fvar%2Frun%2Fpostgresql'],
  [
    { ...least, password: "p:w@d/?#[]!'()* %" },
    'postgresql://app:p%3Aw%40d%2F%3F%23%5B%5D%21%27%28%29%2A%20%25@db.example',
  ],
  [{ ...least, url: 'its own' }, 'its own'],
] as const)('%j', (credential, wanted) => {
  expect(url(credential)).toBe(wanted);
});

test('any user, password, database and option comes back by the URL standard', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
  // A member name that JSON has to escape is refused: the runtime may read it as another one.
  const plain = text.filter((name) => JSON.stringify(name) === `"${name}"`);
  fc.assert(
    fc.property(text, text, text, plain, (username, password, database, option) => {
      const read = new URL(url({ ...least, username, password, database, options: { [option]: password } }));
      expect(decodeURIComponent(read.username)).toBe(username);
      expect(decodeURIComponent(read.password)).toBe(password);
      expect(read.hostname).toBe('db.example');
      // Dots alone would be steps of a path to the URL standard, not to a database client.
      if (/^\.{1,2}$/u.test(database)) return;
      expect(decodeURIComponent(read.pathname)).toBe(`/${database}`);
      expect([...read.searchParams]).toEqual([[option, password]]);
    }),
  );
});

describe('refused, without saying a value', () => {
  test.each([
    ['no engine', { ...least, engine: null }],
    ['another engine', { ...least, engine: 'oracle-canary' }],
    ['a name of the prototype', { ...least, engine: 'constructor' }],
    ['a host that is none', { ...least, host: 'canary@evil.example' }],
    ['a host with a path', { ...least, host: 'canary.example/evil' }],
    ['a port of mongodb+srv', { ...least, engine: 'mongodb+srv', port: 27017 }],
    ['options that are none', { ...least, options: ['canary'] }],
    ['options with an object', { ...least, options: { canary: {} } }],
    ['no user', { engine: 'mysql', host: 'h', password: 'canary' }],
  ] as const)('%s', async (_, credential) => {
    const error = await failureOf(() => url(credential));
    expect([2, 3]).toContain(error.exitCode);
    expect(error.message).not.toContain('canary');
  });
});
