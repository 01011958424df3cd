/**
 * What an environment's own sealed policy keeps: since when it has its keys, and who could read it and may not any more.
 * docs/format.md section 12.
 */
import type { Carry, Note } from '../format/catalog.ts';

type SealedPolicy = Carry['policy'];

const exposedKey = 'exposed';
const sinceKey = 'since';

export interface Exposure {
  /** Id of the principal; its name stands in the header's `retired`, or is still a principal's. */
  readonly principal: string;
  /** Values that are not newer than this were open to it. */
  readonly until: string;
  /** Whether it could read everything; else it knows what it wrote itself. */
  readonly read: boolean;
}

function valueOf(policy: SealedPolicy, key: string): string | null {
  return policy.find(([name]) => name === key)?.[1] ?? null;
}

function withValue(policy: SealedPolicy, key: string, value: string): SealedPolicy {
  const others = policy.filter(([name]) => name !== key);
  return [...others, [key, value] as [string, string]].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Entries that are none are passed over: only administrators write here. */
export function exposuresOf(policy: SealedPolicy): Exposure[] {
  return (valueOf(policy, exposedKey) ?? '').split(' ').flatMap((entry) => {
    const [, principal, sign, until] = /^([\w-]{11})([=~])(.+)$/.exec(entry) ?? [];
    return principal === undefined || until === undefined ? [] : [{ principal, until, read: sign === '=' }];
  });
}

/** Whether an operation brings a value that nobody had before. */
export function isFresh(operation: Note['operation']): boolean {
  return operation !== 'rollback' && operation !== 'copy';
}

/** How many are remembered of whom only versions are known that are not current any more. */
const mostRemembered = 1_000;

/**
 * The policy without what is settled: every version that is kept is newer than what those knew. Where that would be too many, those whose
 * knowledge is of no current value go, the longest gone first.
 * @param oldest time of the oldest version that is kept @param current of the oldest one that is current
 */
export function withoutDone(policy: SealedPolicy, oldest: string, current: string): SealedPolicy {
  const kept = exposuresOf(policy).filter(({ until }) => until >= oldest);
  const surplus = new Set(
    kept
      .filter(({ until }) => until < current)
      .sort((a, b) => (a.until < b.until ? -1 : 1))
      .slice(0, Math.max(0, kept.length - mostRemembered)),
  );
  const open = kept.filter((one) => !surplus.has(one));
  const others = policy.filter(([key]) => key !== exposedKey);
  return withExposures(others, open);
}

/** The policy with these added; a later entry of a principal takes the place of an earlier one, and never says less. */
export function withExposures(policy: SealedPolicy, added: readonly Exposure[]): SealedPolicy {
  if (added.length === 0) return policy;
  const all = new Map(exposuresOf(policy).map((one) => [one.principal, one]));
  for (const one of added) {
    const before = all.get(one.principal);
    all.set(one.principal, { ...one, read: one.read || before?.read === true });
  }
  const entries = [...all.values()].map(
    ({ principal, until, read }) => `${principal}${read ? '=' : '~'}${until}`,
  );
  return withValue(policy, exposedKey, entries.join(' '));
}

/** When the present keys were made, or `null` where nobody wrote it down. */
export function keysSince(policy: SealedPolicy): string | null {
  return valueOf(policy, sinceKey);
}

export function withKeysSince(policy: SealedPolicy, time: string): SealedPolicy {
  return withValue(policy, sinceKey, time);
}
