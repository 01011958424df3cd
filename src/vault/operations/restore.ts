/**
 * A backup put in the place of a vault. What stood there is kept beside it, whatever it was. docs/backup.md.
 *
 * It is a write like any other: the record comes first, the rename decides, and if anything before it fails all is as it was.
 */
import {
  AccessDeniedError,
  BackendError,
  ConcurrencyError,
  IntegrityError,
  SecretsManagerError,
  UsageError,
} from '../../errors.ts';
import { Authority } from '../../access/authority.ts';
import { VaultDocument } from '../../format/document.ts';
import { createFile, isTaken, linkFile, piecesOf, removeQuietly } from '../../storage/new-file.ts';
import { openVaultFile, replaceVaultFile } from '../../storage/vault-file.ts';
import { isTooLittle } from '../credential-policy.ts';
import { lockVault } from '../locks.ts';
import { openMemory, remember } from '../memory.ts';
import type { Loaded } from '../opening.ts';
import { settle } from '../outcome.ts';
import type { Place } from '../place.ts';
import { recordHere, type Backup } from './backup-proof.ts';
import { keptLogPath, recordRestore, settleLog } from './restored-log.ts';

export interface RestoreReport {
  readonly path: string;
  readonly generation: number;
  /** Where what stood there is kept now. */
  readonly kept: readonly string[];
}

/** What stands at the place of the vault. */
interface Present {
  /** `null` for what is no vault, or a damaged one. */
  readonly loaded: Loaded | null;
}

/** @returns `null` where nothing stands; the caller closes @throws IntegrityError UNSAFE_PATH */
async function presentAt(here: Place): Promise<Present | null> {
  if (!isTaken(here.fs, here.path)) return null;
  let file: Loaded['file'];
  try {
    file = openVaultFile(here.fs, here.path);
  } catch (error) {
    return damaged(error);
  }
  try {
    const document = new VaultDocument(file);
    return { loaded: { file, document, authority: await Authority.of(document) } };
  } catch (error) {
    file.close();
    return damaged(error);
  }
}

function damaged(error: unknown): Present {
  if (!(error instanceof SecretsManagerError) || error.code === 'UNSAFE_PATH') throw error;
  return { loaded: null };
}

/** @throws UsageError for the vault itself; AccessDeniedError for who is no administrator, then or now; ConcurrencyError if another vault stands there */
function checkMayRestore(here: Place, backup: Backup, present: Present | null): void {
  const { authority, document, identity } = backup;
  if (backup.isAt(here)) throw new UsageError(`${here.path} is the vault itself`);
  if (!authority.isAdmin(identity.principal))
    throw new AccessDeniedError('only an administrator may restore a backup');
  const slot = document.slotsOf(identity.principal).find(({ value }) => value.id === identity.slot)?.value;
  if (slot !== undefined && isTooLittle(authority, identity.principal, slot.type))
    throw new AccessDeniedError('the policy of this vault wants two factors');
  const loaded = present?.loaded ?? null;
  if (loaded === null) return;
  if (loaded.document.vaultId !== backup.vaultId) {
    const hint = 'move it away first, or name another place with --vault';
    throw new ConcurrencyError(`another vault stands at ${here.path}`, { hint }, 'ALREADY_EXISTS');
  }
  const roots = loaded.authority.rootDigests;
  if (authority.rootDigests.some((digest, n) => n < roots.length && digest !== roots[n]))
    throw new IntegrityError(
      'two histories: the administrators of the vault that is here do not descend from those of this backup, nor they from these',
      {},
      'ROLLBACK',
    );
  if (!loaded.authority.isAdmin(identity.principal))
    throw new AccessDeniedError(
      'you were an administrator of this vault, and are none any more: you may not replace it',
    );
}

/**
 * What restoring would replace, for whoever is asked. Who may not do it is refused, on record.
 * @returns `null` where nothing stands; a generation of `null` for what is no whole vault
 * @throws as `checkMayRestore` does
 */
export async function toBeReplaced(
  here: Place,
  backup: Backup,
): Promise<{ generation: number | null } | null> {
  return recordingFailure(here, backup, async () => {
    const present = await presentAt(here);
    try {
      checkMayRestore(here, backup, present);
      return present === null ? null : { generation: present.loaded?.document.snapshot.value.n ?? null };
    } finally {
      present?.loaded?.file.close();
    }
  });
}

/**
 * Put a verified backup in the place of the vault. Readers that remember a newer generation refuse it until an administrator accepts that
 * there, too.
 * @throws as `checkMayRestore` does; AuditError, BackendError with all as it was; DURABILITY_UNKNOWN; on record where the vault that is here can say so
 */
