/**
 * Grants for a new header: kept where nothing changed, made where something did. docs/format.md section 3, "grant".
 * Recipients come from the header alone.
 */
import { IntegrityError } from '../errors.ts';
import type { Identity } from '../access/bundle.ts';
import type { EnvironmentKeys } from '../access/environment-key.ts';
import { sealGrant, wrapGrant, type GrantLevel } from '../access/grant.ts';
import type { RandomSource } from '../crypto/aead.ts';
import type { Bytes } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import type { EnvironmentEntry, PrincipalEntry } from '../format/lines.ts';
import type { HeadLines } from './build.ts';

export interface GrantPlan {
  readonly domain: Domain;
  readonly random: RandomSource;
  readonly signer: Identity;
  readonly principals: readonly PrincipalEntry[];
  readonly environments: readonly EnvironmentEntry[];
  /** What the present header gives. */
  readonly levelBefore: (principal: string, environment: string) => GrantLevel | null;
  /** What the new one gives; `null` for who has no keys yet. */
  readonly level: (principal: PrincipalEntry, environment: string) => GrantLevel | null;
  /** A wrap key that is known because it has just been made. */
  readonly wrapKey: (principal: string) => Bytes | null;
  /** Whether an environment or a principal has new keys. */
  readonly renewed: (id: string) => boolean;
  readonly keys: (entry: EnvironmentEntry) => Promise<EnvironmentKeys>;
}

export async function placeGrants(head: HeadLines, plan: GrantPlan): Promise<void> {
  for (const principal of plan.principals) {
    const present = head.grants.get(principal.id) ?? new Map<string, Bytes>();
    const next = new Map<string, Bytes>();
    for (const entry of plan.environments) {
      const level = plan.level(principal, entry.id);
      if (level === null) continue;
      const kept = present.get(entry.id);
      const same =
        kept !== undefined &&
        plan.levelBefore(principal.id, entry.id) === level &&
        !plan.renewed(entry.id) &&
        !plan.renewed(principal.id);
      next.set(entry.id, same ? kept : await makeGrant(plan, principal, entry, level));
    }
    head.grants.set(principal.id, next);
  }
}

async function makeGrant(
  plan: GrantPlan,
  principal: PrincipalEntry,
  entry: EnvironmentEntry,
  level: GrantLevel,
): Promise<Bytes> {
  const { domain, random, signer } = plan;
  const keys = await plan.keys(entry);
  const key = level === 'read' ? keys.environmentKey : keys.catalogKey;
  if (key === null) throw new IntegrityError(`the key of ${entry.name} is missing`);
  const known = principal.id === signer.principal ? signer.wrapKey : plan.wrapKey(principal.id);
  const line =
    known === null
      ? await sealGrant(domain, random, principal, entry, level, key)
      : await wrapGrant(domain, random, { principal: principal.id, wrapKey: known }, entry, level, key);
  return line.raw;
}
