/**
 * The audit log of a place where a backup takes the place of the vault. It goes on where it is whole for that vault and for all that is
 * remembered of it; else it is put aside, and a new one begins. docs/backup.md, docs/format.md section 9.
 */
import { BackendError, IntegrityError, SecretsManagerError } from '../../errors.ts';
import { makeRecord, parseRecord, recordDigest } from '../../audit/record.ts';
import { concatBytes } from '../../crypto/bytes.ts';
import { diskReason, onDisk, syncFolder } from '../../storage/file-system.ts';
import { openLog, openLogReader, type LogFile } from '../../storage/log-file.ts';
import { createFile, piecesOf, removeQuietly } from '../../storage/new-file.ts';
import type { RememberedLog } from '../../storage/state-store.ts';
import { Journal } from '../journal.ts';
import type { Memory } from '../memory.ts';
import type { Loaded } from '../opening.ts';
import { logPathBeside, type Place } from '../place.ts';
import { Scope } from '../scope.ts';
import { proveLog, type LogProof } from './audit-proof.ts';
import type { Backup } from './backup-proof.ts';

export interface LogSettled {
  /** What the record of the restoration says of it; `''` where nothing was lost. */
  readonly detail: string;
  /** Where the log that was here is kept. */
  readonly kept: readonly string[];
}

/** What takes back a step, for the case that a later one fails. Never throws. */
export type Undo = (step: () => void) => void;

/**
 * Make the log ready for the record. Under the lock.
 * @param memory with what was remembered given up
 * @param present the vault that is here, if it is whole
 * @throws AuditError; BackendError; IntegrityError for links
 */
export async function settleLog(
  here: Place,
  backup: Backup,
  memory: Memory,
  present: Loaded | null,
  mark: string,
  undo: Undo,
): Promise<LogSettled> {
  const { fs, audit } = here;
  const known = memory.givenUp?.logs.find(({ path }) => path === audit.path) ?? null;
  const log = openLogReader(fs, audit.path);
  let empty = false;
  try {
    if (log !== null && log.size > 0) {
      if (await goesOn(here, backup, memory, known, present)) return { detail: '', kept: [] };
      const aside = keptLogPath(here, mark);
      moveAside(here, aside, undo);
      await begin(here, backup, memory, undo);
      return { detail: '; the log that was here was put aside', kept: [aside] };
    }
    empty = log !== null;
  } finally {
    log?.close();
  }
  if (empty) removeQuietly(fs, audit.path);
  return copyLog(here, backup, memory, known, undo);
}

/** Where a log that has to go is kept: beside the vault that is kept, where it stood beside it, so that both are a vault and its log. */
export function keptLogPath({ path, audit }: Place, mark: string): string {
  return audit.path === logPathBeside(path) ? logPathBeside(path + mark) : audit.path + mark;
}

function moveAside({ fs, audit }: Place, aside: string, undo: Undo): void {
  onDisk('rename', audit.path, () => {
    fs.renameSync(audit.path, aside);
    undo(() => {
      fs.renameSync(aside, audit.path);
    });
    syncFolder(fs, aside);
  });
}

/** A new log, which says of which it takes the place. */
async function begin(here: Place, backup: Backup, memory: Memory, undo: Undo): Promise<void> {
  undo(() => {
    removeQuietly(here.fs, here.audit.path);
  });
  (await Journal.open(here, memory, backup.document, backup.authority, backup.identity)).close();
}

/** No log is here: that of the backup goes on. */
async function copyLog(
  here: Place,
  backup: Backup,
  memory: Memory,
  known: RememberedLog | null,
  undo: Undo,
): Promise<LogSettled> {
  const { fs, audit } = here;
  const own = openLogReader(fs, backup.place.audit.path);
  if (own === null) {
    await begin(here, backup, memory, undo);
    return { detail: '', kept: [] };
  }
  try {
    createFile(fs, audit.path, piecesOf(own, 0, own.size));
    undo(() => {
      removeQuietly(fs, audit.path);
    });
  } finally {
    own.close();
  }
  // What was proven may have been exchanged since.
  const proof = await proofOf(here, backup, known);
  if (proof !== null) return { detail: '', kept: [] };
  const without = known === null ? null : await proofOf(here, backup, null);
  if (known === null || without === null)
    throw new IntegrityError(`${backup.place.audit.path} is not the log of this backup`);
  return { detail: lost(without, known), kept: [] };
}

