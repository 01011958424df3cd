/** What `doctor` finds of secrets: each finding made to appear, and to go. docs/health.md. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { encodeHex, utf8 } from '../../../src/crypto/bytes.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { pruneLog } from '../../../src/vault/operations/audit-prune.ts';
import { putSecret } from '../../../src/vault/operations/put.ts';
import { renameSecret } from '../../../src/vault/operations/move.ts';
import { records } from '../../support/audit-records.ts';
import { begun, day, examine, ExaminedVault, foundIn, strong } from '../../support/examined.ts';
import { getIn, add, as, remove } from '../../support/team.ts';

let vault: ExaminedVault;

beforeEach(async () => {
  vault = await ExaminedVault.make();
});

test('of a vault in order, nothing is found', async () => {
  await vault.put('db/password', strong(1), { type: 'password', expires: new Date(begun + 60 * day) });
  const { findings, counts } = await vault.examine();
  expect(findings.map(({ id }) => id)).toEqual(['kdf-weak']);
  expect(counts).toEqual({
    environments: 3,
    secrets: 1,
    expired: 0,
    expiring: 0,
    overdue: 0,
    neverRotated: 0,
    pending: 0,
    damaged: 0,
    weak: 0,
    reused: 0,
    unused: 0,
  });
});

describe('times', () => {
  test('expired and expiring, by environment', async () => {
    const expires = new Date(begun + 40 * day);
    for (const environment of ['development', 'production'])
      await vault.put('a', strong(1) + environment, { expires }, environment);
    expect(await vault.found()).toEqual({});
    vault.day = 10;
    const { findings, counts } = await vault.examine();
    const expiring = findings.filter(({ id }) => id === 'secret-expiring');
    expect(expiring).toMatchObject([
      { severity: 'warning', environment: 'development', names: ['a'] },
      { severity: 'warning', environment: 'production', names: ['a'] },
    ]);
    expect(expiring[1]?.hint).toContain('vault put a -e production');
    expect(counts).toMatchObject({ secrets: 2, expiring: 2, expired: 0 });
    vault.day = 40;
    expect(await vault.found()).toEqual({ 'secret-expired': ['a', 'a'] });
  });

  test('overdue by an interval, until it is rotated; it is not told as never rotated, too', async () => {
    await vault.put('a', strong(1), { type: 'token', intervalSeconds: 10 * 86_400 });
    vault.day = 9;
    expect(await vault.found()).toEqual({});
    vault.day = 10;
    expect(await vault.found()).toEqual({ 'rotation-overdue': ['a'] });
    expect((await vault.examine()).counts).toMatchObject({ overdue: 1, neverRotated: 1 });
    await vault.put('a', strong(2), {}, 'development', 'rotate');
    expect(await vault.found()).toEqual({});
  });

  test('never rotated: of types that perish, after 90 days, until one is rotated or put anew', async () => {
    for (const [index, type] of (
      ['password', 'api-key', 'token', 'note', 'ssh-key', 'other'] as const
    ).entries())
      await vault.put(type, strong(index), { type });
    await vault.put('slow', strong(9), { type: 'token', intervalSeconds: 365 * 86_400 });
    vault.day = 89;
    expect(await vault.found()).toEqual({});
    vault.day = 90;
    const neverRotated = async (): Promise<unknown> => (await vault.found())['never-rotated'];
    expect(await neverRotated()).toEqual(['api-key', 'password', 'token']);
    await vault.put('token', strong(10), {}, 'development', 'rotate');
    await vault.put('password', strong(11));
    expect(await neverRotated()).toEqual(['api-key']);
    vault.day = 181;
    expect(await neverRotated()).toEqual(['api-key', 'password']);
  });

  test('a rotation that is under way, and one that was left', async () => {
    await vault.put('a', strong(1), { type: 'token' });
    const withdraw = await vault.stage('a');
    expect(await vault.found()).toEqual({ 'rotation-under-way': ['a'] });
    vault.day = 1 / 24;
    const { findings, counts } = await vault.examine();
    expect(findings).toContainEqual(
      expect.objectContaining({
        id: 'rotation-pending',
        names: ['a'],
        message: expect.stringMatching(/by owner since 2026-11-25T08:00/u) as string,
      }),
    );
    expect(counts.pending).toBe(1);
    await withdraw();
    expect(await vault.found()).toEqual({});
  });
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
      ['a value is easy to guess', ['db']],
      ['a value is empty', ['empty']],
    ]);
    expect(weak.find(({ names }) => names[0] === 'db')?.hint).toContain(
      'put db -e development --field password',
    );
    expect(counts.weak).toBe(6);
    await vault.put('password', strong(7), {}, 'development', 'rotate');
    expect((await vault.examine()).counts.weak).toBe(5);
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
    vault = await ExaminedVault.make(['production', 'production/payments', 'prod', 'products']);
    for (const environment of ['production', 'production/payments', 'prod'])
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

describe('use', () => {
  const read = async (name: string): Promise<unknown> =>
    vault.owner(async (owner) => getIn(owner, 'development', name));

  test('what nobody has read for 90 days is unused, once the log is that old', async () => {
    for (const name of ['read', 'unread']) await vault.put(name, strong(name.length));
    vault.day = 89;
    expect(await vault.found()).toEqual({});
    await read('read');
    vault.day = 91;
    expect(await vault.found()).toEqual({ 'secret-unused': ['unread'] });
    expect((await vault.examine()).counts.unused).toBe(1);
    await vault.put('young', strong(20));
    await vault.put('unread', strong(21));
    expect(await vault.found()).toEqual({ 'secret-unused': ['unread'] });
    vault.day = 180;
    expect(await vault.found()).toEqual({ 'secret-unused': ['read', 'unread'] });
  });

  test('a rename loses nothing, and listing is no use', async () => {
    await vault.put('a', strong(1));
    vault.day = 100;
    expect(await vault.found()).toEqual({ 'secret-unused': ['a'] });
    await read('a');
    await vault.owner(async (owner) =>
      owner.write('mv', async (scope) => renameSecret(scope, 'development', 'a', 'b')),
    );
    expect(await vault.found()).toEqual({});
  });

  test('where the log does not reach back, it is not known', async () => {
    await vault.put('a', strong(1));
    vault.day = 100;
    const elsewhere = {
      ...vault.place,
      stateFolder: null,
      audit: { ...vault.place.audit, path: `${vault.place.path}.other` },
    };
    const other = async () => foundIn(await vault.examine({ known: null }, elsewhere));
    expect(await other()).toMatchObject({ 'use-not-known': ['a'] });
    expect((await vault.examine({ known: null }, elsewhere)).counts.unused).toBeNull();
    expect(await vault.found()).toEqual({ 'secret-unused': ['a'] });
  });

  test('where it was pruned, it reaches back to the first record that is left', async () => {
    for (const name of ['a', 'b']) await vault.put(name, strong(name.length));
    await vault.policy('audit.days', '1');
    for (const time of [50, 106]) {
      vault.day = time;
      await read('a');
    }
    vault.day = 110;
    await vault.owner(async (owner) => {
      const options = { before: new Date(begun + 105 * day), archive: null, known: owner.rememberedLog };
      await owner.write('audit-prune', async (scope) => pruneLog(scope, vault.place, options));
    });
    expect(await vault.found()).toMatchObject({ 'use-not-known': ['b'] });
    expect((await vault.examine()).counts.unused).toBeNull();
    vault.day = 195.9;
    expect(await vault.found()).toMatchObject({ 'use-not-known': ['b'] });
    vault.day = 196.1;
    expect(await vault.found()).toMatchObject({ 'secret-unused': ['a', 'b'] });
  });
});

test('what a removed principal knew is told until it is changed', async () => {
  await vault.put('a', strong(1));
  await vault.owner(async (owner) => {
    await add(owner, 'eve', { can: 'read', env: 'development' });
    await remove(owner, 'eve');
  });
  expect(await vault.found()).toEqual({ 'offboarding-open': ['a'] });
  vault.day = 1;
  await vault.put('a', strong(2), {}, 'development', 'rotate');
  expect(await vault.found()).toEqual({});
});

test('of a thousand secrets, those that are wrong', async () => {
  await vault.owner(async (owner) => {
    await owner.write('import', async (scope) => {
      for (let index = 0; index < 1_000; index++) {
        const value = utf8(index === 500 ? 'hunter2' : strong(index));
        const metadata = { type: 'token' } as const;
        const options = {
          environment: null,
          name: `app/${index}`,
          value,
          operation: 'import',
          metadata,
        } as const;
        await putSecret(scope, options);
      }
    });
  });
  const seen: number[] = [];
  const { findings, counts } = await vault.examine({ progress: (done) => seen.push(done) });
  expect(counts).toMatchObject({ secrets: 1_000, weak: 1, reused: 0 });
  expect(findings.find(({ id }) => id === 'weak-value')?.names).toEqual(['app/500']);
  expect(seen).toEqual([256, 512, 768]);
});
