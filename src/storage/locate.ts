/**
 * Where the vault is: a path that was named, or the nearest one upward; and the nearest `vault.json`. `commands.md`, "VAULT_PATH" and the
 * small print on links.
 */
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { IntegrityError, SecretNotFoundError, UsageError } from '../errors.ts';
import { errorCode, makeFolders, onDisk, type FileSystem } from './file-system.ts';

const vaultName = 'secrets.vault';
export const vaultFolder = '.vault';
export const projectFileName = 'vault.json';

/** Where a search goes upward from. */
export interface UpwardSearch {
  readonly fs: FileSystem;
  readonly cwd: string;
  /** Numeric id of the caller, or `null` where the system has none. */
  readonly uid: number | null;
}

export interface LocateOptions extends UpwardSearch {
  /** What was named by flag or variable, or `null`. */
  readonly named: string | null;
  /** The user's own vault, tried last. */
  readonly userVault: string;
}

type Kind = 'file' | 'folder' | 'link' | null;

function kindOf(fs: FileSystem, path: string): Kind {
  try {
    const stat = fs.lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return null;
    if (stat.isSymbolicLink()) return 'link';
    return stat.isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return null;
    return onDisk('look at', path, () => {
      throw error;
    });
  }
}

/** The folder whose vault this is, where its hooks run: the one it lies in, or the one around its `.vault`. */
export function projectFolder(vault: string): string {
  const folder = dirname(vault);
  return basename(folder) === vaultFolder ? dirname(folder) : folder;
}

/** Path of a vault that was named: a folder means `secrets.vault` in it. It need not exist. */
export function namedVaultPath(fs: FileSystem, cwd: string, named: string): string {
  if (named === '') throw new UsageError('the path of the vault is empty');
  const path = isAbsolute(named) ? named : resolve(cwd, named);
  return kindOf(fs, path) === 'folder' ? join(path, vaultName) : path;
}

/**
 * Real path of the vault to use. A link is resolved once, if it and its target belong to the caller.
 * @throws SecretNotFoundError VAULT_NOT_FOUND; UsageError if two are equally near; IntegrityError UNSAFE_PATH
 */
export function locateVault(options: LocateOptions): string {
  const { fs, cwd, named, userVault } = options;
  if (named !== null) return locateNamed(options, named);
  const near = nearestVault(options);
  if (near !== null) return resolveLink(options, near);
  if (kindOf(fs, userVault) !== null) return resolveLink(options, userVault);
  const message = `there is no vault here: no ${vaultFolder}/${vaultName} or *.vault from ${cwd} upward, and none at ${userVault}`;
  throw new SecretNotFoundError(message, {}, 'VAULT_NOT_FOUND');
}

/** Real path of a vault that was named: relative to `cwd`; a folder means `secrets.vault` in it. @throws as `locateVault` */
export function locateNamed(search: UpwardSearch, named: string): string {
  return resolveLink(search, namedVaultPath(search.fs, search.cwd, named));
}

/** Folders from here upward, to the first that is somebody else's: it may hold something that was put there to be found. */
function* ownFolders({ fs, cwd, uid }: UpwardSearch): Generator<string> {
  for (let folder = cwd; ; folder = dirname(folder)) {
    if (uid !== null && ownerOf(fs, folder) !== uid) return;
    yield folder;
    if (dirname(folder) === folder) return;
  }
}

/** `null` for a folder that may not even be looked at, as where somebody became another user in a folder of their own. */
function ownerOf(fs: FileSystem, folder: string): number | null {
  try {
    return fs.lstatSync(folder).uid;
  } catch (error) {
    if (errorCode(error) === 'EACCES' || errorCode(error) === 'EPERM') return null;
    return onDisk('look at', folder, () => {
      throw error;
    });
  }
}

/** Path of the nearest `vault.json`, whatever it is, or `null`. */
export function nearestProjectFile(search: UpwardSearch): string | null {
  for (const folder of ownFolders(search)) {
    const path = join(folder, projectFileName);
    if (kindOf(search.fs, path) !== null) return path;
  }
  return null;
}

function nearestVault(search: UpwardSearch): string | null {
  const { fs } = search;
  for (const folder of ownFolders(search)) {
    const hidden = join(folder, vaultFolder, vaultName);
    const here = fs.readdirSync(folder).filter((name) => name.endsWith('.vault') && name !== vaultFolder);
    const found = [
      ...(kindOf(fs, hidden) === null ? [] : [hidden]),
      ...here.map((name) => join(folder, name)),
    ];
    const [only, ...more] = found.filter((path) => kindOf(fs, path) !== 'folder');
    if (only !== undefined && more.length > 0) {
      throw new UsageError(`there are several vaults here: ${[only, ...more].join(', ')}`, {
        hint: 'name one with --vault',
      });
    }
    if (only !== undefined) return only;
  }
  return null;
}

function resolveLink({ fs, uid }: UpwardSearch, path: string): string {
  const kind = kindOf(fs, path);
  if (kind === null) throw new SecretNotFoundError(`there is no vault at ${path}`, {}, 'VAULT_NOT_FOUND');
  if (kind !== 'link') return join(fs.realpathSync(dirname(path)), basename(path));
  const target = fs.realpathSync(path);
  const owners = [fs.lstatSync(path).uid, fs.lstatSync(target).uid];
  if (uid !== null && owners.some((owner) => owner !== uid)) {
    throw new IntegrityError(
      `${path} is a link that does not belong to you, or leads to a file that does not`,
      {},
      'UNSAFE_PATH',
    );
  }
  return target;
}

/** Path for a new vault: nothing may be there yet, links least of all. The folder is resolved. */
export function newVaultPath(fs: FileSystem, path: string): string {
  if (kindOf(fs, path) === 'link')
    throw new IntegrityError(`refusing to write through the link ${path}`, {}, 'UNSAFE_PATH');
  return join(fs.realpathSync(dirname(path)), basename(path));
}

/** Make the folders that a new vault needs, 0700; existing ones stay as they are. */
export function makeFolder(fs: FileSystem, path: string): void {
  onDisk('make the folder', path, () => {
    makeFolders(fs, path);
  });
}
