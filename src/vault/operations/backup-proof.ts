/** A backup opened with a credential of its own time, proven, and held against what this place knows. docs/backup.md. */
import { basename } from 'node:path';
import { IntegrityError, SecretNotFoundError } from '../../errors.ts';
import { closeIdentity, type Identity } from '../../access/bundle.ts';
import type { Authority } from '../../access/authority.ts';
import type { VaultDocument } from '../../format/document.ts';
import { generationInName } from '../../storage/backup-files.ts';
import { openLogReader } from '../../storage/log-file.ts';
import { linesForward } from '../../storage/log-lines.ts';
import { openMemory } from '../memory.ts';
import { openDetached, type Loaded, type OpenOptions } from '../opening.ts';
import { settle, type Outcome } from '../outcome.ts';
import type { Place } from '../place.ts';
import { Scope } from '../scope.ts';
import { Vault } from '../vault.ts';
import { placeOfCopy } from './backup.ts';
import { verifyVault, type VerifyOptions, type VerifyReport } from './verify.ts';

/** A backup that was unlocked. Caller closes. */
export class Backup {
  readonly place: Place;
  readonly #loaded: Loaded;
  readonly identity: Identity;

  private constructor(place: Place, loaded: Loaded, identity: Identity) {
    this.place = place;
    this.#loaded = loaded;
    this.identity = identity;
  }

  /** @throws SecretNotFoundError VAULT_NOT_FOUND; IntegrityError; UnlockError */
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

  get document(): VaultDocument {
    return this.#loaded.document;
  }

  get authority(): Authority {
    return this.#loaded.authority;
  }

  get vaultId(): string {
    return this.document.vaultId;
  }

  get generation(): number {
    return this.document.snapshot.value.n;
  }

  /** When the vault was last written, as of this backup. */
  get updated(): string {
    return this.document.snapshot.value.time;
  }

  /** Whether this is the very file that stands at a place, by whatever path. */
  isAt(place: Place): boolean {
    const [own, there] = [this.place, place].map(({ fs, path }) =>
      fs.lstatSync(path, { throwIfNoEntry: false }),
    );
    return own !== undefined && own.ino === there?.ino && own.dev === there.dev;
  }

  /** All of it, as it was checked. */
  get bytes(): Uint8Array<ArrayBuffer> {
    const { file } = this.#loaded;
    return file.read(0, file.size);
  }

  /**
   * Everything that the principal can open, the log beside it, and what `here` knows of the vault. Suspicions are warnings.
   * @throws IntegrityError
   */
  async verify(here: Place | null, progress: VerifyOptions['progress']): Promise<VerifyReport> {
    this.#checkName();
    if (here !== null) await this.#checkDescent(here);
    const { document, authority } = this.#loaded;
    const scope = new Scope(document, authority, this.identity, this.place.now());
    try {
      const report = await verifyVault(scope, this.place, progress === undefined ? {} : { progress });
      const warnings = [...report.warnings];
      if (report.auditRecords === 0) warnings.push(`there is no audit log beside ${this.place.path}`);
      if (here !== null && knowsState(here, document) === false) warnings.push(this.#unknown(here));
      return { ...report, warnings };
    } finally {
      scope.close();
    }
  }

  /** The program names backups by their generation: one under the name of another was exchanged. */
  #checkName(): void {
    const named = generationInName(this.place.path);
    if (named === null || named === this.generation) return;
    const message = `${basename(this.place.path)} is not what its name says, but generation ${this.generation}: it was exchanged`;
    throw new IntegrityError(message, { hint: 'if you did that yourself, give it another name' });
  }

  /** A former administrator can sign another history from their time on, but not one that has the administrators after it. */
  async #checkDescent(here: Place): Promise<void> {
    const { state } = await openMemory(here);
    if (state?.vault !== this.vaultId) return;
    for (const [n, digest] of this.authority.rootDigests.entries())
      if (state.parts.some(([key, , known]) => key === `root:${n}` && known !== digest)) {
        const hint = 'use another backup; ask the administrators how there can be two';
        throw new IntegrityError(
          `two histories: root number ${n} is not the one that this machine has seen`,
          { hint },
          'ROLLBACK',
        );
      }
  }

  #unknown(here: Place): string {
    return `the audit log ${here.audit.path} knows no such state of the vault as this generation ${this.generation}: it was written somewhere else`;
  }

  close(): void {
    closeIdentity(this.identity);
    this.#loaded.file.close();
  }
}

/** Whether a record of the log that is here made or saw this state; `null` where none can say, for lack of a log or of its start. */
function knowsState({ fs, audit }: Place, document: VaultDocument): boolean | null {
  const { head } = document.snapshot.value;
  const log = openLogReader(fs, audit.path);
  if (log === null) return null;
  try {
    let first = true;
    for (const { raw } of linesForward(log)) {
      const line = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
      if (first && !line.includes('"op":"log"')) return null;
      if (first && !line.includes('"detail":"new"')) return null;
      first = false;
      if (line.includes(`"to":"${head}"`) || line.includes(`"from":"${head}"`)) return true;
    }
    return first ? null : false;
  } finally {
    log.close();
  }
}

/**
 * Verify, and put on record in the vault that is here what came of it. A restoration has a record of its own, unless it ends here.
 * @returns the report, and whether it is on record
 * @throws IntegrityError; AuditError
 */
export async function verifyBackup(
  here: Place | null,
  backup: Backup,
  op: 'backup-verify' | 'backup-restore',
  progress: VerifyOptions['progress'],
): Promise<{ readonly report: VerifyReport; readonly recorded: boolean }> {
  const outcome = await settle(async () => backup.verify(here, progress));
  if ('error' in outcome) {
    await recordHere(here, backup, op, outcome);
    throw outcome.error;
  }
  const recorded = op === 'backup-verify' && (await recordHere(here, backup, op, outcome));
  return { report: outcome.value, recorded };
}

/**
 * Put on record in the vault that is here what was done with a backup of it, or what went wrong.
 * @returns whether it could be: the vault may be lost, or another one, or the backup itself, or the credentials others by now
 * @throws AuditError
 */
export async function recordHere(
  here: Place | null,
  backup: Backup,
  op: 'backup-verify' | 'backup-restore',
  outcome: Outcome<unknown>,
): Promise<boolean> {
  if (here === null || backup.isAt(here)) return false;
  const opened = await settle(async () => Vault.openAs(here, backup.identity, false));
  if ('error' in opened) return false;
  const vault = opened.value;
  try {
    if (vault.document.vaultId !== backup.vaultId) return false;
    const done = vault.read(op, async (scope) => {
      scope.trace.detail = `generation ${backup.generation}`;
      if ('error' in outcome) throw outcome.error;
      return Promise.resolve();
    });
    if ('error' in outcome) await settle(async () => done);
    else await done;
    return true;
  } finally {
    vault.close();
  }
}
