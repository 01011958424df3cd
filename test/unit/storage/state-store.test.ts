/** What a machine remembers, on disk. docs/format.md section 6. */
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
import { describe, expect, test } from 'vitest';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import { IntegrityError } from '../../../src/errors.ts';
import { realFileSystem } from '../../../src/storage/file-system.ts';
import { openStateStore, type Remembered } from '../../../src/storage/state-store.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { dyingAt, failingOnce, watchedFileSystem } from '../../support/watched-file-system.ts';

const id = encodeBase64url(new Uint8Array(16));
const digest = encodeBase64url(new Uint8Array(32));
const state: Remembered = {
  vault: id,
  path: '/home/ada/team.vault',
  generation: 7,
  head: digest,
  parts: [['header', 1, digest]],
  logs: [{ path: '/home/ada/team.vault.audit.jsonl', id, seq: 12, digest }],
  checked: digest,
};

const newFolder = (): string => path.join(temporaryFolder(), 'state');

test('what was saved is loaded', () => {
  const folder = newFolder();
  expect(openStateStore(realFileSystem, folder, 'key').load()).toBeNull();
  expect(openStateStore(realFileSystem, folder, 'key').save(state, true)).toBe(true);
  expect(openStateStore(realFileSystem, folder, 'key').load()).toEqual(state);
  expect(openStateStore(realFileSystem, folder, 'other').load()).toBeNull();
});

test('what earlier versions wrote is loaded: nobody has vouched for anything', () => {
  const folder = newFolder();
  openStateStore(realFileSystem, folder, 'key').save(state, true);
  const { checked: _, ...before } = state;
  writeFileSync(path.join(folder, 'key.json'), JSON.stringify(before));
  expect(openStateStore(realFileSystem, folder, 'key').load()).toEqual({ ...before, checked: '' });
});

test('it is for its owner only, and no temporary file stays', () => {
  const folder = newFolder();
  openStateStore(realFileSystem, folder, 'key').save(state, false);
  expect(readdirSync(folder)).toEqual(['key.json']);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(path.join(folder, 'key.json')).mode & 0o777).toBe(0o600);
});

test('it is flushed where that was asked for', () => {
  const calls: string[] = [];
  const fs = watchedFileSystem(({ call }) => calls.push(call));
  const store = openStateStore(fs, newFolder(), 'key');
  store.save(state, true);
  expect(calls.slice(calls.indexOf('writeSync'))).toEqual([
    'writeSync',
    'fsyncSync',
    'closeSync',
    'renameSync',
  ]);
  calls.splice(0);
  store.save(state, false);
  expect(calls).not.toContain('fsyncSync');
});

describe('a machine without memory', () => {
  test('by no folder: nothing is loaded, nothing is saved, nothing fails', () => {
    const store = openStateStore(realFileSystem, null, 'key');
    expect(store.load()).toBeNull();
    expect(store.save(state, true)).toBe(false);
  });

  test('by a folder that cannot be made', () => {
    const file = path.join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(openStateStore(realFileSystem, path.join(file, 'state'), 'key').save(state, true)).toBe(false);
  });

  test('by mkdirSync failing: it says so, and tries again the next time', () => {
    const fs = failingOnce(({ call }) => call === 'mkdirSync', 'ENOSPC');
    const store = openStateStore(fs, newFolder(), 'key');
    expect(store.save(state, true)).toBe(false);
    expect(store.save(state, true)).toBe(true);
  });

  test.each(['openSync', 'writeSync', 'fsyncSync', 'closeSync', 'renameSync'] as const)(
    'by %s failing: it says so, and what was remembered before stays',
    (failing) => {
      const folder = newFolder();
      openStateStore(realFileSystem, folder, 'key').save(state, true);
      const fs = failingOnce(({ call }) => call === failing, 'ENOSPC');
      expect(openStateStore(fs, folder, 'key').save({ ...state, generation: 8 }, true)).toBe(false);
      expect(openStateStore(realFileSystem, folder, 'key').load()).toEqual(state);
      expect(openStateStore(realFileSystem, folder, 'key').save({ ...state, generation: 9 }, true)).toBe(
        true,
      );
      expect(openStateStore(realFileSystem, folder, 'key').load()?.generation).toBe(9);
    },
  );
});

test('killed at any step, the old state or the new one is there', () => {
  let steps = 0;
  openStateStore(
    watchedFileSystem(() => (steps += 1)),
    newFolder(),
    'key',
  ).save(state, true);
  for (let at = 1; at <= steps; at++) {
    const folder = newFolder();
    openStateStore(realFileSystem, folder, 'key').save(state, true);
    openStateStore(
      dyingAt(({ number }) => number >= at),
      folder,
      'key',
    ).save({ ...state, generation: 8 }, true);
    expect([7, 8]).toContain(openStateStore(realFileSystem, folder, 'key').load()?.generation);
  }
});

describe('damage is an integrity error that names the file', () => {
  test.each([
    '',
    '{',
    'null',
    '[]',
    '{}',
    JSON.stringify({ ...state, head: 'short' }),
    JSON.stringify({ ...state, generation: -1 }),
    JSON.stringify({ ...state, more: 1 }),
    JSON.stringify({ ...state, parts: [['header', '1', digest]] }),
    `${JSON.stringify(state)}x`,
  ])('%s', (text) => {
    const folder = newFolder();
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'key.json'), text);
    const error = expect.objectContaining({ code: 'INTEGRITY', exitCode: 7 }) as Error;
    expect(() => openStateStore(realFileSystem, folder, 'key').load()).toThrow(error);
    expect(() => openStateStore(realFileSystem, folder, 'key').load()).toThrow(path.join(folder, 'key.json'));
  });

  test('bytes that are not UTF-8', () => {
    const folder = newFolder();
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'key.json'), Buffer.from([0x22, 0xff, 0x22]));
    expect(() => openStateStore(realFileSystem, folder, 'key').load()).toThrow(IntegrityError);
  });
});

test('links are not followed: neither read nor written through', () => {
  const folder = newFolder();
  mkdirSync(folder);
  const target = path.join(path.dirname(folder), 'target');
  writeFileSync(target, JSON.stringify(state));
  symlinkSync(target, path.join(folder, 'key.json'));
  const store = openStateStore(realFileSystem, folder, 'key');
  expect(() => store.load()).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }) as Error);
  symlinkSync(target, path.join(folder, 'other.json.new'));
  expect(openStateStore(realFileSystem, folder, 'other').save({ ...state, generation: 8 }, true)).toBe(true);
  expect((JSON.parse(readFileSync(target, 'utf8')) as Remembered).generation).toBe(7);
  expect(existsSync(path.join(folder, 'other.json'))).toBe(true);
});
