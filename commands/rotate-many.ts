/** `vault rotate --due` and `--all`: many secrets in one run, with one unlock and one report. */
import { SecretsManagerError, UsageError } from '../src/errors.ts';
import type { SecretType } from '../src/format/secret-type.ts';
import { fitsGenerator } from '../src/lifecycle/generate.ts';
import { listInfo, type ListedName, type ListOptions } from '../src/vault/operations/list.ts';
import { putSecret } from '../src/vault/operations/put.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import { inParallel } from '../src/vault/in-parallel.ts';
import type { WriteScope } from '../src/vault/scope.ts';
import type { Vault } from '../src/vault/vault.ts';
import type { Context } from './context.ts';
import { rotateInTwoPhases, type Hooks, type TurnTaker } from './two-phase.ts';

export interface ManyOptions {
  readonly which: 'due' | 'all';
  readonly type: SecretType | null;
  readonly tags: ReadonlyMap<string, string>;
  readonly jobs: number;
  readonly dryRun: boolean;
  readonly hooks: Hooks;
  /** Makes a value; `null` for the default generator, which does not fit every type. Caller wipes. */
  readonly value: ((secret: SecretInfo) => Promise<Uint8Array<ArrayBuffer>>) | null;
  /** Until when values before stay in use. */
  readonly graceUntil: Date | null;
  readonly fallback: () => Promise<Uint8Array<ArrayBuffer>>;
}

interface Result {
  readonly name: string;
  readonly environment: string;
  /** The new version, or `null`. */
  readonly version: number | null;
  readonly code: string | null;
  readonly reason: string | null;
}

/** @returns the exit status: 1 if any failed */
export async function rotateMany(context: Context, options: ManyOptions): Promise<number> {
  const vault = await context.openVault();
  const results: Result[] = [];
  const secrets = await vault.read('rotate-list', async (scope) =>
    listInfo(scope, listOptions(context, options), (secret, error) => results.push(failed(secret, error))),
  );
  const fit = secrets.filter((one) => isFit(one, options));
  results.push(...secrets.filter((one) => !isFit(one, options)).map(unfit));
  if (options.dryRun) {
    for (const { name, environment, version } of fit)
      results.push({ name, environment, version: version + 1, code: null, reason: null });
    await show(context, results, true);
    return 0;
  }
  const hooked = Object.values(options.hooks).some((hook) => hook !== null);
  results.push(
    ...(hooked ? await oneByOne(context, vault, fit, options) : await atOnce(vault, fit, options)),
  );
  await show(context, results, false);
  return results.some(({ version }) => version === null) ? 1 : 0;
}

function unfit({ name, environment, type }: SecretInfo): Result {
  const reason = `what it takes is not known for a ${type}: give --command or --generate`;
  return { name, environment, version: null, code: 'USAGE', reason };
}

const isFit = ({ type }: SecretInfo, { value }: ManyOptions): boolean =>
  value !== null || fitsGenerator(type);

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

async function valueFor(secret: SecretInfo, options: ManyOptions): Promise<Uint8Array<ArrayBuffer>> {
  return options.value === null ? options.fallback() : options.value(secret);
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
async function atOnce(vault: Vault, secrets: readonly SecretInfo[], options: ManyOptions): Promise<Result[]> {
  const results: Result[] = [];
  for (const own of Map.groupBy(secrets, ({ environment }) => environment).values()) {
    const values: [SecretInfo, Uint8Array<ArrayBuffer>][] = [];
    try {
      for (const secret of own) {
        try {
          values.push([secret, await valueFor(secret, options)]);
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
  secrets: readonly SecretInfo[],
  options: ManyOptions,
): Promise<Result[]> {
  const progress = context.progress();
  const turns = inTurns(vault);
  const results: Result[] = [];
  await inParallel(secrets, options.jobs, async (secret) => {
    results.push(await rotateOne(context, turns, secret, options));
    progress.show(`rotated ${results.length} of ${secrets.length}`);
  });
  progress.end();
  const order = new Map(secrets.map(({ name, environment }, index) => [`${environment}\n${name}`, index]));
  const place = ({ name, environment }: Result): number => order.get(`${environment}\n${name}`) ?? 0;
  return results.sort((a, b) => place(a) - place(b));
}

async function rotateOne(
  context: Context,
  vault: TurnTaker,
  secret: SecretInfo,
  options: ManyOptions,
): Promise<Result> {
  const { name, environment, version: ifVersion } = secret;
  let value: Uint8Array<ArrayBuffer> | null = null;
  try {
    value = await valueFor(secret, options);
    const { version } = await rotateInTwoPhases(context, vault, options.hooks, {
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

/** An open vault does one thing at a time. */
export function inTurns(vault: Vault): TurnTaker {
  let last: Promise<unknown> = Promise.resolve();
  const turn = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  };
  return {
    read: async (op, work) => turn(async () => vault.read(op, work)),
    write: async (op, work) => turn(async () => vault.write(op, work)),
    goOn: async (work) => turn(async () => vault.goOn(work)),
  };
}

async function show(context: Context, results: readonly Result[], dryRun: boolean): Promise<void> {
  if (context.json) {
    context.outputJson({ dryRun, results });
    return;
  }
  if (results.length > 0)
    await context.table(
      ['ENVIRONMENT', 'NAME', 'VERSION', 'RESULT'],
      results.map(({ name, environment, version, reason }) => [
        environment,
        name,
        version === null ? '-' : String(version),
        reason ?? (dryRun ? 'would be rotated' : 'rotated'),
      ]),
    );
  const good = results.filter(({ version }) => version !== null).length;
  context.inform(
    `${good} ${dryRun ? 'would be rotated' : 'rotated'}, ${results.length - good} ${dryRun ? 'could not be' : 'failed'}`,
  );
}

/** What goes with `--due` and `--all`, and what does not. @throws UsageError */
export function checkMany(flags: Readonly<Record<string, unknown>>, name: string | undefined): void {
  if (flags['due'] === true && flags['all'] === true)
    throw new UsageError('--due and --all exclude each other');
  if (name !== undefined) throw new UsageError('name one secret, or use --due or --all');
  if (flags['ifVersion'] !== undefined) throw new UsageError('--if-version does not go with --due or --all');
}
