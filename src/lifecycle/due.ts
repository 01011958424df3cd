/**
 * When a secret is to be rotated, and how near its end it is: the rules that `ls`, `rotate --due`, `status`, `metrics` and `doctor` share.
 * Pure: times, intervals and the window come in. Times are ISO 8601 in UTC, to the millisecond.
 */
import type { SecretType } from '../format/secret-type.ts';
import { policyValue, type Policy } from './policy.ts';

const dayMs = 86_400_000;

/** For how long before its end something counts as about to expire, in milliseconds. */
export function warningMs(policy: Policy): number {
  return Number(policyValue(policy, 'expiry.days')) * dayMs;
}

/** What of a secret decides when it is due. */
export interface DueFacts {
  readonly type: SecretType;
  /** When its current version was written. */
  readonly updated: string;
  readonly expires: string | null;
}

export interface DueRules {
  /** After how long it should be rotated, in seconds; `null` for never. */
  readonly intervalSeconds: number | null;
  /** How long before its end a certificate is to be renewed, in milliseconds. */
  readonly windowMs: number;
}

export interface Due {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Whether its interval is over by then, or a certificate near its end. */
  readonly reason: 'interval' | 'certificate';
}

/** From when on a secret is due for rotation, by whichever comes first; `null` for one that never is. */
export function dueAt(
  { type, updated, expires }: DueFacts,
  { intervalSeconds, windowMs }: DueRules,
): Due | null {
  const all: Due[] = [];
  if (intervalSeconds !== null)
    all.push({ at: Date.parse(updated) + intervalSeconds * 1_000, reason: 'interval' });
  if (type === 'certificate' && expires !== null)
    all.push({ at: Date.parse(expires) - windowMs, reason: 'certificate' });
  return all.reduce<Due | null>((first, one) => (first === null || one.at < first.at ? one : first), null);
}

/** The time of it, or `null`; also where it is beyond the years that are written in four digits. */
export function dueTime(due: Due | null): string | null {
  return due !== null && due.at < Date.UTC(10_000, 0) ? new Date(due.at).toISOString() : null;
}

/** @param now milliseconds since 1970 */
export function isDue(facts: DueFacts, rules: DueRules, now: number): boolean {
  const due = dueAt(facts, rules);
  return due !== null && due.at <= now;
}

/** Whether something has ended, or will within the window. */
export function expiryState(
  expires: string | null,
  now: number,
  windowMs: number,
): 'expired' | 'expiring' | 'live' {
  if (expires === null) return 'live';
  const left = Date.parse(expires) - now;
  if (left <= 0) return 'expired';
  return left <= windowMs ? 'expiring' : 'live';
}

/** Types of values that are to be replaced now and then, whether somebody set an interval or not. */
const perishable: ReadonlySet<SecretType> = new Set(['password', 'api-key', 'token', 'database-credential']);

/** After so many days such a value is old. */
const oldAfterDays = 90;

/**
 * Whether a secret was never rotated and should have been: its value was put there by hand, and is older than its interval, or than 90
 * days where it has none and its type is one that perishes.
 * @param now milliseconds since 1970
 */
export function isNeverRotated(
  { type, updated, rotations }: Pick<DueFacts, 'type' | 'updated'> & { readonly rotations: number },
  intervalSeconds: number | null,
  now: number,
): boolean {
  if (rotations > 0 || (intervalSeconds === null && !perishable.has(type))) return false;
  const allowedMs = intervalSeconds === null ? oldAfterDays * dayMs : intervalSeconds * 1_000;
  return Date.parse(updated) + allowedMs <= now;
}
