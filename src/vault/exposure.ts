/**
 * What an environment's own sealed policy keeps: since when it has its keys, and who could read it and may not any more.
 * docs/format.md section 12.
 */
import type { Carry } from '../format/catalog.ts';

type SealedPolicy = Carry['policy'];

const exposedKey = 'exposed';
const sinceKey = 'since';

export interface Exposure {
  /** Id of the principal; its name stands in the header's `retired`, or is still a principal's. */
  readonly principal: string;
  /** Values that are not newer than this were open to it. */
  readonly until: string;
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
    const [principal, until] = entry.split('=');
    return principal === undefined || until === undefined ? [] : [{ principal, until }];
  });
}

/** The policy with these principals added. */
export function withExposure(
  policy: SealedPolicy,
  principals: readonly string[],
  time: string,
): SealedPolicy {
  if (principals.length === 0) return policy;
  const known = exposuresOf(policy).filter(({ principal }) => !principals.includes(principal));
  const all = [...known, ...principals.map((principal) => ({ principal, until: time }))];
  return withValue(policy, exposedKey, all.map(({ principal, until }) => `${principal}=${until}`).join(' '));
}

/** When the present keys were made, or `null` where nobody wrote it down. */
export function keysSince(policy: SealedPolicy): string | null {
  return valueOf(policy, sinceKey);
}

export function withKeysSince(policy: SealedPolicy, time: string): SealedPolicy {
  return withValue(policy, sinceKey, time);
}
