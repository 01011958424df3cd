/** Which files the user accepted, on disk. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { realFileSystem } from '../../../src/storage/file-system.ts';
import { acceptedHash, openTrustStore, type TrustStore } from '../../../src/storage/trust-store.ts';
import { failureOf } from '../../support/failure.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const uid = process.getuid?.() ?? null;
const accepted = '2026-11-22T08:00:38.123Z';
const one = { path: '/p/vault.json', sha256: 'a'.repeat(64), accepted };
const other = { path: '/o/vault.json', sha256: 'b'.repeat(64), accepted };

function newStore(): { store: TrustStore; folder: string; file: () => string } {
  const state = path.join(temporaryFolder(), 'state');
  const folder = path.join(state, 'trust');
  const file = (): string => path.join(folder, readdirSync(folder)[0] ?? '');
  return { store: openTrustStore(realFileSystem, state, uid), folder, file };
}

describe('acceptances', () => {
  it('are found by path, listed, replaced, forgotten', async () => {
    const { store } = newStore();
    expect(await store.find(one.path)).toBeNull();
    expect(store.list()).toEqual([]);
    expect(await store.forget(one.path)).toBe(false);
    await store.accept(one);
    await store.accept(other);
    expect(await store.find(one.path)).toEqual(one);
    expect(store.list()).toEqual([other, one]);
    const newer = { ...one, sha256: 'c'.repeat(64) };
    await store.accept(newer);
    expect(store.list()).toEqual([other, newer]);
    expect(await store.forget(one.path)).toBe(true);
    expect(store.list()).toEqual([other]);
    expect(await store.find(one.path)).toBeNull();
  });

  it('are for their owner only, and leave no temporary file', async () => {
    const { store, folder, file } = newStore();
    await store.accept(one);
    expect(readdirSync(folder)).toHaveLength(1);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it('that are damaged do not count', async () => {
    const { store, file } = newStore();
    await store.accept(one);
    const text = readFileSync(file(), 'utf8');
    for (const bad of ['', 'x', '[]', '{}', text.replace('"path"', '"Path"'), text.slice(0, -3)]) {
      writeFileSync(file(), bad);
      expect([bad, await store.find(one.path), store.list()]).toEqual([bad, null, []]);
    }
    await store.accept(one);
    expect(await store.find(one.path)).toEqual(one);
  });

  it('of one path do not count for another whose file was put in its place', async () => {
    const { store, file } = newStore();
    await store.accept(one);
    writeFileSync(file(), JSON.stringify(other));
    expect(await store.find(one.path)).toBeNull();
  });

  it('that are links are refused: 7', async () => {
    const { store, folder, file } = newStore();
    await store.accept(one);
    const target = path.join(folder, 'target');
    writeFileSync(target, readFileSync(file()));
    const place = file();
    await store.forget(one.path);
    symlinkSync(target, place);
    expect(await failureOf(store.find(one.path))).toMatchObject({ code: 'UNSAFE_PATH' });
    expect(await failureOf(store.accept(one))).toMatchObject({ code: 'UNSAFE_PATH' });
  });

  it('that cannot be kept are said not to be', async () => {
    const nowhere = openTrustStore(realFileSystem, null, uid);
    expect((await failureOf(nowhere.accept(one))).hint).toContain('VAULT_TRUST_PROJECT');
    expect(await nowhere.find(one.path)).toBeNull();
    expect(nowhere.list()).toEqual([]);
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, 'trust'), '');
    const blocked = openTrustStore(realFileSystem, folder, uid);
    expect(await failureOf(blocked.accept(one))).toMatchObject({ code: 'BACKEND' });
    expect(await blocked.find(one.path)).toBeNull();
  });

  it('make no folder by being asked for', async () => {
    const { store, folder } = newStore();
    await store.find(one.path);
    store.list();
    await store.forget(one.path);
    expect(existsSync(folder)).toBe(false);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'README'), 'not one of them');
    expect(store.list()).toEqual([]);
  });
});

it('the hash is what sha256sum prints', async () => {
  expect(await acceptedHash(utf8('{}\n'))).toBe(
    'ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356',
  );
});
