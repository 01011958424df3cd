/** Stored hooks of an environment, and which secrets they rotate, as they are changed. docs/format.md section 12. */
import { SecretNotFoundError, UsageError } from '../../errors.ts';
import { canRetire, encodeHook, hookIdProblem, hookProblem, type HookDefinition } from '../../format/hook.ts';
import { limits } from '../../format/limits.ts';
import { currentVersion } from '../secret-history.ts';
import type { WriteScope } from '../scope.ts';
import { noteOwed } from './forgotten-value.ts';
import { keyOf, policyOf, type StoredHook } from './hooks.ts';
import { findSecret } from './secret.ts';

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
  if (!canRetire(definition)) await noteOwedBy(scope, environment, id);
  access.changeSealedPolicy(environmentId, (policy) =>
    [...policy.filter(([key]) => key !== keyOf(id)), [keyOf(id), value] as [string, string]].sort(
      ([a], [b]) => (a < b ? -1 : 1),
    ),
  );
  return { id, environment: name, environmentId, definition };
}

/** A hook that was is about to end, or to let nothing go any more. */
async function noteOwedBy(scope: WriteScope, environment: string | null, id: string): Promise<void> {
  const reader = await scope.reader(environment);
  for (const entry of await reader.entries())
    if (entry.removed === '' && entry.hook === id)
      await noteOwed(scope, reader, entry, await reader.history(entry.secret));
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
  await noteOwedBy(scope, environment, id);
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
    if (entry.hook !== id) await noteOwed(scope, draft.reader, entry, history);
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
