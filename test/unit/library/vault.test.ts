/** What a program does with an open vault, and what the audit log says of it. */
import fs, { rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import type { RotateOptions, Vault } from '../../../src/index.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf, settled } from '../../support/failure.ts';
import {
  libraryVault,
  openLibrary,
  store,
  storeJson,
  type LibraryVault,
} from '../../support/library-vault.ts';
import { add, asOwner } from '../../support/team.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

async function opened(): Promise<{ sample: LibraryVault; vault: Vault }> {
  const sample = await libraryVault();
  await store(sample, 'a', 'first');
  return { sample, vault: await openLibrary(sample) };
}

describe('getSecret', () => {
  it('gives exact bytes, text, and what is known of the version', async () => {
    const { sample, vault } = await opened();
    const bytes = Uint8Array.of(0, 255, 10, 13);
    const tags = new Map([['team', 'core']]);
    await store(sample, 'raw', bytes, { type: 'encryption-key', tags, description: 'of the cache' });
    const raw = await vault.getSecret('raw');
    expect(raw.value).toEqual(bytes);
    expect(raw.info).toMatchObject({
      name: 'raw',
      environment: 'development',
      type: 'encryption-key',
      version: 1,
      tags: { team: 'core' },
      description: 'of the cache',
      expires: null,
    });
    expect((await vault.getSecret('a')).text()).toBe('first');
    await vault.close();
  });

  it('gives versions and fields', async () => {
    const { sample, vault } = await opened();
    await store(sample, 'a', '{"user":"ada","big":12345678901234567890}');
    expect((await vault.getSecret('a', { version: 1 })).text()).toBe('first');
    expect((await vault.getSecret('a', { version: 'previous' })).text()).toBe('first');
    expect((await vault.getSecret('a', { field: 'user' })).text()).toBe('ada');
    expect((await vault.getSecret('a', { field: 'big' })).text()).toBe('12345678901234567890');
    expect(await failureOf(vault.getSecret('a', { version: 3 }))).toMatchObject({
      code: 'VERSION_NOT_FOUND',
    });
    expect(await failureOf(vault.getSecret('a', { field: 'x' }))).toMatchObject({ code: 'FIELD_NOT_FOUND' });
    await vault.close();
  });

  it('means the environment of the call, else the one of the vault', async () => {
    const { sample, vault } = await opened();
    await store(sample, 'a', 'of production', { environment: 'production' });
    expect((await vault.getSecret('a', { environment: 'production' })).text()).toBe('of production');
    await vault.close();
    const production = await openLibrary(sample, { environment: 'production' });
    expect((await production.getSecret('a')).text()).toBe('of production');
    expect((await production.getSecret('a', { environment: 'development' })).text()).toBe('first');
    expect(await failureOf(production.getSecret('a', { environment: 'nowhere' }))).toMatchObject({
      code: 'USAGE',
    });
    await production.close();
  });

  it('refuses what has expired, unless it is asked for', async () => {
    const { sample, vault } = await opened();
    await store(sample, 'old', 'value', { expires: new Date('2020-01-01T00:00:00Z') });
    expect(await failureOf(vault.getSecret('old'))).toMatchObject({
      name: 'SecretExpiredError',
      code: 'SECRET_EXPIRED',
    });
    expect((await vault.getSecret('old', { allowExpired: true })).text()).toBe('value');
    await vault.close();
  });

  it('is recorded, with the library as the program', async () => {
    const { sample, vault } = await opened();
    const before = records(sample.place).length;
    await vault.getSecret('a');
    await failureOf(vault.getSecret('absent'));
    await vault.close();
    const [read, missed] = records(sample.place).slice(before);
    expect(read).toMatchObject({ op: 'get', ok: true, code: '' });
    expect(read?.context.program).toBe(`library ${path.basename(process.argv[1] ?? '')}`);
    expect(missed).toMatchObject({ op: 'get', ok: false, code: 'SECRET_NOT_FOUND' });
  });

  it('gives nothing that cannot be recorded', async () => {
    const { sample, vault } = await opened();
    await vault.getSecret('a');
    const before = records(sample.place).length;
    vi.spyOn(fs, 'fsyncSync').mockImplementation(() => {
      throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    });
    syncBuiltinESMExports();
    try {
      expect(await failureOf(vault.getSecret('a'))).toMatchObject({
        name: 'AuditError',
        code: 'AUDIT',
        exitCode: 10,
      });
    } finally {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    }
    expect((await vault.getSecret('a')).text()).toBe('first');
    expect(records(sample.place).slice(before)).toMatchObject([{ op: 'get', ok: true }]);
    await vault.close();
  });

  it('records where it is told to', async () => {
    const { sample, vault } = await opened();
    await vault.close();
    const auditFile = path.join(temporaryFolder(), 'audit.jsonl');
    const elsewhere = await openLibrary(sample, { auditFile });
    await elsewhere.getSecret('a');
    await elsewhere.close();
    expect(records({ audit: { type: 'file', path: auditFile } }).map(({ op }) => op)).toEqual(['log', 'get']);
  });
});

describe('getDatabaseCredential and getApiKey', () => {
  it('read a database credential', async () => {
    const { sample, vault } = await opened();
    const stored = { engine: 'postgres', host: 'db', port: 5432, dbname: 'shop', user: 'ada', password: 'p' };
    await storeJson(sample, 'db', stored, 'database-credential');
    const found = await vault.getDatabaseCredential('db');
    const { engine, host, port, database, username, password } = found;
    expect({ engine, host, port, database, username, password }).toEqual({
      engine: 'postgres',
      host: 'db',
      port: 5432,
      database: 'shop',
      username: 'ada',
      password: 'p',
    });
    expect(found.info).toMatchObject({ name: 'db', version: 1 });
    await vault.close();
  });

  it('refuse another type, and quote nothing', async () => {
    const { sample, vault } = await opened();
    await storeJson(sample, 'db', { host: 'canary', username: 'canary', password: 'canary' }, 'password');
    const failure = await failureOf(vault.getDatabaseCredential('db'));
    expect(failure).toMatchObject({
      code: 'USAGE',
      message: '"db" is of the type password, not database-credential',
    });
    expect(failure.message + failure.hint).not.toContain('canary');
    await vault.close();
  });

  it('read a key: the value, or the field of an object', async () => {
    const { sample, vault } = await opened();
    await store(sample, 'plain', 'sk_1', { type: 'api-key' });
    await storeJson(sample, 'object', { key: 'sk_2', id: 7 }, 'api-key');
    await storeJson(sample, 'token', { key: 'sk_3' }, 'token');
    expect(await vault.getApiKey('plain')).toBe('sk_1');
    expect(await vault.getApiKey('object')).toBe('sk_2');
    expect(await vault.getApiKey('token')).toBe('{"key":"sk_3"}');
    await store(sample, 'raw', Uint8Array.of(255));
    expect(await failureOf(vault.getApiKey('raw'))).toMatchObject({ code: 'USAGE' });
    await vault.close();
  });
});

describe('verifySecret', () => {
  it('compares text and bytes with the current value, expired or not', async () => {
    const { sample, vault } = await opened();
    await store(sample, 'a', 'second', { expires: new Date('2020-01-01T00:00:00Z') });
    expect(await vault.verifySecret('a', 'second')).toBe(true);
    const bytes = utf8('second');
    expect(await vault.verifySecret('a', bytes)).toBe(true);
    expect(Buffer.from(bytes).toString()).toBe('second');
    for (const other of ['first', '', 'secon', 'second\n'])
      expect(await vault.verifySecret('a', other)).toBe(false);
    expect(records(sample.place).at(-1)).toMatchObject({ op: 'verify-value', ok: true });
    await vault.close();
  });
});

describe('rotateSecret', () => {
  it('makes a version out of text, bytes or a generator', async () => {
    const { sample, vault } = await opened();
    const rotated = await vault.rotateSecret('a', { value: 'second' });
    expect(rotated).toEqual({ name: 'a', environment: 'development', version: 2 });
    const given = utf8('third');
    const third = vault.rotateSecret('a', { value: given, ifVersion: 2 });
    given.fill(0);
    expect((await third).version).toBe(3);
    expect((await vault.getSecret('a')).text()).toBe('third');
    expect(await vault.rotateSecret('a', { generate: 'hex:8' })).toMatchObject({ version: 4 });
    const { info, value } = await vault.getSecret('a');
    expect(Buffer.from(value).toString()).toMatch(/^[0-9a-f]{16}$/u);
    expect(info.rotations).toBe(3);
    expect(records(sample.place).filter(({ op }) => op === 'rotate')).toHaveLength(3);
    await vault.close();
  });

  it('refuses a version that has moved on, and a secret that is not there', async () => {
    const { vault } = await opened();
    expect(await failureOf(vault.rotateSecret('a', { value: 'x', ifVersion: 2 }))).toMatchObject({
      name: 'ConcurrencyError',
      code: 'CONFLICT',
    });
    expect(await failureOf(vault.rotateSecret('absent', { value: 'x' }))).toMatchObject({
      code: 'SECRET_NOT_FOUND',
    });
    expect((await vault.getSecret('a')).info.version).toBe(1);
    await vault.close();
  });

  it.each([
    ['neither', {}],
    ['both', { value: 'canary', generate: 'uuid' }],
    ['an empty value', { value: '' }],
    ['a number', { value: 12_345 }],
    ['half a character', { value: 'canary\ud800' }],
    ['a generator that there is not', { generate: 'words:3' }],
  ])('refuses %s', async (_, options) => {
    const { vault } = await opened();
    const failure = await failureOf(vault.rotateSecret('a', options as RotateOptions));
    expect(failure.code).toBe('USAGE');
    expect(failure.message).not.toContain('canary');
    expect((await vault.getSecret('a')).info.version).toBe(1);
    await vault.close();
  });

  it('is open to who may only rotate, and reading is not', async () => {
    const { sample, vault } = await opened();
    await vault.close();
    const token = await asOwner(sample, async (owner) =>
      add(owner, 'rotator', { can: 'rotate', env: 'development' }),
    );
    const rotator = await openLibrary({ place: sample.place, token });
    expect(await rotator.rotateSecret('a', { value: 'by the rotator' })).toMatchObject({ version: 2 });
    expect(await failureOf(rotator.getSecret('a'))).toMatchObject({
      name: 'AccessDeniedError',
      code: 'ACCESS_DENIED',
    });
    await rotator.close();
    const owner = await openLibrary(sample);
    expect((await owner.getSecret('a')).text()).toBe('by the rotator');
    await owner.close();
  });
});

describe('listSecrets', () => {
  it('lists what matches, with its metadata', async () => {
    const { sample, vault } = await opened();
    await store(sample, 'db/main', 'x', { type: 'password' });
    await store(sample, 'db/other', 'x');
    await store(sample, 'a', 'x', { environment: 'production' });
    const names = async (...args: Parameters<Vault['listSecrets']>): Promise<string[]> =>
      (await vault.listSecrets(...args)).map(({ name, environment }) => `${environment}:${name}`);
    expect(await names()).toEqual(['development:a', 'development:db/main', 'development:db/other']);
    expect(await names('db')).toEqual(['development:db/main', 'development:db/other']);
    expect(await names('*/main')).toEqual(['development:db/main']);
    expect(await names('a', { allEnvironments: true })).toEqual(['development:a', 'production:a']);
    expect(await names(undefined, { environment: 'production' })).toEqual(['production:a']);
    expect(await vault.listSecrets('db/main')).toMatchObject([{ type: 'password', version: 1 }]);
    expect(records(sample.place).at(-1)).toMatchObject({ op: 'ls', ok: true });
    await vault.close();
  });
});

describe('an open vault', () => {
  it('does what it is asked at once in the order of the calls', async () => {
    const { vault } = await opened();
    const rotations = Array.from({ length: 5 }, async (_, index) =>
      vault.rotateSecret('a', { value: `value ${index + 2}` }),
    );
    const read = vault.getSecret('a');
    const versions = (await Promise.all(rotations)).map(({ version }) => version);
    expect(versions).toEqual([2, 3, 4, 5, 6]);
    expect((await read).text()).toBe('value 6');
    await vault.close();
  });

  it('goes on after an operation that failed', async () => {
    const { vault } = await opened();
    const [failed, read] = await Promise.all([settled(vault.getSecret('absent')), vault.getSecret('a')]);
    expect(failed).toMatchObject({ code: 'SECRET_NOT_FOUND' });
    expect(read.text()).toBe('first');
    await vault.close();
  });

  it('sees what others write meanwhile', async () => {
    const { sample, vault } = await opened();
    const other = await openLibrary(sample);
    const both = [vault, other, vault, other].map(async (one, index) =>
      one.rotateSecret('a', { value: `value ${index}` }),
    );
    const versions = (await Promise.all(both)).map(({ version }) => version);
    expect(versions.sort((a, b) => a - b)).toEqual([2, 3, 4, 5]);
    expect((await vault.getSecret('a')).info.version).toBe(5);
    expect((await other.getSecret('a')).info.version).toBe(5);
    await vault.close();
    await other.close();
  });

  it('closes when what has begun has ended, once, and does nothing afterwards', async () => {
    const { vault } = await opened();
    const rotation = vault.rotateSecret('a', { value: 'second' });
    const closing = vault.close();
    const late = await failureOf(vault.getSecret('a'));
    expect(late).toMatchObject({ code: 'USAGE', message: 'the vault is closed' });
    await closing;
    expect((await rotation).version).toBe(2);
    await vault.close();
    for (const work of [vault.listSecrets(), vault.verifySecret('a', 'x'), vault.getApiKey('a')])
      expect(await failureOf(work)).toMatchObject({ message: 'the vault is closed' });
  });

  it('is closed at the end of a block', async () => {
    const sample = await libraryVault();
    let kept: Vault | null = null;
    {
      await using vault = await openLibrary(sample);
      kept = vault;
      expect(await vault.listSecrets()).toEqual([]);
    }
    expect(await failureOf(kept.listSecrets())).toMatchObject({ message: 'the vault is closed' });
  });

  it('keeps the file when a vault that was closed is asked', async () => {
    const { sample, vault } = await opened();
    await vault.close();
    const { mtimeMs } = statSync(sample.place.path);
    await failureOf(vault.rotateSecret('a', { value: 'x' }));
    expect(statSync(sample.place.path).mtimeMs).toBe(mtimeMs);
  });

  it('says that the vault has gone', async () => {
    const { sample, vault } = await opened();
    rmSync(sample.place.path);
    expect(await failureOf(vault.getSecret('a'))).toMatchObject({ code: 'VAULT_NOT_FOUND' });
    await vault.close();
  });

  it('makes what nobody foresaw an error with a code, and keeps its cause', async () => {
    const { vault } = await opened();
    const cause = new TypeError('no randomness');
    vi.spyOn(globalThis.crypto, 'getRandomValues').mockImplementation(() => {
      throw cause;
    });
    const failure = await failureOf(vault.rotateSecret('a', { generate: 'hex:8' }));
    expect(failure).toMatchObject({ code: 'INTERNAL', message: 'internal error', cause });
    vi.restoreAllMocks();
    await vault.close();
  });

  it.each([
    ['getSecret', 'version', 0],
    ['getSecret', 'version', '1'],
    ['getSecret', 'field', 1],
    ['getSecret', 'allowExpired', 'yes'],
    ['getDatabaseCredential', 'field', 'host'],
    ['getApiKey', 'enviroment', 'x'],
    ['rotateSecret', 'ifVersion', -1],
    ['listSecrets', 'pattern', '*'],
  ] as const)('refuses %s with %s: %s', async (method, option, value) => {
    const { vault } = await opened();
    const call = vault[method].bind(vault) as (name: string, options: unknown) => Promise<unknown>;
    expect(await failureOf(call('a', { [option]: value }))).toMatchObject({
      name: 'UsageError',
      code: 'USAGE',
    });
    await vault.close();
  });

  it.each([
    ['no name', undefined],
    ['a number', 7],
    ['nothing', ''],
    ['two lines', 'a\nb'],
  ])('refuses a name that is %s', async (_, name) => {
    const { vault } = await opened();
    const untyped = name as string;
    for (const work of [vault.getSecret(untyped), vault.verifySecret(untyped, 'x'), vault.getApiKey(untyped)])
      expect(await failureOf(work)).toMatchObject({ code: 'USAGE' });
    await vault.close();
  });
});
