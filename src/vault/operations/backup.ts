/**
 * Backups: a vault and its log copied while nobody writes, read back, and kept as files like any others. docs/backup.md.
 */
import { join } from 'node:path';
import { BackendError, IntegrityError } from '../../errors.ts';
import { Authority } from '../../access/authority.ts';
import { VaultDocument } from '../../format/document.ts';
import { BackupCopy } from '../../storage/backup-copy.ts';
import { backupName, destinationOf, listBackups, removeRemnants } from '../../storage/backup-files.ts';
import { diskReason } from '../../storage/file-system.ts';
import { openLogReader } from '../../storage/log-file.ts';
import { isTaken, removeQuietly } from '../../storage/new-file.ts';
import { openVaultFile } from '../../storage/vault-file.ts';
import { settle } from '../outcome.ts';
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
 * Copy vault and log, read them back byte for byte, put that on record, give the copy its name, and prove all of it. If anything fails there is
 * no copy, and that is on record, too.
 * @throws ConcurrencyError if a file is there; BackendError; AuditError; IntegrityError if the copy, and so the vault, does not hold
 */
export async function takeBackup(vault: Vault, options: BackupOptions): Promise<BackupReport> {
  const made: { copy: BackupCopy | null; folder: string | null; detail: string; recorded: boolean } = {
    copy: null,
    folder: null,
    detail: '',
    recorded: false,
  };
  try {
    await vault.hold(
      'backup',
      async (scope) => {
        made.detail = `generation ${scope.document.snapshot.value.n}`;
        scope.trace.detail = made.detail;
        const target = destinationOf(vault.place.fs, options.destination, options.asFolder);
        made.folder = target.folder ? target.path : null;
        made.copy = copyTo(vault.place, scope.document, target);
        return Promise.resolve(made.copy);
      },
      (copy) => {
        made.recorded = true;
        copy.place();
      },
    );
    const { copy, folder } = made;
    if (copy === null) throw new BackendError('there is no copy');
    const report = await verifyCopy(vault, copy.path, options.progress);
    const { removed, warnings } =
      folder !== null && options.keep !== null
        ? retain(vault, folder, copy.path, options.keep)
        : { removed: [], warnings: [] };
    return { path: copy.path, removed, ...report, warnings: [...report.warnings, ...warnings] };
  } catch (error) {
    made.copy?.discard();
    if (made.recorded) await recordFailure(vault, made.detail, error);
    throw error;
  }
}

/** What was recorded as done did not last. */
async function recordFailure(vault: Vault, detail: string, error: unknown): Promise<void> {
  await settle(async () =>
    vault.read('backup', async (scope) => {
      scope.trace.detail = detail;
      return Promise.reject(error instanceof Error ? error : new Error('backup failed'));
    }),
  );
}

function copyTo(
  place: Place,
  document: VaultDocument,
  target: { readonly folder: boolean; readonly path: string },
): BackupCopy {
  const { fs, audit } = place;
  const log = openLogReader(fs, audit.path);
  try {
    if (!target.folder)
      return BackupCopy.write(fs, document.source, log, target.path, logPathBeside(target.path));
    removeRemnants(fs, target.path, place.path, place.now());
    const path = join(target.path, freeName(place, target.path, document.snapshot.value.n));
    return BackupCopy.write(fs, document.source, log, path, logPathBeside(path));
  } finally {
    log?.close();
  }
}

/** Vaults of one name may have their backups in one folder, and be copied in the same millisecond. */
function freeName({ fs, path, now }: Place, folder: string, generation: number): string {
  for (let time = now().getTime(); ; time++) {
    const name = backupName(path, new Date(time), generation);
    if (!isTaken(fs, join(folder, name))) return name;
  }
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
    const hint = 'no backup was made: restore one that verifies; keep this vault, as it is, by other means';
    throw new IntegrityError(`the vault does not hold: ${cause.message}`, { cause, hint });
  } finally {
    file.close();
  }
}

/** Remove the oldest backups beyond so many, each with its log; the vault file goes first. */
function retain(
  { place, document }: Vault,
  folder: string,
  latest: string,
  keep: number,
): { removed: string[]; warnings: string[] } {
  const { fs } = place;
  const removed: string[] = [];
  const warnings: string[] = [];
  try {
    const own = listBackups(fs, folder, place.path, document.vaultId, latest);
    for (const path of own.slice(keep)) {
      try {
        fs.unlinkSync(path);
        removeQuietly(fs, logPathBeside(path));
        removed.push(path);
      } catch (error) {
        warnings.push(`could not remove ${path}: ${diskReason(error)}`);
      }
    }
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    warnings.push(`${error.message}: no older backup was removed`);
  }
  return { removed, warnings };
}
