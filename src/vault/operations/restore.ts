/**
 * A backup verified, and put in the place of a vault. What stood there is kept beside it, whatever it was. docs/backup.md.
 */
import { AccessDeniedError, ConcurrencyError, IntegrityError, SecretNotFoundError } from '../../errors.ts';
import { verifyChain } from '../../audit/chain.ts';
import { closeIdentity, type Identity } from '../../access/bundle.ts';
import type { Authority } from '../../access/authority.ts';
import { VaultDocument } from '../../format/document.ts';
import type { SnapshotLine } from '../../format/lines.ts';
import { onDisk, syncFolder } from '../../storage/file-system.ts';
import { openLogReader, type LogReader } from '../../storage/log-file.ts';
import { linesForward } from '../../storage/log-lines.ts';
import { createFile, piecesOf, replaceFile } from '../../storage/new-file.ts';
import { openVaultFile, replaceVaultFile } from '../../storage/vault-file.ts';
import { lockVault } from '../locks.ts';
import { openDetached, type Loaded, type OpenOptions } from '../opening.ts';
import { logPathBeside, type Place } from '../place.ts';
import { Scope } from '../scope.ts';
import { Vault } from '../vault.ts';
import { placeOfCopy } from './backup.ts';
import { verifyVault, type VerifyOptions, type VerifyReport } from './verify.ts';

/** A backup that was unlocked. Caller closes. */
export class Backup {
  readonly place: Place;
  readonly #loaded: Loaded;
  readonly #identity: Identity;

  private constructor(place: Place, loaded: Loaded, identity: Identity) {
    this.place = place;
    this.#loaded = loaded;
    this.#identity = identity;
  }

  static async open(here: Place, path: string, options: OpenOptions): Promise<Backup> {
    const place = placeOfCopy(here, path);
    try {
      const { loaded, identity } = await openDetached(place, options);
      return new Backup(place, loaded, identity);
    } catch (error) {
      if (!(error instanceof SecretNotFoundError) || error.code !== 'VAULT_NOT_FOUND') throw error;
      throw new SecretNotFoundError(
        `there is no backup ${path}`,
        { hint: 'check the path' },
        'VAULT_NOT_FOUND',
      );
    }
  }

  get vaultId(): string {
    return this.#loaded.document.vaultId;
  }

  get generation(): number {
    return this.#loaded.document.snapshot.value.n;
  }

  /** When the vault was last written, as of this backup. */
  get updated(): string {
    return this.#loaded.document.snapshot.value.time;
  }

  get identity(): Identity {
    return this.#identity;
  }

  get authority(): Authority {
    return this.#loaded.authority;
  }

  get snapshot(): SnapshotLine {
    return this.#loaded.document.snapshot.value;
  }

