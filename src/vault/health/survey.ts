/**
 * What can be told of every secret of an environment without its value: the one reading for `status`, `metrics` and `doctor`. A secret that
 * does not hold together is named, and the others are told.
 */
import { IntegrityError } from '../../errors.ts';
import type { CatalogEntry } from '../../format/catalog.ts';
import type { Line } from '../../format/json-line.ts';
import type { EnvironmentEntry, ValueLine } from '../../format/lines.ts';
import type { SecretType } from '../../format/secret-type.ts';
import { expiryState, isDue, isNeverRotated } from '../../lifecycle/due.ts';
import { dueRulesOf, type DueRulesOf } from '../due-rules.ts';
import type { EnvironmentReader } from '../environment-reader.ts';
import { pendingOf, type PendingRotation } from '../operations/rotation.ts';
import type { Scope } from '../scope.ts';
import { secretsInParallel } from '../secrets-in-parallel.ts';
import { currentVersion, type SecretHistory } from '../secret-history.ts';

export interface SecretState {
  readonly name: string;
  readonly environment: string;
  /** Id of the secret. */
  readonly secret: string;
  readonly type: SecretType;
  readonly created: string;
  /** When its current version was written. */
  readonly updated: string;
  readonly expires: string | null;
  readonly expiry: 'expired' | 'expiring' | 'live';
  readonly overdue: boolean;
  readonly neverRotated: boolean;
  /** The current one. */
  readonly version: number;
  /** Id of the stored hook that rotates it, or `null`. */
  readonly hook: string | null;
  /** Until when the value before stays in use, or `null`. */
  readonly graceUntil: string | null;
  /** A rotation that is under way. */
  readonly pending: PendingRotation | null;
}

/** A secret with a current version, as somebody who wants its value has it. */
export interface Looked {
  readonly reader: EnvironmentReader;
  readonly entry: CatalogEntry;
  readonly history: SecretHistory;
  readonly current: Line<ValueLine>;
}

export interface Survey {
  /** Secrets that are not removed; those that are damaged, or have no current version, among them. */
  readonly present: number;
  readonly removed: number;
  /** Of secrets that hold together, by name. */
  readonly states: readonly SecretState[];
  readonly damaged: readonly string[];
}

/** @param look more that is to be done with each; an IntegrityError in it makes that secret a damaged one */
export async function surveyEnvironment(
  scope: Scope,
  environment: EnvironmentEntry,
  look?: (secret: Looked) => Promise<void>,
): Promise<Survey> {
  const reader = await scope.readerOf(environment);
  const entries = await reader.entries();
  const rulesOf = await dueRulesOf(scope, reader);
  const present = entries.filter(({ removed }) => removed === '');
  const states: (SecretState | 'damaged' | undefined)[] = present.map(() => undefined);
  await secretsInParallel(reader, present, async (entry, index) => {
    try {
      states[index] = await stateOf(scope, reader, entry, rulesOf, look);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      states[index] = 'damaged';
    }
  });
  return {
    present: present.length,
    removed: entries.length - present.length,
    states: states.filter((state) => typeof state === 'object'),
    damaged: present.filter((_, index) => states[index] === 'damaged').map(({ name }) => name),
  };
}

async function stateOf(
  scope: Scope,
  reader: EnvironmentReader,
  entry: CatalogEntry,
  rulesOf: DueRulesOf,
  look?: (secret: Looked) => Promise<void>,
): Promise<SecretState | undefined> {
  const history = await reader.history(entry.secret);
  const newest = history.versions.at(-1);
  const isPending = newest?.value.state === 'pending';
  if (isPending) await reader.checkValueLine(newest);
  const pending = isPending ? await pendingOf(scope, reader, entry, newest) : null;
  const current = currentVersion(history);
  if (current === null) {
    if (history.versions.length === 0) throw new IntegrityError('it is in the catalog and has no version');
    return undefined;
  }
  const note = await reader.note(current);
  await look?.({ reader, entry, history, current });
  const { name, secret, type, created } = entry;
  const updated = current.value.time;
  const expires = note.expires === '' ? null : note.expires;
  const rules = rulesOf(entry);
  const { intervalSeconds, windowMs } = rules;
  const now = scope.now.getTime();
  return {
    name,
    environment: reader.part.entry.name,
    secret,
    type,
    created,
    updated,
    expires,
    expiry: expiryState(expires, now, windowMs),
    overdue: isDue({ type, updated, expires }, rules, now),
    neverRotated: isNeverRotated({ type, updated, rotations: note.rotations }, intervalSeconds, now),
    version: current.value.version,
    hook: entry.hook === '' ? null : entry.hook,
    graceUntil: note.graceUntil === '' ? null : note.graceUntil,
    pending,
  };
}

export interface SurveyCounts {
  readonly secrets: number;
  readonly expired: number;
  readonly expiring: number;
  readonly overdue: number;
  readonly neverRotated: number;
  readonly pending: number;
}

export function countsOf({ present, states }: Pick<Survey, 'present' | 'states'>): SurveyCounts {
  const count = (is: (state: SecretState) => boolean): number => states.filter(is).length;
  return {
    secrets: present,
    expired: count(({ expiry }) => expiry === 'expired'),
    expiring: count(({ expiry }) => expiry === 'expiring'),
    overdue: count(({ overdue }) => overdue),
    neverRotated: count(({ neverRotated }) => neverRotated),
    pending: count(({ pending }) => pending !== null),
  };
}
