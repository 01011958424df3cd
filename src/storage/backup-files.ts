/**
 * Where backups are: a copy of a vault is a vault, and its log stands beside it as beside every vault. In a folder they are named by time
 * and generation, so that their order is that of their names.
 */
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../errors.ts';
import { VaultDocument } from '../format/document.ts';
import { errorCode, makeFolders, onDisk, syncFolder, type FileSystem } from './file-system.ts';
import { isTaken, removeQuietly } from './new-file.ts';
import { openVaultFile } from './vault-file.ts';

/** Where backups of a vault go if nobody says otherwise. */
export const backupFolderOf = (vaultPath: string): string => `${vaultPath}.backups`;

const ending = '.backup';
/** Of a copy that is being made. */
export const unfinished = '.vault-unfinished';
const form = /^-\d{8}T\d{9}Z-g\d{1,15}\.backup$/u;
const remnant = /^-(\d{8}T\d{9}Z)-g\d{1,16}\.backup(?:\.audit\.jsonl)?\.vault-unfinished$/u;
/** A copy that was begun so long ago is finished by nobody. */
const remnantAgeMs = 24 * 3_600_000;

/** `team.vault` at a moment: `team-20261124T222733123Z-g12.backup`. Not `.vault`: it must not be found as one. */
export function backupName(vaultPath: string, time: Date, generation: number): string {
  return `${stemOf(vaultPath)}-${digitsOf(time)}-g${generation}${ending}`;
}

const digitsOf = (time: Date): string => time.toISOString().replace(/[-:.]/gu, '');

function stemOf(vaultPath: string): string {
  return basename(vaultPath).replace(/\.vault$/u, '') || 'vault';
}

/** The generation that a backup's name says; `null` for a name that somebody chose. */
export function generationInName(path: string): number | null {
  const [, digits] = /-\d{8}T\d{9}Z-g(\d{1,15})\.backup$/u.exec(basename(path)) ?? [];
  return digits === undefined ? null : Number(digits);
}

/**
 * Backups of the vault that `latest` is one of, in its folder, newest first, as far as that: what names itself after it was not there when it
 * was made. What is no backup is passed over, whatever its name, and so is one of another owner.
 */
export function listBackups(
  fs: FileSystem,
  folder: string,
  vaultPath: string,
  vaultId: string,
  latest: string,
): string[] {
  const { uid } = fs.lstatSync(latest);
  return namesIn(fs, folder, vaultPath)
    .filter((name) => form.test(name.slice(stemOf(vaultPath).length)) && name <= basename(latest))
    .sort()
    .reverse()
    .map((name) => join(folder, name))
    .filter((path) => isBackupOf(fs, path, vaultId, uid));
}

function namesIn(fs: FileSystem, folder: string, vaultPath: string): string[] {
  const stem = stemOf(vaultPath);
  return onDisk('look into', folder, () => fs.readdirSync(folder)).filter((name) => name.startsWith(stem));
}

/** Whether this is a whole vault with this id, of the generation that its name says. Many vaults have one name, and may have their backups in one folder. */
function isBackupOf(fs: FileSystem, path: string, vaultId: string, uid: number): boolean {
  try {
    const stat = fs.lstatSync(path);
    if (!stat.isFile() || stat.uid !== uid) return false;
    const file = openVaultFile(fs, path);
    try {
      const document = new VaultDocument(file);
      return document.vaultId === vaultId && document.snapshot.value.n === generationInName(path);
    } finally {
      file.close();
    }
  } catch {
    return false;
  }
}

/** Remove what killed processes left of backups, as far as that can be done. */
export function removeRemnants(fs: FileSystem, folder: string, vaultPath: string, now: Date): void {
  let names: string[];
  try {
    names = namesIn(fs, folder, vaultPath);
  } catch {
    return;
  }
  const before = digitsOf(new Date(now.getTime() - remnantAgeMs));
  for (const name of names) {
    const [, begun] = remnant.exec(name.slice(stemOf(vaultPath).length)) ?? [];
    if (begun !== undefined && begun < before) removeQuietly(fs, join(folder, name));
  }
}

/** A destination that somebody named: a folder, there already or by its final slash, or a new file. Folders are made, 0700. */
export function destinationOf(
  fs: FileSystem,
  named: string,
  asFolder: boolean,
): { folder: boolean; path: string } {
  if (named === '') throw new UsageError('the path of the backup is empty');
  const folder = asFolder || named.endsWith('/') || isFolder(fs, named);
  if (folder) makeDurably(fs, named.replace(/\/+$/u, '') || '/');
  return { folder, path: named };
}

/** Folders as `makeFolders` makes them, that are still there after a power failure. */
function makeDurably(fs: FileSystem, path: string): void {
  const made: string[] = [];
  for (let at = path; !isTaken(fs, at); at = dirname(at)) made.push(at);
  onDisk('make', path, () => {
    makeFolders(fs, path);
    for (const one of made) syncFolder(fs, one);
  });
}

/** Whether a folder is there, also by a link. */
function isFolder(fs: FileSystem, path: string): boolean {
  try {
    return fs.lstatSync(fs.realpathSync(path)).isDirectory();
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return false;
    return onDisk('look at', path, () => {
      throw error;
    });
  }
}
