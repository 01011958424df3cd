/** `vault rotate --due` and `--all`: many secrets in one run, with one unlock and one report. */
import { SecretsManagerError, UsageError } from '../src/errors.ts';
import type { SecretType } from '../src/format/secret-type.ts';
import { listInfo, type ListedName, type ListOptions } from '../src/vault/operations/list.ts';
import { putSecret } from '../src/vault/operations/put.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import { inParallel } from '../src/vault/in-parallel.ts';
import type { WriteScope } from '../src/vault/scope.ts';
import type { Vault } from '../src/vault/vault.ts';
import type { Context } from './context.ts';
import { HookChoice, type ChosenHook, type HookFlags } from './hook-choice.ts';
import { canBeMade, newValue, type ValueFlags } from './new-value.ts';
import { reportMany, type Result, type Retired } from './rotate-report.ts';
import { settlePrevious } from './previous.ts';
import { inTurns, oneAtATime, type TurnTaker, type Turns } from './turns.ts';
import { retire, secretsPastGrace } from './rotate-retire.ts';
import { rotateInTwoPhases } from './two-phase.ts';

export interface ManyOptions {
  readonly which: 'due' | 'all';
  readonly type: SecretType | null;
  readonly tags: ReadonlyMap<string, string>;
  readonly jobs: number;
  readonly dryRun: boolean;
  /** Hooks and sources of values, the same for all. */
  readonly flags: HookFlags & ValueFlags;
  /** Until when values before stay in use. */
  readonly graceUntil: Date | null;
}

interface Ready {
  readonly secret: SecretInfo;
  readonly chosen: ChosenHook;
}

/** @returns the exit status: 1 if any failed */
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
      if (!canBeMade(secret.type, options.flags, chosen)) results.push(unfit(secret));
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
    await reportMany(context, { results: [...results, ...failures], retired: done, dryRun: true });
    return 0;
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
  results.push(...(await oneByOne(context, vault, turns, hooked, options)));
  const { failures, done } = await retireDue(context, vault, turns, options);
  results.push(...failures);
  await reportMany(context, { results, retired: done, dryRun: false });
  return results.some(({ version }) => version === null) ? 1 : 0;
}

function unfit({ name, environment, type }: SecretInfo): Result {
  const reason = `what it takes is not known for a ${type}: give --command or --generate`;
  return { name, environment, version: null, code: 'USAGE', reason };
}

function listOptions(context: Context, { which, type, tags }: ManyOptions): ListOptions {
  const environment = context.globals.env ?? null;
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

function failed({ name, environment }: ListedName, error: unknown): Result {
  const known = error instanceof SecretsManagerError ? error : null;
  return {
    name,
    environment,
    version: null,
    code: known?.code ?? 'INTERNAL',
    reason: known?.message ?? 'internal error',
  };
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

/** With hooks each is rotated by itself; hooks of several run at a time, and the vault is written by one of them at a time. */
async function oneByOne(
  context: Context,
  vault: Vault,
  turns: TurnTaker,
  secrets: readonly Ready[],
  options: ManyOptions,
): Promise<Result[]> {
  if (secrets.length === 0) return [];
  const progress = context.progress();
  const results: Result[] = [];
  // Commands for values may ask at the terminal: not two of them at a time.
  const making = oneAtATime();
  await inParallel(secrets, options.jobs, async (one) => {
    results.push(await rotateOne(context, vault, turns, making, one, options));
    progress.show(`rotated ${results.length} of ${secrets.length}`);
  });
  progress.end();
  const order = new Map(
    secrets.map(({ secret: { name, environment } }, index) => [`${environment}\n${name}`, index]),
  );
  const place = ({ name, environment }: Result): number => order.get(`${environment}\n${name}`) ?? 0;
  return results.sort((a, b) => place(a) - place(b));
}

async function rotateOne(
  context: Context,
  vault: Vault,
  turns: TurnTaker,
  making: Turns,
  { secret, chosen }: Ready,
  options: ManyOptions,
): Promise<Result> {
  const { name, environment, version: ifVersion } = secret;
  let value: Uint8Array<ArrayBuffer> | null = null;
  try {
    await settlePrevious(context, turns, vault.place, chosen.hook, secret);
    value = await making(async () => newValue(context, turns, options.flags, secret, chosen, null));
    const { version } = await rotateInTwoPhases(context, turns, chosen.hook, {
      name,
      environment,
      value,
      ifVersion,
      graceUntil: options.graceUntil,
    });
    return { name, environment, version, code: null, reason: null };
  } catch (error) {
    return failed(secret, error);
  } finally {
    value?.fill(0);
  }
}

/** What goes with `--due` and `--all`, and what does not. @throws UsageError */
export function checkMany(flags: Readonly<Record<string, unknown>>, name: string | undefined): void {
  if (flags['due'] === true && flags['all'] === true)
    throw new UsageError('--due and --all exclude each other');
  if (name !== undefined) throw new UsageError('name one secret, or use --due or --all');
  if (flags['ifVersion'] !== undefined) throw new UsageError('--if-version does not go with --due or --all');
}
