/** Files that decide what the program does, and where they are looked for. */
import { chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { realFileSystem, type FileSystem } from '../../../src/storage/file-system.ts';
import { nearestProjectFile } from '../../../src/storage/locate.ts';
import { readOwnFile } from '../../../src/storage/own-file.ts';
import { failureOf } from '../../support/failure.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const uid = process.getuid?.() ?? null;
const somebody = 12_345;

/** The real file system, on which some paths, and what is opened there, belong to somebody else. */
function withForeign(isForeign: (file: string) => boolean, owner = somebody): FileSystem {
  const opened = new Map<number, string>();
  const foreign = <T extends object | undefined>(file: string, stat: T): T =>
    stat !== undefined && isForeign(file) ? Object.assign(stat, { uid: owner }) : stat;
  return {
    ...realFileSystem,
    openSync: (file, flags, mode) => {
      const descriptor = realFileSystem.openSync(file, flags, mode);
      opened.set(descriptor, String(file));
      return descriptor;
    },
    fstatSync: ((descriptor: number) =>
      foreign(opened.get(descriptor) ?? '', realFileSystem.fstatSync(descriptor))) as FileSystem['fstatSync'],
    lstatSync: ((file: string, options?: { throwIfNoEntry: false }) =>
      foreign(file, realFileSystem.lstatSync(file, options))) as FileSystem['lstatSync'],
  };
}

const fs = realFileSystem;
const most = 100;

describe('readOwnFile', () => {
  const newFile = (content = '{}'): string => {
    const file = path.join(temporaryFolder(), 'vault.json');
    writeFileSync(file, content);
    return file;
  };

  it('reads, up to its bound', async () => {
    expect(readOwnFile(fs, newFile('x'.repeat(100)), { uid, most })).toHaveLength(100);
    expect(await failureOf(() => readOwnFile(fs, newFile('x'.repeat(101)), { uid, most }))).toMatchObject({
      exitCode: 2,
    });
    expect(readOwnFile(fs, `${newFile()}.not`, { uid, most })).toBeNull();
    expect(readOwnFile(fs, path.join(newFile(), 'below'), { uid, most })).toBeNull();
  });

  it('refuses links and what is no file: 7', async () => {
    const file = newFile();
    symlinkSync(file, `${file}.link`);
    mkdirSync(`${file}.folder`);
    for (const bad of [`${file}.link`, `${file}.folder`, '/dev/null'])
      expect(await failureOf(() => readOwnFile(fs, bad, { uid, most }))).toMatchObject({
        code: 'UNSAFE_PATH',
      });
    expect(readOwnFile(fs, `${file}.link`, { uid, most, linked: true })).not.toBeNull();
    expect(
      await failureOf(() => readOwnFile(fs, `${file}.folder`, { uid, most, linked: true })),
    ).toMatchObject({ code: 'UNSAFE_PATH' });
  });

  it('refuses what is somebody else’s: 7', async () => {
    const file = newFile();
    const foreign = withForeign((one) => one === file);
    for (const linked of [false, true])
      expect(await failureOf(() => readOwnFile(foreign, file, { uid, most, linked }))).toMatchObject({
        code: 'UNSAFE_PATH',
      });
    expect(readOwnFile(foreign, file, { uid: null, most })).not.toBeNull();
  });

  it('takes what is the superuser’s only where links are taken', async () => {
    const file = newFile();
    const ofRoot = withForeign((one) => one === file, 0);
    expect(readOwnFile(ofRoot, file, { uid: somebody, most, linked: true })).not.toBeNull();
    expect(await failureOf(() => readOwnFile(ofRoot, file, { uid: somebody, most }))).toMatchObject({
      code: 'UNSAFE_PATH',
    });
  });
});

describe('nearestProjectFile', () => {
  const tree = (): string => {
    const folder = temporaryFolder();
    mkdirSync(path.join(folder, 'a/b/c'), { recursive: true });
    return folder;
  };

  it('is the nearest upward, whatever it is', () => {
    const folder = tree();
    const cwd = path.join(folder, 'a/b/c');
    writeFileSync(path.join(folder, 'vault.json'), '{}');
    expect(nearestProjectFile({ fs, cwd, uid })).toBe(path.join(folder, 'vault.json'));
    symlinkSync('/nowhere', path.join(folder, 'a/vault.json'));
    expect(nearestProjectFile({ fs, cwd, uid })).toBe(path.join(folder, 'a/vault.json'));
    expect(nearestProjectFile({ fs, cwd: folder, uid })).toBe(path.join(folder, 'vault.json'));
  });

  it('is not looked for in a folder of somebody else, or above it', () => {
    const folder = tree();
    const cwd = path.join(folder, 'a/b/c');
    writeFileSync(path.join(folder, 'vault.json'), '{}');
    writeFileSync(path.join(folder, 'a/b/vault.json'), '{}');
    const at = (foreign: string): string | null =>
      nearestProjectFile({ fs: withForeign((file) => file === path.join(folder, foreign)), cwd, uid });
    expect(at('a')).toBe(path.join(folder, 'a/b/vault.json'));
    expect(at('a/b')).toBeNull();
    expect(at('a/b/c')).toBeNull();
  });

  it('is not looked for above a folder that may not be looked at', async () => {
    const folder = tree();
    const cwd = path.join(folder, 'a/b/c');
    writeFileSync(path.join(folder, 'vault.json'), '{}');
    const refusing = (code: string): FileSystem => ({
      ...fs,
      lstatSync: ((file: string, options?: { throwIfNoEntry: false }) => {
        if (file === path.join(folder, 'a')) throw Object.assign(new Error(code), { code });
        return fs.lstatSync(file, options);
      }) as FileSystem['lstatSync'],
    });
    expect(nearestProjectFile({ fs: refusing('EACCES'), cwd, uid })).toBeNull();
    const broken = await failureOf(() => nearestProjectFile({ fs: refusing('EIO'), cwd, uid }));
    expect(broken).toMatchObject({ code: 'BACKEND' });
  });

  it.runIf(uid === 0)('is not looked for above a folder that really is somebody else’s', () => {
    const folder = tree();
    writeFileSync(path.join(folder, 'vault.json'), '{}');
    chownSync(path.join(folder, 'a'), somebody, somebody);
    expect(nearestProjectFile({ fs, cwd: path.join(folder, 'a/b/c'), uid })).toBeNull();
  });
});
