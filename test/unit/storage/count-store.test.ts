/** How far a log was counted, on disk: what is not as it was written counts for nothing, and never stops anybody. */
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
import { expect, test } from 'vitest';
import { openCountStore, type Counted } from '../../../src/storage/count-store.ts';
import { realFileSystem } from '../../../src/storage/file-system.ts';
import { logId, moment } from '../../support/audit-lines.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failingOnce } from '../../support/watched-file-system.ts';

const state: Counted = {
  last: {
    log: logId,
    sequence: 12,
    time: moment,
    operation: 'get',
    ok: true,
    digest: Buffer.alloc(32).toString('base64url'),
    offset: 1_000,
    length: 500,
  },
  records: 12,
  unreadable: 0,
  failedUnlocks: 2,
  operations: [
    ['get', 10, 0],
    ['unlock', 0, 2],
  ],
};

const newFolder = (): string => path.join(temporaryFolder(), 'state');
const fileIn = (folder: string): string => path.join(folder, 'counts', 'key.json');

test('what was saved is loaded, by its key, from a file that its owner alone reads', () => {
  const folder = newFolder();
  const store = openCountStore(realFileSystem, folder, 'key');
  expect(store.load()).toBeNull();
  store.save(state);
  expect(store.load()).toEqual(state);
  expect(openCountStore(realFileSystem, folder, 'other').load()).toBeNull();
  expect(statSync(fileIn(folder)).mode & 0o777).toBe(0o600);
  expect(readdirSync(path.dirname(fileIn(folder)))).toEqual(['key.json']);
});

test.each([
  ['nothing', ''],
  ['half', JSON.stringify(state).slice(0, -9)],
  ['another member', JSON.stringify({ ...state, more: 1 })],
  ['a negative count', JSON.stringify({ ...state, records: -1 })],
  ['a text in the place of a number', JSON.stringify({ ...state, operations: [['get', '1', 0]] })],
  [
    'an unbounded list',
    JSON.stringify({ ...state, operations: Array.from({ length: 200 }, (_, i) => [`${i}`, 1, 1]) }),
  ],
  ['more than any count needs', ' '.repeat(2 * 1024 ** 2) + JSON.stringify(state)],
])('%s in its place counts for nothing, and is written over', (_, content) => {
  const folder = newFolder();
  const store = openCountStore(realFileSystem, folder, 'key');
  store.save(state);
  writeFileSync(fileIn(folder), content);
  expect(store.load()).toBeNull();
  store.save(state);
  expect(store.load()).toEqual(state);
});

test('a link is not followed', () => {
  const folder = newFolder();
  const elsewhere = path.join(temporaryFolder(), 'elsewhere');
  writeFileSync(elsewhere, JSON.stringify(state));
  mkdirSync(path.dirname(fileIn(folder)), { recursive: true });
  symlinkSync(elsewhere, fileIn(folder));
  const store = openCountStore(realFileSystem, folder, 'key');
  expect(store.load()).toBeNull();
  store.save({ ...state, records: 13 });
  expect(store.load()).toEqual({ ...state, records: 13 });
  expect(JSON.parse(readFileSync(elsewhere, 'utf8'))).toEqual(state);
});

test('a machine without memory keeps nothing', () => {
  const store = openCountStore(realFileSystem, null, 'key');
  store.save(state);
  expect(store.load()).toBeNull();
});

test('where nothing can be written, nothing happens', () => {
  const folder = newFolder();
  openCountStore(
    failingOnce(({ call }) => call === 'writeSync', 'ENOSPC'),
    folder,
    'key',
  ).save(state);
  expect(existsSync(fileIn(folder))).toBe(false);
  const blocked = path.join(temporaryFolder(), 'file');
  writeFileSync(blocked, '');
  openCountStore(realFileSystem, blocked, 'key').save(state);
  expect(openCountStore(realFileSystem, blocked, 'key').load()).toBeNull();
});