/** What this machine remembers and the log does not have. */
function lost({ log, last }: LogProof, known: RememberedLog): string {
  if (known.id !== log) return `; lost: log ${known.id} up to record ${known.seq}`;
  if (known.seq > last) return `; lost: records ${last + 1} to ${known.seq} of the log`;
  return `; record ${known.seq} of the log is not the one that this machine knew`;
}

/** Whether the log that is here is whole for the vault that is being restored, for the one that is here, and for what this machine remembers. */
async function goesOn(
  here: Place,
  backup: Backup,
  memory: Memory,
  known: RememberedLog | null,
  present: Loaded | null,
): Promise<boolean> {
  const proof = await proofOf(here, backup, known);
  // One that nobody knows may be of another place.
  const isKnown = known !== null || backup.document.snapshot.value.logs.some(([id]) => id === proof?.log);
  if (proof === null || !isKnown) return false;
  if (present === null) return true;
  try {
    // What a killed process left is settled with the vault that it was about.
    (await Journal.open(here, memory, present.document, present.authority, backup.identity)).close();
    return true;
  } catch (error) {
    if (error instanceof IntegrityError) return false;
    if (error instanceof SecretsManagerError) throw error;
    throw new BackendError(`cannot flush the folder of ${here.path}: ${diskReason(error)}`, { cause: error });
  }
}

/** The log that is here proven for a backup and for what this machine remembers; `null` if it does not hold. */
async function proofOf(here: Place, backup: Backup, known: RememberedLog | null): Promise<LogProof | null> {
  const { document, authority, identity } = backup;
  const scope = new Scope(document, authority, identity, here.now());
  try {
    return await proveLog(scope, here, { known });
  } catch (error) {
    if (error instanceof IntegrityError) return null;
    throw error;
  } finally {
    scope.close();
  }
}

/** Append what is about to be done, as a write that makes the state of the backup. @returns where the log stands now */
export async function recordRestore(
  here: Place,
  backup: Backup,
  fields: {
    readonly op: 'backup-restore' | 'aborted';
    readonly detail: string;
    readonly from: string;
    readonly to: string;
  },
): Promise<RememberedLog> {
  const file = openLog(here.fs, here.audit.path);
  if (file === null) throw new IntegrityError(`the audit log ${here.audit.path} is missing`);
  try {
    return await append(here, backup, file, fields);
  } finally {
    file.close();
  }
}

async function append(
  here: Place,
  backup: Backup,
  file: LogFile,
  fields: { readonly op: string; readonly detail: string; readonly from: string; readonly to: string },
): Promise<RememberedLog> {
  const { domain } = backup.authority;
  const { lines, torn } = file.tail();
  const last = lines.at(-1);
  if (last === undefined || torn > 0)
    throw new IntegrityError(`the audit log ${here.audit.path} has no whole last record`);
  const { log, seq } = parseRecord(last).value;
  const { raw } = await makeRecord(domain, backup.identity.signing, {
    log,
    seq: seq + 1,
    time: here.now().toISOString(),
    op: fields.op,
    ok: true,
    code: '',
    principal: backup.identity.principal,
    environment: '',
    secrets: [],
    context: here.context,
    source: 'file',
    detail: fields.detail,
    header: backup.document.header.value.n,
    from: fields.from,
    to: fields.to,
    prev: await recordDigest(domain, last),
  });
  file.append(concatBytes(raw, Uint8Array.of(0x0a)));
  return { path: here.audit.path, id: log, seq: seq + 1, digest: await recordDigest(domain, raw) };
}
