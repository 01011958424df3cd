/** What `doctor` finds in values, and that it shows none. docs/health.md. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { encodeHex } from '../../../src/crypto/bytes.ts';
import type { SecretType } from '../../../src/format/secret-type.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { EnvironmentReader } from '../../../src/vault/environment-reader.ts';
import { records } from '../../support/audit-records.ts';
import { begun, day, examine, ExaminedVault, strong } from '../../support/examined.ts';
import { add, as } from '../../support/team.ts';

let vault: ExaminedVault;

beforeEach(async () => {
  vault = await ExaminedVault.make();
});

describe('values', () => {
  test('weak ones, by type: what is meant to be guessed at is not judged', async () => {
    const database = (password: string): string =>
      JSON.stringify({ host: 'h', username: 'u', database: 'd', password });
    await vault.put('empty', '', { type: 'token' });
    await vault.put('password', 'hunter2', { type: 'password' });
    await vault.put('db', database('Summer2024!'), { type: 'database-credential' });
    await vault.put('db good', database(strong(1)), { type: 'database-credential' });
    await vault.put('key in json', JSON.stringify({ key: 'abc123' }), { type: 'api-key' });
    await vault.put('short key', Uint8Array.from([1, 2, 200, 7, 9, 250, 33, 8]), { type: 'encryption-key' });
    await vault.put('DB_PASSWORD', 'letmein!');
    await vault.put('LOG_LEVEL', 'info');
    await vault.put('PORT', '');
    await vault.put('note', 'hello', { type: 'note' });
    await vault.put('certificate', 'x', { type: 'certificate' });
    await vault.put('broken', 'postgres://u:p@h/d', { type: 'database-credential' });
    const { findings, counts } = await vault.examine();
    const weak = findings.filter(({ id }) => id === 'weak-value');
    expect(weak.map(({ names, message }) => [message, names])).toEqual([
      ['4 values are easy to guess', ['DB_PASSWORD', 'key in json', 'password', 'short key']],
      ['2 values are easy to guess', ['broken', 'db']],
      ['a value is empty', ['empty']],
    ]);
    expect(counts.weak).toBe(7);
    await vault.put('password', strong(7), {}, 'development', 'rotate');
    await vault.put('broken', database(strong(8)), {}, 'development', 'rotate');
    const after = await vault.examine();
    expect(after.counts.weak).toBe(5);
    expect(after.findings.find(({ names }) => names[0] === 'db')?.hint).toContain(
      'put db -e development --field password',
    );
  });

  test('no value ends the run, whatever it is', async () => {
    const surrogate = String.raw`"\ud800aaaaaaa"`;
    const deep = '['.repeat(50_000) + ']'.repeat(50_000);
    const odd: readonly [string, SecretType, string][] = [
      ['surrogate key', 'api-key', `{"key":${surrogate}}`],
      ['surrogate password', 'database-credential', `{"host":"h","username":"u","password":${surrogate}}`],
      ['deep key', 'api-key', `{"key":${deep}}`],
      ['deep credential', 'database-credential', `{"host":"h","username":"u","password":${deep}}`],
      ['number', 'database-credential', '{"host":"h","username":"u","password":1e999}'],
      ['proto', 'api-key', '{"__proto__":{"key":"x"},"key":"hunter2"}'],
      ['proto credential', 'database-credential', '{"__proto__":null,"password":"hunter2"}'],
      ['list', 'database-credential', '["hunter2"]'],
      ['null', 'api-key', 'null'],
      ['escaped names', 'api-key', String.raw`{"\u006bey":"hunter2","a\"b":1}`],
      ['mark', 'api-key', '\ufeff{"key":"hunter2"}'],
    ];
    for (const [name, type, value] of odd) await vault.put(name, value, { type });
    await vault.put('DB_URL', String.raw`postgres://u:%ff%zz@h/d`);
    await vault.put('last', 'hunter2', { type: 'password' });
    const found = await vault.found();
    expect(Object.keys(found)).toEqual(expect.arrayContaining(['weak-value']));
    expect(found['weak-value']).toEqual(
      expect.arrayContaining([
        'last',
        'number',
        'proto',
        'proto credential',
        'surrogate key',
        'surrogate password',
      ]),
    );
    expect(found).not.toHaveProperty('value-not-judged');
  });

  test('a failure at one secret is told of that one, and the others are judged', async () => {
    await vault.put('first', 'hunter2', { type: 'password' });
    await vault.put('second', 'hunter2', { type: 'password' });
    await vault.put('third', strong(1), { type: 'password' });
    vi.spyOn(EnvironmentReader.prototype, 'open').mockRejectedValueOnce(new TypeError('hunter2'));
    const { findings } = await vault.examine();
    vi.restoreAllMocks();
    const told = findings.filter(({ id }) => id === 'value-not-judged');
    expect(told).toMatchObject([
      { severity: 'warning', environment: 'development', names: [expect.any(String)] },
    ]);
    expect(JSON.stringify(findings)).not.toContain('hunter2');
    expect(
      findings.filter(({ id }) => id === 'weak-value').flatMap(({ names }) => names).length,
    ).toBeGreaterThan(0);
  });

  test('only the current version counts, not one that is pending', async () => {
    await vault.put('a', 'hunter2', { type: 'password' });
    await vault.put('a', strong(1));
    await vault.put('b', 'hunter2', { type: 'password' });
    await vault.stage('b');
    expect(await vault.found()).toEqual({ 'weak-value': ['b'], 'rotation-under-way': ['b'] });
  });

  test('the same one of several names, in all environments; the password of a database credential counts', async () => {
    const value = strong(1);
    await vault.put('a', value, { type: 'token' });
    await vault.put('b', value, { type: 'token' });
    await vault.put('c', strong(2), { type: 'token' });
    await vault.put('d', strong(2), { type: 'token' }, 'production');
    const credential = JSON.stringify({ host: 'h', username: 'u', database: 'd', password: strong(3) });
    await vault.put('db', credential, { type: 'database-credential' });
    await vault.put('db/password', strong(3), { type: 'password' });
    const { findings, counts } = await vault.examine();
    expect(
      findings.filter(({ id }) => id === 'reused-value').map((one) => [one.environment, one.names]),
    ).toEqual([
      ['development', ['a', 'b']],
      [null, ['vault://development/c', 'vault://production/d']],
      ['development', ['db', 'db/password']],
    ]);
    expect(counts.reused).toBe(6);
    await vault.put('b', strong(4));
    expect((await vault.examine()).counts.reused).toBe(4);
    expect((await vault.examine({ environment: 'production' })).counts).toMatchObject({
      reused: 0,
      secrets: 1,
    });
  });

  test('settings that are the same are none of that', async () => {
    for (const name of ['DB_HOST', 'CACHE_HOST']) await vault.put(name, 'localhost');
    for (const name of ['DB', 'DB_REPLICA']) await vault.put(name, 'database.internal.example.com');
    for (const name of ['A', 'B']) await vault.put(name, '');
    for (const name of ['text', 'copy']) await vault.put(name, strong(1), { type: 'note' });
    expect(await vault.found()).toEqual({});
    const random = encodeHex(vault.place.random(16));
    for (const name of ['X', 'Y']) await vault.put(name, random);
    expect(await vault.found()).toEqual({ 'reused-value': ['X', 'Y'] });
  });

  test('the same name in several environments is told apart, and worse in production', async () => {
    for (const environment of ['development', 'staging'])
      await vault.put('a', strong(1), { type: 'token' }, environment);
    expect(await vault.found()).toEqual({
      'shared-between-environments': ['vault://development/a', 'vault://staging/a'],
    });
    await vault.put('a', strong(1), { type: 'token' }, 'production');
    expect(await vault.found()).toEqual({
      'shared-with-production': ['vault://development/a', 'vault://production/a', 'vault://staging/a'],
    });
    expect((await vault.examine()).counts.reused).toBe(0);
  });

  test('compartments of production are production', async () => {
    vault = await ExaminedVault.make(['production', 'production/payments', 'prod', 'prod-eu', 'products']);
    for (const environment of ['production', 'production/payments', 'prod', 'prod-eu'])
      await vault.put('a', strong(1), { type: 'token' }, environment);
    expect(Object.keys(await vault.found())).toEqual(['shared-between-environments']);
    await vault.put('a', strong(1), { type: 'token' }, 'products');
    expect(Object.keys(await vault.found())).toEqual(['shared-with-production']);
  });

  test('binary values, and odd names', async () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, index) => (index * 37) & 0xff);
    for (const name of ['größe/ä b', '%2f', '__proto__'])
      await vault.put(name, bytes, { type: 'encryption-key' });
    await vault.put('größe/ä b', bytes, { type: 'encryption-key' }, 'production');
    expect((await vault.found())['reused-value']?.toSorted()).toEqual([
      'vault://development/%252f',
      'vault://development/__proto__',
      'vault://development/gr%C3%B6%C3%9Fe/%C3%A4%20b',
      'vault://production/gr%C3%B6%C3%9Fe/%C3%A4%20b',
    ]);
  });

  test('each that is opened is wiped', async () => {
    for (const name of ['a', 'b']) await vault.put(name, 'hunter2', { type: 'password' });
    const wiped = vi.spyOn(SecretBytes.prototype, 'wipe');
    await vault.examine();
    expect(wiped).toHaveBeenCalledTimes(2);
    vi.restoreAllMocks();
  });

  test('none is in what is told, nor in what is recorded; one record names no secret', async () => {
    const values = ['hunter2-canary', 'canary-hunter2'];
    for (const name of ['a', 'b'])
      for (const value of values) await vault.put(name + value.length, value, { type: 'password' });
    const before = records(vault.place).length;
    const told = JSON.stringify(await vault.examine());
    for (const value of ['canary', 'hunter']) expect(told).not.toContain(value);
    const added = records(vault.place).slice(before);
    expect(added.map(({ op, ok, secrets, detail }) => [op, ok, secrets, detail])).toEqual([
      ['doctor', true, [], ''],
    ]);
  });

  test('somebody who may list is told that values were not looked at; who may not, nothing', async () => {
    await vault.put('a', 'hunter2', { type: 'password', expires: new Date(begun + day) });
    await vault.put('b', 'hunter2', { type: 'password' });
    const [lists, rotates, reads] = await vault.owner(async (owner) => [
      await add(owner, 'lists', { can: 'list', env: 'development,staging,production' }),
      await add(owner, 'rotates', { can: 'rotate', env: 'development' }),
      await add(owner, 'reads', { can: 'read', env: 'development' }),
    ]);
    for (const token of [lists, rotates]) {
      const { findings, counts } = await as(vault.place, token, examine);
      expect(counts).toMatchObject({ secrets: 2, expiring: 1, weak: null, reused: null });
      const ids = findings.map(({ id }) => id);
      expect(ids).toContain('values-not-read');
      expect(ids).toContain('secret-expiring');
      expect(ids).not.toContain('weak-value');
      expect(ids.includes('environment-not-open')).toBe(token === rotates);
    }
    const { findings, counts } = await as(vault.place, reads, examine);
    expect(counts).toMatchObject({ environments: 1, weak: 2, reused: 2 });
    expect(
      findings.filter(({ id }) => id === 'environment-not-open').map(({ environment }) => environment),
    ).toEqual(['staging', 'production']);
    await expect(
      as(vault.place, reads, async (one) => examine(one, { environment: 'production' })),
    ).rejects.toMatchObject({
      exitCode: 5,
    });
    await expect(vault.examine({ environment: 'nowhere' })).rejects.toMatchObject({ exitCode: 2 });
  });
});
