/** Stored hooks of an environment: in its sealed policy, which administrators sign. docs/format.md section 12. */
import { IntegrityError, SecretNotFoundError, UsageError } from '../../errors.ts';
import { utf8 } from '../../crypto/bytes.ts';
import type { Carry } from '../../format/catalog.ts';
import { limits } from '../../format/limits.ts';
import { encodeHook, hookIdProblem, hookProblem, parseHook, type HookDefinition } from '../../format/hook.ts';
import { openCarry } from '../new-environment.ts';
import { currentVersion } from '../secret-history.ts';
import type { Scope, WriteScope } from '../scope.ts';
import { findSecret } from './secret.ts';

export interface StoredHook {
  readonly id: string;
  readonly environment: string;
  /** Id of the environment. */
  readonly environmentId: string;
  readonly definition: HookDefinition;
}

const prefix = 'hook:';
const keyOf = (id: string): string => `${prefix}${id}`;

async function policyOf(
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

/** @throws UsageError for an id or a definition that will not do; AccessDeniedError for who is no administrator */
export async function setHook(
  scope: WriteScope,
  environment: string | null,
  id: string,
  definition: HookDefinition,
): Promise<StoredHook> {
  const access = scope.administration();
  const problem = hookIdProblem(id);
  if (problem !== null) throw new UsageError(`this cannot be the id of a hook: ${problem}`);
  const wrong = hookProblem(definition);
  if (wrong !== null)
    throw new UsageError(`the hook will not do: ${wrong}`, {
      hint: '`vault hook --help` says what there is',
    });
  const { name, environmentId } = await policyOf(scope, environment);
  scope.trace.environment = environmentId;
  scope.trace.detail = `hook ${id}`;
  const encoded = encodeHook(definition);
  if (encoded.length > limits.policyValue)
    throw new UsageError(`the hook will not do: it is longer than ${limits.policyValue} bytes`);
  const value = Buffer.from(encoded).toString('utf8');
  access.changeSealedPolicy(environmentId, (policy) =>
    [...policy.filter(([key]) => key !== keyOf(id)), [keyOf(id), value] as [string, string]].sort(
      ([a], [b]) => (a < b ? -1 : 1),
    ),
  );
  return { id, environment: name, environmentId, definition };
}

/** @returns names of secrets that name it still. @throws SecretNotFoundError; AccessDeniedError for who is no administrator */
export async function removeHook(
  scope: WriteScope,
  environment: string | null,
  id: string,
): Promise<string[]> {
  const access = scope.administration();
  const { name, environmentId, policy } = await policyOf(scope, environment);
  scope.trace.environment = environmentId;
  scope.trace.detail = `hook ${id}`;
  if (!policy.some(([key]) => key === keyOf(id)))
    throw new SecretNotFoundError(`there is no hook ${id} in ${name}`, {}, 'HOOK_NOT_FOUND');
  access.changeSealedPolicy(environmentId, (present) => present.filter(([key]) => key !== keyOf(id)));
  const entries = await (await scope.reader(environment)).entries();
  return entries.filter((entry) => entry.removed === '' && entry.hook === id).map((entry) => entry.name);
}

/**
 * Have secrets rotated by a hook. @param id of the hook; empty for none
 * @returns name of the environment. @throws SecretNotFoundError; AccessDeniedError without `write`
 */
export async function attachHook(
  scope: WriteScope,
  environment: string | null,
  names: readonly string[],
  id: string,
): Promise<string> {
  const draft = await scope.draft(environment);
  scope.trace.detail = `hook ${id === '' ? 'none' : id}`;
  for (const name of names) {
    const { entry, history } = await findSecret(scope, environment, name);
    const before = (await draft.find(name)) ?? entry;
    const after = { ...before, hook: id };
    await draft.setEntry(after);
    const version = currentVersion(history)?.value.version ?? 0;
    scope.reversal.note({
      environment: draft.reader.id,
      secret: entry.secret,
      before,
      after,
      from: version,
      to: version,
    });
  }
  return draft.reader.part.entry.name;
}
