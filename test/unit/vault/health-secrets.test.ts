/** What `doctor` finds of secrets without their values: each finding made to appear, and to go. docs/health.md. */
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { pruneLog } from '../../../src/vault/operations/audit-prune.ts';
import { putSecret } from '../../../src/vault/operations/put.ts';
import { renameSecret } from '../../../src/vault/operations/move.ts';
import { begun, day, ExaminedVault, foundIn, strong } from '../../support/examined.ts';
import { add, getIn, remove } from '../../support/team.ts';

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
