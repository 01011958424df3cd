/** When secrets of an environment are due, by its own policy and the vault's. docs/format.md section 12. */
import { warningMs, type DueRules } from '../lifecycle/due.ts';
import { policyValue } from '../lifecycle/policy.ts';
import { intervalOf, parseIntervals } from '../lifecycle/rotation-intervals.ts';
import type { CatalogEntry } from '../format/catalog.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import { openCarry } from './new-environment.ts';
import type { Scope } from './scope.ts';

/** Rules of each secret of one environment. */
export type DueRulesOf = (entry: Pick<CatalogEntry, 'type' | 'interval'>) => DueRules;

/** Key of the policy that stands sealed in an environment. */
export const environmentIntervals = 'rotate.days' as const;

export async function dueRulesOf(scope: Scope, reader: EnvironmentReader): Promise<DueRulesOf> {
  const { policy } = await openCarry(scope.authority.domain, reader.part.entry, reader.keys);
  const own = policy.find(([key]) => key === environmentIntervals)?.[1];
  const policies = [
    own === undefined ? null : parseIntervals(own),
    parseIntervals(policyValue(scope.policy, 'rotate.days')),
  ];
  const windowMs = warningMs(scope.policy);
  return ({ type, interval }) => ({ intervalSeconds: intervalOf(interval, type, policies), windowMs });
}
