/** `vault rotate --retire`: old values that stayed in use for a time of grace are let go where they are used. */
import { SecretNotFoundError, SecretsManagerError, UsageError } from '../src/errors.ts';
import { listInfo, type ListOptions } from '../src/vault/operations/list.ts';
import { pastGrace, rotationTarget } from '../src/vault/operations/rotation-target.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { Vault } from '../src/vault/vault.ts';
import type { Context } from './context.ts';
import { HookChoice, type HookFlags } from './hook-choice.ts';
import type { TurnTaker } from './turns.ts';
import { retirePrevious } from './two-phase.ts';

export interface Retirement {
  readonly secret: SecretInfo;
  /** `null` where it went well. */
  readonly error: unknown;
}

/** @returns the exit status: 1 if any failed */
export async function retireOld(context: Context, flags: HookFlags, name: string | null): Promise<number> {
  if (name === null && [flags.hook, flags.apply, flags.check, flags.undo].some((flag) => flag !== undefined))
    throw new UsageError('each secret’s own hook lets its old value go: name one to use another');
  const vault = await context.openVault();
  const choice = new HookChoice(context, vault, flags);
  if (name !== null) {
    await retireOne(context, vault, choice, name);
    return 0;
  }
  const results: Retirement[] = [];
  for (const secret of await secretsPastGrace(context, vault)) {
    const done = await retire(context, vault, choice, secret);
    if (done !== null) results.push(done);
  }
  if (context.json)
    context.outputJson(
      results.map(({ secret: { name: of, environment, version }, error }) => ({
        name: of,
        environment,
        version,
        retired: error === null,
        reason: error instanceof Error ? error.message : null,
      })),
    );
  for (const { secret, error } of results) {
    const what = `the value before version ${secret.version} of ${context.shown(secret.name)} in ${secret.environment}`;
    if (error === null) context.inform(`${what} was let go`);
    else context.warn(`${what}: ${error instanceof Error ? error.message : 'internal error'}`);
  }
  if (results.length === 0) context.inform('no old value is to be let go');
  return results.some(({ error }) => error !== null) ? 1 : 0;
}

async function retireOne(context: Context, vault: Vault, choice: HookChoice, name: string): Promise<void> {
  const target = await vault.read('rotate-list', async (scope) =>
    rotationTarget(scope, context.environment, name),
  );
  if (target === null) throw new SecretNotFoundError(`there is no secret ${context.shown(name)}`);
  const { hook } = await choice.of(target);
  if (hook.steps.retire === undefined)
    throw new UsageError(`${context.shown(name)} has no hook that lets old values go`, {
      hint: 'name one with --hook, whose `retire` does it',
    });
  await retirePrevious(context, vault, hook, target, true);
  context.inform(`the value before version ${target.version} of ${context.shown(name)} was let go`);
  if (context.json)
    context.outputJson([
      { name, environment: target.environment, version: target.version, retired: true, reason: null },
    ]);
}

/** Secrets whose value before was in use until a time that has passed, and was not let go from here. */
export async function secretsPastGrace(
  context: Context,
  vault: Vault,
  { type = null, tags = new Map<string, string>() }: Partial<Pick<ListOptions, 'type' | 'tags'>> = {},
): Promise<SecretInfo[]> {
  const { environment } = context;
  return vault.read('rotate-list', async (scope) => {
    const all = await listInfo(
      scope,
      {
        environment,
        allEnvironments: environment === null,
        pattern: null,
        removed: false,
        type,
        tags,
        expiringBefore: null,
        expired: false,
        due: false,
      },
      // Named by whatever reads it.
      () => undefined,
    );
    return pastGrace(scope, vault.place, all);
  });
}

/** Let one go; `null` where its hook does not. @param isTrial whether that is only found out */
export async function retire(
  context: Context,
  vault: TurnTaker,
  choice: HookChoice,
  secret: SecretInfo,
  isTrial = false,
): Promise<Retirement | null> {
  try {
    const { hook } = await choice.of(secret);
    if (hook.steps.retire === undefined) return null;
    if (!isTrial) await retirePrevious(context, vault, hook, secret, false);
    return { secret, error: null };
  } catch (error) {
    if (error instanceof SecretsManagerError) return { secret, error };
    throw error;
  }
}
