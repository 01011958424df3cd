/** Making a vault. docs/format.md section 2. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createVault } from '../../../src/vault/create.ts';
import type { NewVault } from '../../../src/vault/founding.ts';
import { failureOf } from '../../support/failure.ts';
import {
  cheapKdf,
  makeVault,
  open,
  placeIn,
  put,
  samplePassphrase,
  withVault,
} from '../../support/sample-vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { dyingAt, failingOnce, watchedFileSystem } from '../../support/watched-file-system.ts';

const wanted: NewVault = {
  credential: { type: 'passphrase', passphrase: samplePassphrase },
  kdf: cheapKdf,
  environments: ['development', 'staging', 'production', 'testing'],
  recovery: true,
};

test('the same randomness and the same clock make the same vault', async () => {
  const made = new Set<string>();
  for (let round = 0; round < 12; round++) {
    let counter = 0;
    const random = (length: number) => new Uint8Array(length).fill((counter += 1));
    const place = placeIn(temporaryFolder(), { random, now: () => new Date('2026-11-22T08:00:38.123Z') });
    await createVault(place, wanted);
    made.add(readFileSync(place.path, 'utf8'));
  }
  expect(made.size).toBe(1);
});

describe('nothing that exists is written over', () => {
  test.each(['a file', 'a folder', 'a link', 'a dangling link', 'a vault'])('%s', async (what) => {
    const folder = temporaryFolder();
    const place = placeIn(folder);
    const target = path.join(folder, 'target');
    if (what === 'a file') writeFileSync(place.path, 'precious');
    if (what === 'a folder') mkdirSync(place.path);
    if (what === 'a link') writeFileSync(target, 'precious');
    if (what.endsWith('link')) symlinkSync(target, place.path);
    if (what === 'a vault') await makeVault(place);
    const before = readdirSync(folder).filter((name) => !name.includes('.lock'));
    expect((await failureOf(createVault(place, wanted))).code).toBe('ALREADY_EXISTS');
    expect(readdirSync(folder).filter((name) => !name.includes('.lock'))).toEqual(before);
  });
});

test.each<[string, Partial<NewVault>]>([
  ['no environment', { environments: [] }],
  ['an environment twice', { environments: ['a', 'a'] }],
  ['an environment without a name', { environments: [''] }],
  ['an environment with a space', { environments: ['a b'] }],
  ['an environment that turns the line around', { environments: ['a\u202eb'] }],
  ['a KDF that is too weak', { kdf: { name: 'pbkdf2-hmac-sha256', iterations: 99_999 } }],
  ['no passphrase', { credential: { type: 'passphrase', passphrase: '' } }],
  ['a short key file', { credential: { type: 'passphrase', passphrase: 'x', keyFile: new Uint8Array(31) } }],
])('%s is refused, exit 2, and nothing is made', async (_what, change) => {
  const place = placeIn(temporaryFolder());
  expect((await failureOf(createVault(place, { ...wanted, ...change }))).exitCode).toBe(2);
  expect(existsSync(place.path)).toBe(false);
  expect(existsSync(place.audit.path)).toBe(false);
});

test('killed at any step, it can be made again, and then works', async () => {
  let steps = 0;
  await makeVault(placeIn(temporaryFolder(), { fs: watchedFileSystem(() => (steps += 1)) }), ['development']);
  expect(steps).toBeGreaterThan(10);
  for (let at = 1; at <= steps; at++) {
    const folder = temporaryFolder();
    const dying = placeIn(folder, { fs: dyingAt(({ number }) => number >= at) });
    await createVault(dying, { ...wanted, environments: ['development'] }).catch(() => null);
    const place = placeIn(folder);
    if (existsSync(place.path)) continue;
    const made = await makeVault(place, ['development']);
    const { version } = await withVault(made, async (vault) => put(vault, 'a', 'one'));
    expect(version).toBe(1);
  }
});

test('a full disk leaves nothing behind', async () => {
  const folder = temporaryFolder();
  const fs = failingOnce(({ call, path: at }) => call === 'fsyncSync' && at.endsWith('.vault.new'), 'ENOSPC');
  expect((await failureOf(createVault(placeIn(folder, { fs }), wanted))).code).toBe('BACKEND');
  expect(readdirSync(folder).filter((name) => !name.includes('.lock'))).toEqual([]);
  (await open(await makeVault(placeIn(folder)))).close();
});
