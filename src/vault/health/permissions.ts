/** Who may write and read the files of a vault, what they are in, and what opens it. Not on Windows, which has other rights. */
import type { Stats } from 'node:fs';
import { dirname } from 'node:path';
import { callerId } from '../../storage/caller.ts';
import type { FileSystem } from '../../storage/file-system.ts';
import type { Place } from '../place.ts';
import { finding, type Finding } from './finding.ts';
import type { FindingId } from './finding-kinds.ts';

export function statOf(fs: FileSystem, path: string): Stats | null {
  try {
    return fs.lstatSync(path);
  } catch {
    return null;
  }
}

/** Where a path leads, or `null` where it leads nowhere. */
function realPath(fs: FileSystem, path: string): string | null {
  try {
    return fs.realpathSync(path);
  } catch {
    return null;
  }
}

/** The folder, and all that it is in. */
function upward(folder: string): string[] {
  const all = [folder];
  for (let at = folder; dirname(at) !== at; at = dirname(at)) all.push(dirname(at));
  return all;
}

/** Folders that a path goes through, as it is written and as links lead it; their mode is that of folders, not of links. */
function foldersAround(fs: FileSystem, folders: readonly string[]): string[] {
  const written = folders.flatMap((folder) => upward(folder).map((one) => realPath(fs, one)));
  return [...new Set(written.flatMap((one) => (one === null ? [] : upward(one))))];
}

// In a folder like /tmp, nobody can rename what is somebody else's.
const isSticky = ({ mode }: Stats): boolean => (mode & 0o1000) !== 0;

export function permissionFindings({ fs, path, audit, stateFolder }: Place): Finding[] {
  const uid = callerId();
  if (uid === null) return [];
  const files = [path, audit.path];
  const folders = [...new Set(files.map((file) => dirname(file)))];
  const real = [...new Set(folders.flatMap((folder) => realPath(fs, folder) ?? []))];
  const own = [...files, ...(stateFolder === null ? [] : [stateFolder])];
  const found: Finding[] = [];
  const named = (
    id: FindingId,
    message: string,
    paths: readonly string[],
    is: (stat: Stats) => boolean,
  ): void => {
    const names = having(fs, paths, is);
    if (names.length > 0) found.push(finding(id, message, { names }));
  };
  named('file-writable-by-others', 'others may write here', own, ({ mode }) => (mode & 0o022) !== 0);
  named(
    'folder-writable-by-others',
    'everybody may write here',
    foldersAround(fs, folders),
    (stat) => (stat.mode & 0o002) !== 0 && !isSticky(stat),
  );
  named(
    'folder-writable-by-group',
    'a group may write here',
    real,
    (stat) => (stat.mode & 0o022) === 0o020 && !isSticky(stat),
  );
  const inGit = isInWorkTree(fs, dirname(path)) ? ', and the vault is in a git work tree' : '';
  named(
    'readable-by-others',
    `others on this machine may read this${inGit}`,
    files,
    ({ mode }) => (mode & 0o044) !== 0,
  );
  named(
    'other-owner',
    'this belongs to somebody else',
    [...own, ...real],
    ({ uid: owner }) => owner !== uid && owner !== 0,
  );
  return found;
}

function having(fs: FileSystem, paths: readonly string[], is: (stat: Stats) => boolean): string[] {
  return paths.filter((one) => {
    const stat = statOf(fs, one);
    return stat !== null && is(stat);
  });
}

function isInWorkTree(fs: FileSystem, folder: string): boolean {
  return upward(folder).some((at) => statOf(fs, `${at}/.git`) !== null);
}

/** @param files that credentials are read from; pipes and what is not there are nobody's to read */
export function credentialFindings(fs: FileSystem, files: readonly string[]): Finding[] {
  if (callerId() === null) return [];
  const open = [...new Set(files)].filter((file) => {
    const real = realPath(fs, file);
    const stat = real === null ? null : statOf(fs, real);
    return stat?.isFile() === true && (stat.mode & 0o066) !== 0;
  });
  return open.length === 0
    ? []
    : [
        finding(
          'credential-readable-by-others',
          'this opens the vault, and others on this machine may use it',
          {
            names: open,
          },
        ),
      ];
}
