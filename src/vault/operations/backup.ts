/**
 * Backups: a vault and its log copied while nobody writes, read back, and kept as files like any others. docs/backup.md.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { BackendError, ConcurrencyError, IntegrityError } from '../../errors.ts';
import { Authority } from '../../access/authority.ts';
import { VaultDocument } from '../../format/document.ts';
import { backupName, destinationOf, listBackups } from '../../storage/backup-files.ts';
import type { FileSystem } from '../../storage/file-system.ts';
import { openLogReader } from '../../storage/log-file.ts';
import type { LogSource } from '../../storage/log-lines.ts';
import { createFile, piecesOf, removeQuietly } from '../../storage/new-file.ts';
import { openVaultFile } from '../../storage/vault-file.ts';
import { logPathBeside, type Place } from '../place.ts';
import { Scope } from '../scope.ts';
import type { Vault } from '../vault.ts';
import { verifyVault, type VerifyOptions, type VerifyReport } from './verify.ts';

export interface BackupOptions {
  /** A file, or a folder in which it gets a name. */
  readonly destination: string;
  /** Whether the destination is a folder, even if it is not there yet. */
  readonly asFolder: boolean;
  /** How many backups of this vault stay in the folder; `null` for all. */
  readonly keep: number | null;
  readonly progress: VerifyOptions['progress'];
}

export interface BackupReport extends VerifyReport {
  readonly path: string;
  /** Older backups that were removed. */
  readonly removed: readonly string[];
}

/** A place where a copy stands: nothing is remembered of it. */
export const placeOfCopy = (place: Place, path: string): Place => ({
  ...place,
  path,
  audit: { type: 'file', path: logPathBeside(path) },
  stateFolder: null,
});

/**
 * Copy vault and log. They are read back byte for byte before it is on record, and proven whole after it.
 * @throws ConcurrencyError if a file is there; BackendError; IntegrityError if the copy, and so the vault, does not hold
 */
export async function takeBackup(vault: Vault, options: BackupOptions): Promise<BackupReport> {
  const { place } = vault;
  const { fs } = place;
  const target = destinationOf(fs, options.destination, options.asFolder);
  const { value: path } = await vault.hold('backup', async (scope) => {
    const generation = scope.document.snapshot.value.n;
    const file = target.folder
      ? join(target.path, backupName(place.path, place.now(), generation))
      : target.path;
    scope.trace.detail = `generation ${generation}`;
    copyVault(place, scope.document, file);
    return Promise.resolve(file);
  });
  const report = await verifyCopy(vault, path, options.progress);
  const removed =
    target.folder && options.keep !== null
      ? retain(place, vault.document.vaultId, target.path, options.keep)
      : [];
  return { path, removed, ...report };
}

/** The log first: where a killed process leaves one file, it is not one that looks like a backup. */
function copyVault(place: Place, document: VaultDocument, path: string): void {
  const { fs, audit } = place;
  const logCopy = logPathBeside(path);
  checkFree(fs, path);
  const log = openLogReader(fs, audit.path);
  try {
    if (log !== null) copy(fs, log, logCopy);
    try {
      copy(fs, document.source, path);
    } catch (error) {
      if (log !== null) removeQuietly(fs, logCopy);
      throw error;
    }
  } finally {
    log?.close();
  }
}

/** Before anything is made: a backup is never written over. */
function checkFree(fs: FileSystem, path: string): void {
  if (fs.lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  throw new ConcurrencyError(
    `${path} is there already`,
    { hint: 'name another file, or a folder' },
    'ALREADY_EXISTS',
  );
}

function copy(fs: FileSystem, source: LogSource, path: string): void {
  createFile(fs, path, piecesOf(source, 0, source.size));
  const written = openLogReader(fs, path);
  try {
    if (written !== null && written.size === source.size && hashOf(written) === hashOf(source)) return;
  } finally {
    written?.close();
  }
  removeQuietly(fs, path);
  throw new BackendError(`${path} reads back as something else than was written: the disk does not keep it`);
}

function hashOf(source: LogSource): string {
  const hash = createHash('sha256');
  for (const bytes of piecesOf(source, 0, source.size)) hash.update(bytes);
  return hash.digest('hex');
}

/** Everything that the principal can open in the copy, and its log. */
async function verifyCopy(
  vault: Vault,
  path: string,
  progress: VerifyOptions['progress'],
): Promise<VerifyReport> {
  const place = placeOfCopy(vault.place, path);
  const file = openVaultFile(place.fs, path);
  try {
    const document = new VaultDocument(file);
    const authority = await Authority.of(document);
    const scope = new Scope(document, authority, vault.identity, place.now());
    try {
      return await verifyVault(scope, place, progress === undefined ? {} : { progress });
    } finally {
      scope.close();
    }
  } catch (cause) {
    if (!(cause instanceof IntegrityError)) throw cause;
    const hint = `it was copied as it is, to ${path}`;
    throw new IntegrityError(`the vault does not hold: ${cause.message}`, { cause, hint });
  } finally {
    file.close();
  }
}

/** Whether a file begins as this vault does. Many vaults have one name, and may have their backups in one folder. */
function isCopyOf(fs: FileSystem, path: string, vaultId: string): boolean {
  const file = openVaultFile(fs, path);
  try {
    const start = Buffer.from(file.read(0, Math.min(file.size, 128))).toString('latin1');
    return start.includes(`"id":"${vaultId}"`);
  } finally {
    file.close();
  }
}

/** Remove the oldest backups beyond so many, each with its log; the vault file goes first. */
function retain({ fs, path: vaultPath }: Place, vaultId: string, folder: string, keep: number): string[] {
  const own = listBackups(fs, folder, vaultPath).filter((path) => isCopyOf(fs, path, vaultId));
  const old = own.slice(keep);
  for (const path of old) {
    removeQuietly(fs, path);
    removeQuietly(fs, logPathBeside(path));
  }
  return old;
}
