/**
 * Where backups are: a copy of a vault is a vault, and its log stands beside it as beside every vault. In a folder they are named by time
 * and generation, so that their order is that of their names.
 */
import { basename, join } from 'node:path';
import { UsageError } from '../errors.ts';
import { errorCode, makeFolders, onDisk, type FileSystem } from './file-system.ts';

/** Where backups of a vault go if nobody says otherwise. */
export const backupFolderOf = (vaultPath: string): string => `${vaultPath}.backups`;

const ending = '.backup';

/** `team.vault` at a moment: `team-20261124T222733123Z-g12.backup`. Not `.vault`: it must not be found as one. */
export function backupName(vaultPath: string, time: Date, generation: number): string {
  const digits = time.toISOString().replace(/[-:.]/gu, '');
  return `${stemOf(vaultPath)}-${digits}-g${generation}${ending}`;
}

function stemOf(vaultPath: string): string {
  return basename(vaultPath).replace(/\.vault$/u, '');
}

/** Backups of a vault in a folder, the newest first. */
export function listBackups(fs: FileSystem, folder: string, vaultPath: string): string[] {
  const stem = stemOf(vaultPath);
  const form = /^-(\d{8}T\d{9}Z)-g\d{1,16}\.backup$/u;
  return onDisk('look into', folder, () => fs.readdirSync(folder))
    .filter((name) => name.startsWith(stem) && form.test(name.slice(stem.length)))
    .sort()
    .reverse()
    .map((name) => join(folder, name));
}

/** A destination that somebody named: a folder, there already or by its final slash, or a new file. Folders are made, 0700. */
export function destinationOf(
  fs: FileSystem,
  named: string,
  asFolder: boolean,
): { folder: boolean; path: string } {
  if (named === '') throw new UsageError('the path of the backup is empty');
  const isFolder = asFolder || named.endsWith('/') || kindOf(fs, named) === 'folder';
  if (isFolder)
    onDisk('make', named, () => {
      makeFolders(fs, named.replace(/\/+$/u, ''));
    });
  return { folder: isFolder, path: named };
}

function kindOf(fs: FileSystem, path: string): 'folder' | 'other' | null {
  try {
    return fs.lstatSync(path).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    return onDisk('look at', path, () => {
      throw error;
    });
  }
}
