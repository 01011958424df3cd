/** Stored hooks of an environment: in its sealed policy, which administrators sign. docs/format.md section 12. */
import { IntegrityError } from '../../errors.ts';
import { utf8 } from '../../crypto/bytes.ts';
import type { Carry } from '../../format/catalog.ts';
import { parseHook, type HookDefinition } from '../../format/hook.ts';
import { openCarry } from '../new-environment.ts';
import type { Scope } from '../scope.ts';

export interface StoredHook {
  readonly id: string;
  readonly environment: string;
  /** Id of the environment. */
  readonly environmentId: string;
  readonly definition: HookDefinition;
}

const prefix = 'hook:';
/** Key in the policy. */
export const keyOf = (id: string): string => `${prefix}${id}`;

/** The sealed policy of an environment. */
export async function policyOf(
  scope: Scope,
  environment: string | null,
): Promise<{ name: string; environmentId: string; policy: Carry['policy'] }> {
  const reader = await scope.reader(environment);
  const { entry } = reader.part;
  const { policy } = await openCarry(scope.authority.domain, entry, reader.keys);
  return { name: entry.name, environmentId: entry.id, policy };
}

/** By id. @throws IntegrityError NEWER_FORMAT */
export async function listHooks(scope: Scope, environment: string | null): Promise<StoredHook[]> {
  const { name, environmentId, policy } = await policyOf(scope, environment);
  return policy
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]) => ({
      id: key.slice(prefix.length),
      environment: name,
      environmentId,
      definition: parseHook(utf8(value)),
    }));
}

/** By id, those that a newer program has stored as `null`. */
export async function knownHooks(
  scope: Scope,
  environment: string,
): Promise<ReadonlyMap<string, StoredHook | null>> {
  const { name, environmentId, policy } = await policyOf(scope, environment);
  const known = new Map<string, StoredHook | null>();
  for (const [key, value] of policy) {
    if (!key.startsWith(prefix)) continue;
    const id = key.slice(prefix.length);
    try {
      known.set(id, { id, environment: name, environmentId, definition: parseHook(utf8(value)) });
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      known.set(id, null);
    }
  }
  return known;
}

/** A hook of an environment, or `null`. @throws IntegrityError NEWER_FORMAT */
export async function findHook(
  scope: Scope,
  environment: string | null,
  id: string,
): Promise<StoredHook | null> {
  const { name, environmentId, policy } = await policyOf(scope, environment);
  const value = policy.find(([key]) => key === keyOf(id))?.[1];
  return value === undefined
    ? null
    : { id, environment: name, environmentId, definition: parseHook(utf8(value)) };
}