export async function restoreBackup(here: Place, backup: Backup): Promise<RestoreReport> {
  return recordingFailure(here, backup, async () => {
    const lock = await lockVault(here);
    try {
      return await replace(here, backup);
    } finally {
      lock.release();
    }
  });
}

async function recordingFailure<T>(here: Place, backup: Backup, work: () => Promise<T>): Promise<T> {
  const outcome = await settle(work);
  if (!('error' in outcome)) return outcome.value;
  const { error } = outcome;
  const isHeld = error instanceof ConcurrencyError && error.code === 'LOCK_HELD';
  if (!isHeld) await recordHere(here, backup, 'backup-restore', outcome);
  throw error;
}

async function replace(here: Place, backup: Backup): Promise<RestoreReport> {
  const present = await presentAt(here);
  const steps: (() => void)[] = [];
  const undo = (step: () => void): void => {
    steps.unshift(step);
  };
  try {
    checkMayRestore(here, backup, present);
    const memory = await openMemory(here, true);
    const mark = freeMark(here);
    const kept = present === null ? [] : [keepVault(here, here.path + mark, undo)];
    const log = await settleLog(here, backup, memory, present?.loaded ?? null, mark, undo);
    const [from, to] = [
      present?.loaded?.document.snapshot.value.head ?? '',
      backup.document.snapshot.value.head,
    ];
    const detail = `generation ${backup.generation}${log.detail}`;
    const head = await recordRestore(here, backup, { op: 'backup-restore', detail, from, to });
    await commit(here, backup, async () => {
      if (log.kept.length > 0) return;
      await recordRestore(here, backup, { op: 'aborted', detail: String(head.seq), from, to: '' });
    });
    steps.length = 0;
    const { document, authority, identity } = backup;
    const remembered = await remember(memory, here, document, authority, identity, head, true);
    if (!remembered && here.stateFolder !== null)
      here.warn('this machine could not remember the new state: a rollback would go unnoticed');
    return { path: here.path, generation: backup.generation, kept: [...kept, ...log.kept] };
  } catch (error) {
    if (!hasHappened(error)) takeBack(steps);
    throw error;
  } finally {
    present?.loaded?.file.close();
  }
}

/** Every step, also where one cannot be taken back. */
function takeBack(steps: readonly (() => void)[]): void {
  for (const step of steps) {
    try {
      step();
    } catch {
      // What failed has been said; whatever stays is kept, not lost.
    }
  }
}

/** The rename; the bytes are read back. @throws BackendError: with BACKEND nothing has happened, with DURABILITY_UNKNOWN it has */
async function commit(here: Place, backup: Backup, aborted: () => Promise<void>): Promise<void> {
  const { bytes } = backup;
  try {
    replaceVaultFile(here.fs, here.path, [bytes]);
  } catch (error) {
    if (!hasHappened(error)) await settle(aborted);
    throw error;
  }
  let cause: unknown;
  try {
    const file = openVaultFile(here.fs, here.path);
    try {
      if (file.size === bytes.length && Buffer.compare(file.read(0, file.size), bytes) === 0) return;
    } finally {
      file.close();
    }
  } catch (error) {
    cause = error;
  }
  const message = `${here.path} was replaced, but does not read back as what was written: durability unknown`;
  throw new BackendError(message, { cause }, 'DURABILITY_UNKNOWN');
}

const hasHappened = (error: unknown): boolean =>
  error instanceof BackendError && error.code === 'DURABILITY_UNKNOWN';

/** Ending of what is kept: nothing has such a name yet. */
function freeMark(here: Place): string {
  const { fs, path, now } = here;
  for (let time = now().getTime(); ; time++) {
    const mark = `.replaced-${new Date(time).toISOString().replace(/[-:.]/gu, '')}`;
    const names = [path + mark, keptLogPath(here, mark)];
    if (!names.some((name) => isTaken(fs, name))) return mark;
  }
}

/** Under a second name, without reading it: it may be unreadable. Until the backup is in its place, the vault stays where it is. */
function keepVault({ fs, path }: Place, aside: string, undo: (step: () => void) => void): string {
  if (!linkFile(fs, path, aside)) {
    const file = openVaultFile(fs, path);
    try {
      createFile(fs, aside, piecesOf(file, 0, file.size));
    } finally {
      file.close();
    }
  }
  undo(() => {
    removeQuietly(fs, aside);
  });
  return aside;
}
