/** `vault rotate --due` and `--all`: many secrets in one run, with one unlock and one report. */
import { outcomes, UsageError } from '../src/errors.ts';
import type { SecretType } from '../src/format/secret-type.ts';
import { listInfo, type ListOptions } from '../src/vault/operations/list.ts';
import { putSecret } from '../src/vault/operations/put.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { WriteScope } from '../src/vault/scope.ts';
import type { Vault } from '../src/vault/vault.ts';
import type { Context } from './context.ts';
import { HookChoice, type ChosenHook } from './hook-choice.ts';
import { canBeMade, newValue } from './new-value.ts';
import { oneByOne, type HookedOptions, type Ready } from './rotate-hooked.ts';
import { failed, reportMany, type Result, type Retired } from './rotate-report.ts';
import { inTurns, type TurnTaker } from './turns.ts';
import { retire, secretsPastGrace } from './rotate-retire.ts';

export interface ManyOptions extends HookedOptions {
  readonly which: 'due' | 'all';
  readonly type: SecretType | null;
  readonly tags: ReadonlyMap<string, string>;
  readonly dryRun: boolean;
}

/** @returns the exit status: 1 if any failed, that of an interruption where they were interrupted */
export async function rotateMany(context: Context, options: ManyOptions): Promise<number> {
  const vault = await context.openVault();
  const turns = inTurns(vault);
  const results: Result[] = [];
  const secrets = await vault.read('rotate-list', async (scope) =>
    listInfo(scope, listOptions(context, options), (secret, error) => results.push(failed(secret, error))),
  );
  const choice = new HookChoice(context, turns, options.flags);
  const ready: Ready[] = [];
  for (const secret of secrets) {
    try {
      const chosen = await choice.of(secret);
      if (!canBeMade(secret.type, options.flags, chosen) || mayBeAnything(secret, options, chosen))
        results.push(unfit(secret));
      else ready.push({ secret, chosen });
    } catch (error) {
      results.push(failed(secret, error));
    }
  }
  if (options.dryRun) {
    for (const { secret } of ready) {
      const { name, environment, version } = secret;
      results.push({ name, environment, version: version + 1, code: null, reason: null });
    }
    const { failures, done } = await retireDue(context, vault, turns, options);
    const all = [...results, ...failures];
    await reportMany(context, { results: all, retired: done, dryRun: true });
    return all.some(({ version }) => version === null) ? 1 : 0;
  }
  const steps = ({ chosen }: Ready): number => Object.keys(chosen.hook.steps).length;
  results.push(
    ...(await atOnce(
      context,
      vault,
      ready.filter((one) => steps(one) === 0),
      options,
    )),
  );
  const hooked = ready.filter((one) => steps(one) > 0);
  results.push(...(await oneByOne(context, vault.place, turns, hooked, options)));
  const { failures, done } = await retireDue(context, vault, turns, options);
  results.push(...failures);
  await reportMany(context, { results, retired: done, dryRun: false });
  if (results.some(({ code }) => code === 'INTERRUPTED')) return outcomes.INTERRUPTED.exit;
  return results.some(({ version }) => version === null) ? 1 : 0;
}

/** What came without a type may be a setting as well as a password: nobody has said that random characters can take its place. */
function mayBeAnything(
  { type, rotateEverySeconds }: SecretInfo,
  { flags }: ManyOptions,
  { hook, command }: ChosenHook,
): boolean {
  const isSaid = flags.generate !== undefined || flags.command !== undefined || command !== null;
  const hasSteps = Object.keys(hook.steps).length > 0;
  return type === 'other' && !isSaid && !hasSteps && rotateEverySeconds === null;
}

function unfit({ name, environment, type }: SecretInfo): Result {
  const reason =
    type === 'other'
      ? 'it may be anything: say its type (`vault put NAME --keep --type …`), or give --generate'
      : `what it takes is not known for a ${type}: give --command or --generate`;
  return { name, environment, version: null, code: 'USAGE', reason };
}

function listOptions(context: Context, { which, type, tags }: ManyOptions): ListOptions {
  const { environment } = context;
  return {
    environment,
    allEnvironments: environment === null,
    pattern: null,
    removed: false,
    type,
    tags,
    expiringBefore: null,
    expired: false,
    due: which === 'due',
  };
}

/** With `--due`, old values whose time is over, each by its secret's own hook. */
async function retireDue(
  context: Context,
  vault: Vault,
  turns: TurnTaker,
  { which, type, tags, dryRun }: ManyOptions,
): Promise<{ readonly failures: readonly Result[]; readonly done: readonly Retired[] }> {
  const failures: Result[] = [];
  const done: Retired[] = [];
  if (which !== 'due') return { failures, done };
  const choice = new HookChoice(context, turns, {});
  for (const secret of await secretsPastGrace(context, vault, { type, tags })) {
    const one = await retire(context, turns, choice, secret, dryRun);
    if (one === null) continue;
    const { name, environment, version } = secret;
    if (one.error === null) done.push({ name, environment, version });
    else failures.push(failed(secret, one.error));
  }
  return { failures, done };
}

/** Without hooks the secrets of an environment are one write; what cannot be rotated stays out of it. */
async function atOnce(
  context: Context,
  vault: Vault,
  secrets: readonly Ready[],
  options: ManyOptions,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const own of Map.groupBy(secrets, ({ secret }) => secret.environment).values()) {
    const values: [SecretInfo, Uint8Array<ArrayBuffer>][] = [];
    try {
      for (const { secret, chosen } of own) {
        try {
          values.push([secret, await newValue(context, vault, options.flags, secret, chosen, null)]);
        } catch (error) {
          results.push(failed(secret, error));
        }
      }
      results.push(
        ...(await vault.write('rotate', async (scope) => stageAll(scope, values, options.graceUntil))),
      );
    } catch (error) {
      results.push(...values.map(([secret]) => failed(secret, error)));
    } finally {
      for (const [, value] of values) value.fill(0);
    }
  }
  return results;
}

async function stageAll(
  scope: WriteScope,
  values: readonly (readonly [SecretInfo, Uint8Array<ArrayBuffer>])[],
  graceUntil: Date | null,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const [secret, value] of values) {
    const { name, environment, version: ifVersion } = secret;
    try {
      const rotation = { operation: 'rotate', mustExist: true, graceUntil } as const;
      const options = { environment, name, value, ifVersion, ...rotation };
      const { version } = await putSecret(scope, options);
      results.push({ name, environment, version, code: null, reason: null });
    } catch (error) {
      results.push(failed(secret, error));
    }
  }
  return results;
}

/** What goes with `--due` and `--all`, and what does not. @throws UsageError */
export function checkMany(flags: Readonly<Record<string, unknown>>, name: string | undefined): void {
  if (flags['due'] === true && flags['all'] === true)
    throw new UsageError('--due and --all exclude each other');
  if (name !== undefined) throw new UsageError('name one secret, or use --due or --all');
  if (flags['ifVersion'] !== undefined) throw new UsageError('--if-version does not go with --due or --all');
}