  get size(): number {
    return this.#loaded.file.size;
  }

  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#loaded.file.read(offset, length);
  }

  async verify(progress: VerifyOptions['progress']): Promise<VerifyReport> {
    const { document, authority } = this.#loaded;
    const scope = new Scope(document, authority, this.#identity, this.place.now());
    try {
      return await verifyVault(scope, this.place, progress === undefined ? {} : { progress });
    } finally {
      scope.close();
    }
  }

  close(): void {
    closeIdentity(this.#identity);
    this.#loaded.file.close();
  }
}

/**
 * Put on record in the vault that is here that a backup of it was verified.
 * @returns whether it could be: the vault may be lost, or the credentials others by now
 */
export async function recordVerification(here: Place, backup: Backup): Promise<boolean> {
  let vault: Vault;
  try {
    vault = await Vault.openAs(here, backup.identity, false);
  } catch {
    return false;
  }
  try {
    if (vault.document.vaultId !== backup.vaultId) return false;
    await vault.read('backup-verify', async (scope) => {
      scope.trace.detail = `generation ${backup.generation}`;
      return Promise.resolve();
    });
    return true;
  } finally {
    vault.close();
  }
}

export interface RestoreReport {
  readonly path: string;
  readonly generation: number;
  /** Where what stood there is kept now. */
  readonly kept: readonly string[];
}

/** What stands at the place of the vault; `null` if nothing does. */
export interface Present {
  /** `null` for what is no vault, or a damaged one. */
  readonly vaultId: string | null;
  readonly generation: number | null;
}

export function presentVault(here: Place): Present | null {
  try {
    here.fs.lstatSync(here.path);
  } catch {
    return null;
  }
  try {
    const file = openVaultFile(here.fs, here.path);
    try {
      const document = new VaultDocument(file);
      return { vaultId: document.vaultId, generation: document.snapshot.value.n };
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof IntegrityError && error.code === 'UNSAFE_PATH') throw error;
    return { vaultId: null, generation: null };
  }
}

/**
 * Put a verified backup in the place of the vault. The log that is here goes on where the vault can still prove it; else it is kept aside, and
 * a new one says so. Readers that remember a newer generation refuse it until an administrator accepts that there, too.
 * @throws AccessDeniedError for who is no administrator; ConcurrencyError if another vault stands there
 */
export async function restoreBackup(here: Place, backup: Backup): Promise<RestoreReport> {
  if (!backup.authority.isAdmin(backup.identity.principal))
    throw new AccessDeniedError('only an administrator may restore a backup');
  const kept: string[] = [];
  let logKept: readonly string[] = [];
  const lock = await lockVault(here);
  try {
    const present = presentVault(here);
    if (present !== null && present.vaultId !== null && present.vaultId !== backup.vaultId) {
      const hint = 'move it away first, or name another place with --vault';
      throw new ConcurrencyError(`another vault stands at ${here.path}`, { hint }, 'ALREADY_EXISTS');
    }
    const mark = `replaced-${here.now().toISOString().replace(/[-:.]/gu, '')}`;
    if (present !== null) kept.push(keepVault(here, `${here.path}.${mark}`));
    logKept = await settleLog(here, backup, mark);
    replaceVaultFile(here.fs, here.path, [backup.read(0, backup.size)]);
  } finally {
    lock.release();
  }
  const vault = await Vault.openAs(here, backup.identity, true);
  try {
    await vault.hold('backup-restore', async (scope) => {
      const aside = logKept.length === 0 ? '' : '; the log that was here was put aside';
      scope.trace.detail = `generation ${backup.generation}${aside}`;
      return Promise.resolve();
    });
  } finally {
    vault.close();
  }
  return { path: here.path, generation: backup.generation, kept: [...kept, ...logKept] };
}

/** A copy: until the backup is in its place, the vault stays where it is. */
function keepVault({ fs, path }: Place, aside: string): string {
  const file = openVaultFile(fs, path);
  try {
    createFile(fs, aside, piecesOf(file, 0, file.size));
  } finally {
    file.close();
  }
  return aside;
}

/** @returns paths of what was put aside */
async function settleLog(here: Place, backup: Backup, mark: string): Promise<string[]> {
  const { fs, audit } = here;
  const log = openLogReader(fs, audit.path);
  try {
    if (log !== null && log.size > 0) {
      if (await goesOn(backup, log)) return [];
      const aside = `${audit.path}.${mark}`;
      onDisk('rename', audit.path, () => {
        fs.renameSync(audit.path, aside);
        syncFolder(fs, aside);
      });
      return [aside];
    }
  } finally {
    log?.close();
  }
  const own = openLogReader(fs, logPathBeside(backup.place.path));
  if (own === null) return [];
  try {
    replaceFile(fs, audit.path, piecesOf(own, 0, own.size));
  } finally {
    own.close();
  }
  return [];
}

/** Whether a log is whole for the vault that is being restored, and has the record that it names. */
async function goesOn(backup: Backup, log: LogReader): Promise<boolean> {
  try {
    const { logs } = backup.snapshot;
    const report = await verifyChain(backup.authority, [linesForward(log)], {
      wanted: new Set(logs.map(([, seq]) => seq)),
    });
    const named = logs.find(([id]) => id === report.log);
    return named !== undefined && (named[1] < report.firstSeq || report.found.get(named[1]) === named[2]);
  } catch (error) {
    if (error instanceof IntegrityError) return false;
    throw error;
  }
}
