/**
 * `undo`: the last write of the principal at this place taken back by another write, all of it or nothing. History only grows, and what
 * anybody did to one of the secrets since is never overwritten. docs/decisions/0014-undo.md.
 */
import { AccessDeniedError, UsageError } from '../../errors.ts';
import type { SignedRecord } from '../../format/audit-record.ts';
import { loadReversal } from '../reversal-memory.ts';
import { isReversible, type Reversal } from '../reversal.ts';
import type { Place } from '../place.ts';
import type { WriteScope } from '../scope.ts';
import { lastOwnWrite } from './last-write.ts';
import { changedByHooks, changeOf, nothingToUndo, notKept, notReversible, spoken } from './undo-refusal.ts';
import { retiredAmong } from './rotation-target.ts';
import { checkUnchanged, takeBack, type TakenBack } from './undo-step.ts';

export type { TakenBack } from './undo-step.ts';

export interface UndoOptions {
  /** The environment that the change must have been in, by name, or `null` for any. */
  readonly environment: string | null;
  /** Take back an `undo`. */
  readonly redo: boolean;
  readonly dryRun: boolean;
}

export interface Undone {
  /** What was taken back, or with `redo` brought back. */
  readonly operation: string;
  /** Number of its audit record; with `redo` that of the `undo`. */
  readonly sequence: number;
  readonly time: string;
  readonly redo: boolean;
  readonly secrets: readonly TakenBack[];
}

/**
 * Take back the last write of this principal at this place.
 * @throws SecretNotFoundError NOTHING_TO_UNDO, where there is none or what was before is not kept here; VERSION_NOT_FOUND where its value
 *   is not kept; UsageError for a write that `undo` does not take back, by name; AccessDeniedError without the rights that the way back
 *   takes; ConcurrencyError where a secret has moved on; IntegrityError
 */
export async function undoLast(scope: WriteScope, place: Place, options: UndoOptions): Promise<Undone> {
  // A name that no environment has is told as for any command.
  if (options.environment !== null) scope.entry(options.environment);
  const record = await lastOwnWrite(scope, place);
  // What makes the vault is not a change of it.
  if (record === null || record.op === 'init')
    throw nothingToUndo(
      'there is nothing to undo: the audit log of this place has no change of yours',
      'what was done at another place is taken back there; `vault rollback NAME --to N` goes back anywhere',
    );
  if (!isReversible(record.op)) throw notReversible(record);
  const reversal = await loadReversal(place, scope.authority.domain, scope.identity, record);
  if (reversal === null) throw await notKept(scope, record);
  if (reversal.hooks) throw changedByHooks(record, reversal.steps[0]);
  checkDirection(reversal, record, options.redo);
  if (reversal.steps.length === 0)
    throw nothingToUndo(`there is nothing to undo: ${changeOf(record)}, changed no secret`);
  checkEnvironments(scope, reversal, record, options.environment);

  const operation = reversal.undone?.operation ?? reversal.operation;
  const { redo } = options;
  await checkUnchanged(scope, reversal, record);
  await checkInUse(scope, place, reversal, record);
  const secrets: TakenBack[] = [];
  for (const step of reversal.steps) secrets.push(await takeBack(scope, step));
  scope.reversal.undone = { operation, redo };
  scope.trace.detail = `${redo ? 'redo ' : ''}${operation} ${record.seq}`;
  if (options.dryRun) scope.discard();
  return { operation, sequence: record.seq, time: record.time, redo, secrets };
}

/** What was let go where it is used is no value to go back to. @throws UsageError */
async function checkInUse(
  scope: WriteScope,
  place: Place,
  { steps }: Reversal,
  record: SignedRecord,
): Promise<void> {
  const { environments } = scope.authority.header;
  const written = steps.filter(({ from, to }) => from !== to && from > 0);
  const versions = written.map(({ environment, after, to }) => ({
    environment: environments.find(({ id }) => id === environment)?.name ?? environment,
    name: after.name,
    version: to,
    updated: record.time,
  }));
  const retired = await retiredAmong(scope, place, versions);
  const first = versions.findIndex((version) => retired.has(version));
  if (first >= 0) throw changedByHooks(record, written[first]);
}

/** An `undo` is taken back only where that is asked for: two that meet, or one that is run again, do not cancel out. */
function checkDirection({ undone }: Reversal, record: SignedRecord, redo: boolean): void {
  const isUndo = undone?.redo === false;
  if (isUndo === redo) return;
  if (isUndo)
    throw new UsageError(`${changeOf(record)}, took back ${spoken(undone.operation)} already`, {
      hint: '`vault undo --redo` brings it back; what came before goes by `vault rollback NAME --to N`',
    });
  const what = undone === null ? 'is no undo' : `brought back ${spoken(undone.operation)} already`;
  const hint = '`vault undo` takes it back';
  throw new UsageError(`there is nothing to redo: ${changeOf(record)}, ${what}`, { hint });
}

/** @throws UsageError; AccessDeniedError */
function checkEnvironments(
  { authority, identity }: WriteScope,
  { steps }: Reversal,
  record: SignedRecord,
  wanted: string | null,
): void {
  for (const id of new Set(steps.map(({ environment }) => environment))) {
    const name = authority.header.environments.find((entry) => entry.id === id)?.name;
    if (name === undefined)
      throw nothingToUndo(`${changeOf(record)}, was in an environment that is not there any more`);
    if (wanted !== null && wanted !== name)
      throw new UsageError(`${changeOf(record)}, was in ${name}, not in ${wanted}`, {
        hint: `leave out --env, or say --env ${name}`,
      });
    if (!authority.hasRight(identity.principal, 'write', id))
      throw new AccessDeniedError(
        `you may not write to ${name}, which taking back ${spoken(record.op)} needs`,
        {
          hint: 'who may read and write there can: `vault rollback NAME --to N`',
        },
      );
  }
}
