/** `vault rotate` and `vault rollback`: new versions of a secret that is there. */
import { BackendError, SecretNotFoundError, UsageError } from '../src/errors.ts';
import { runForOutput } from '../src/exec/output-of.ts';
import { withoutOurCredentials } from '../src/exec/variables.ts';
import { secretTypes, type SecretType } from '../src/format/secret-type.ts';
import { defaultGenerator, generate } from '../src/lifecycle/generate.ts';
import { parseDuration } from '../src/lifecycle/time.ts';
import { rollbackSecret } from '../src/vault/operations/history.ts';
import { putSecret } from '../src/vault/operations/put.ts';
import { pendingRotations, type PendingRotation } from '../src/vault/operations/rotation.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { Vault } from '../src/vault/vault.ts';
import { collectPairs, examples, oneOfWords, wholeNumber, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { reportPut } from './put.ts';
import { abandonRotation, resumeRotation, rotateInTwoPhases, type Hooks, type Rotated } from './two-phase.ts';
import { checkMany, rotateMany } from './rotate-many.ts';
import { readValue } from './value-input.ts';

const defaultJobs = 4;

interface RotateFlags {
  readonly generate?: string | true;
  readonly command?: string;
  readonly apply?: string;
  readonly check?: string;
  readonly undo?: string;
  readonly grace?: string;
  readonly resume?: boolean;
  readonly abandon?: boolean;
  readonly ifVersion?: number;
  readonly due?: boolean;
  readonly all?: boolean;
  readonly type?: SecretType;
  readonly tag?: Map<string, string>;
  readonly jobs?: number;
  readonly dryRun?: boolean;
}

export const declareRotate: Declare = (program, act) => {
  const command = program
    .command('rotate')
    .description('give a secret a new value: from standard input, a command, or generated')
    .argument('[name]', 'name of the secret')
    .option('--generate [spec]', `generate it (default: ${defaultGenerator}), whatever standard input holds`)
    .option('--command <command>', 'take what a shell command prints, without a final newline')
    .option('--apply <command>', 'bring the new value to where it is used, before it becomes the current one')
    .option('--check <command>', 'see whether it works there; if not, the old one stays current')
    .option('--undo <command>', 'bring the old value back where --apply or --check has failed')
    .option(
      '--grace <duration>',
      'how long the value before stays in use: `exec --with-previous` hands out both',
    )
    .option('--resume', 'go on with rotations that were interrupted, with the same hooks')
    .option('--abandon', 'take back one that was interrupted, by --undo if there is one')
    .option(
      '--if-version <n>',
      'only if the current version is this',
      wholeNumber(1, Number.MAX_SAFE_INTEGER),
    )
    .option('--due', 'every secret that is past its rotation interval')
    .option('--all', 'every secret')
    .option('--type <type>', 'with --due or --all: only of this type', oneOfWords(secretTypes))
    .option('--tag <key=value>', 'with --due or --all: only with this tag', collectPairs)
    .option('--jobs <n>', `how many hooks run at a time (default: ${defaultJobs})`, wholeNumber(1, 64))
    .option('--dry-run', 'say what would be done, and do nothing')
    .action(act<RotateFlags>(runRotate));
  command.addHelpText(
    'after',
    '\nHooks run by the shell, with VAULT_SECRET_NAME, VAULT_ENVIRONMENT, VAULT_OLD_VALUE and VAULT_NEW_VALUE in their environment; values that\ncannot be variables come on descriptors 3 (old) and 4 (new).',
  );
  return examples(
    command,
    'vault rotate db/password',
    'vault rotate session/key --generate hex:32',
    './new-token | vault rotate api/token',
    'vault rotate db/password --apply ./set-password --check ./try-login --undo ./reset-password',
    'vault rotate api/token --grace 24h',
    'vault rotate --due --dry-run',
    'vault rotate --resume --apply ./set-password --check ./try-login --undo ./reset-password',
  );
};

async function newValue(
  context: Context,
  vault: Vault,
  flags: RotateFlags,
  name: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const random = (length: number): Uint8Array<ArrayBuffer> => context.random(length);
  if (flags.generate !== undefined && flags.command !== undefined)
    throw new UsageError('--generate and --command exclude each other');
  if (flags.generate !== undefined)
    return generate(random, flags.generate === true ? defaultGenerator : flags.generate);
  if (flags.command !== undefined) {
    const environment = await vault.goOn(async (scope) =>
      Promise.resolve(scope.entry(context.environment).name),
    );
    return outputOf(context, flags.command, { name, environment });
  }
  if (context.inputIsData) {
    const value = await readValue(context, { file: '-', exact: false, question: '' });
    if (value.length > 0) return value;
  }
  return generate(random, defaultGenerator);
}

function graceOf(context: Context, { grace }: RotateFlags): Date | null {
  return grace === undefined ? null : new Date(context.now().getTime() + parseDuration(grace) * 1_000);
}

async function outputOf(
  context: Context,
  command: string,
  { name, environment }: Pick<SecretInfo, 'name' | 'environment'>,
): Promise<Uint8Array<ArrayBuffer>> {
  const { status, output } = await runForOutput(command, {
    ...withoutOurCredentials(context.host.env),
    VAULT_SECRET_NAME: name,
    VAULT_ENVIRONMENT: environment,
  });
  const hint = 'the old value is still current';
  if (status !== 0)
    throw new BackendError(
      `the command for a new value failed with status ${status}`,
      { hint },
      'HOOK_FAILED',
    );
  const end = output.at(-1) === 0x0a ? (output.at(-2) === 0x0d ? -2 : -1) : output.length;
  const value = output.slice(0, end);
  output.fill(0);
  if (value.length === 0)
    throw new BackendError('the command for a new value printed nothing', { hint }, 'HOOK_FAILED');
  return value;
}

/** Many secrets; the same source of values for each. */
async function many(
  context: Context,
  flags: RotateFlags,
  hooks: Hooks,
  name: string | undefined,
): Promise<number> {
  checkMany({ ...flags }, name);
  const random = (length: number): Uint8Array<ArrayBuffer> => context.random(length);
  const { command, generate: spec } = flags;
  if (spec !== undefined && command !== undefined)
    throw new UsageError('--generate and --command exclude each other');
  const made = async (secret: SecretInfo): Promise<Uint8Array<ArrayBuffer>> =>
    command === undefined
      ? generate(random, spec === undefined || spec === true ? defaultGenerator : spec)
      : outputOf(context, command, secret);
  return rotateMany(context, {
    which: flags.due === true ? 'due' : 'all',
    type: flags.type ?? null,
    tags: flags.tag ?? new Map<string, string>(),
    jobs: flags.jobs ?? defaultJobs,
    dryRun: flags.dryRun === true,
    hooks,
    value: spec === undefined && command === undefined ? null : made,
    fallback: async () => generate(random, defaultGenerator),
    graceUntil: graceOf(context, flags),
  });
}

async function runRotate(context: Context, flags: RotateFlags, name?: string): Promise<number | undefined> {
  const { apply = null, check = null, undo = null } = flags;
  const hooks = { apply, check, undo };
  if (flags.resume === true || flags.abandon === true) {
    if (flags.due === true || flags.all === true)
      throw new UsageError('--resume and --abandon do not go with --due or --all');
    await endPending(context, flags, hooks, name ?? null);
    return undefined;
  }
  if (undo !== null && apply === null) throw new UsageError('--undo takes back what --apply did: give both');
  if (flags.due === true || flags.all === true) return many(context, flags, hooks, name);
  if (name === undefined) throw new UsageError('which secret?');
  const vault = await context.openVault();
  const value = await newValue(context, vault, flags, name);
  const graceUntil = graceOf(context, flags);
  const ifVersion = flags.ifVersion ?? null;
  const options = { environment: context.environment, name, value, ifVersion, graceUntil };
  try {
    if ((apply === null && check === null) || flags.dryRun === true)
      reportPut(
        context,
        await vault.write('rotate', async (scope) => {
          const done = await putSecret(scope, { ...options, operation: 'rotate', mustExist: true });
          if (flags.dryRun === true) scope.discard();
          return done;
        }),
        flags.dryRun === true,
      );
    else reportRotated(context, await rotateInTwoPhases(context, vault, hooks, options));
  } finally {
    value.fill(0);
  }
  return undefined;
}

/** `--resume` and `--abandon`. The first that fails ends it: what is in use there is to be seen to first. */
async function endPending(
  context: Context,
  flags: RotateFlags,
  hooks: Hooks,
  name: string | null,
): Promise<void> {
  if (flags.resume === true && flags.abandon === true)
    throw new UsageError('--resume and --abandon exclude each other');
  const vault = await context.openVault();
  const pending = await pendingHere(context, vault, name);
  if (flags.resume === true && hooks.apply === null && hooks.check === null && pending.length > 0)
    throw new UsageError(`${listOf(context, pending)}: give the hooks again, --check at least`);
  const ended: Rotated[] = [];
  // Those of others only by name: their hooks may be others.
  const me = vault.authority.nameOf(vault.identity.principal);
  const endable = pending.filter(({ own }) => own);
  const [here, named] = [
    endable.filter(({ by }) => name !== null || by === me),
    endable.filter(({ by }) => name === null && by !== me),
  ];
  if (named.length > 0) context.warn(`${listOf(context, named)}: give the name to end it`);
  for (const one of here) {
    if (flags.resume === true) ended.push(await resumeRotation(context, vault, hooks, one));
    else {
      await abandonRotation(context, vault, hooks, one);
      ended.push({ name: one.name, environment: one.environment, version: one.version });
    }
    const what = flags.resume === true ? 'is current' : 'was withdrawn';
    context.inform(`version ${one.version} of ${context.shown(one.name)} in ${one.environment} ${what}`);
  }
  if (context.json) context.outputJson(ended);
  if (pending.length === 0) context.inform('no rotation is under way');
}

async function pendingHere(context: Context, vault: Vault, name: string | null): Promise<PendingRotation[]> {
  const environment = name === null ? (context.globals.env ?? null) : context.environment;
  const found = await vault.read('rotate-pending', async (scope) =>
    pendingRotations(scope, environment, name),
  );
  if (name !== null && found.length === 0)
    throw new SecretNotFoundError(`no rotation of ${context.shown(name)} is under way`);
  const others = found.filter(({ own }) => !own);
  if (others.length > 0)
    context.warn(`${listOf(context, others)}: they end it themselves, or an administrator does`);
  return found;
}

function listOf(context: Context, pending: readonly PendingRotation[]): string {
  return pending
    .map(
      ({ name, environment, by, since }) =>
        `${context.shown(name)} in ${environment} is being rotated by ${by} since ${since}`,
    )
    .join('; ');
}

function reportRotated(context: Context, { name, environment, version }: Rotated): void {
  if (context.json)
    context.outputJson({ name, environment, version, created: false, revived: false, dryRun: false });
  else context.inform(`${context.shown(name)} rotated in ${environment}, version ${version}`);
}

export const declareRollback: Declare = (program, act) => {
  const command = program
    .command('rollback')
    .description('make an old version’s value the newest one')
    .argument('<name>', 'name of the secret')
    .requiredOption('--to <n>', 'the version to go back to', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .action(
      act<{ readonly to: number }>(async (context, flags, name = '') => {
        const vault = await context.openVault();
        const options = { environment: context.environment, name, to: flags.to };
        reportPut(context, await vault.write('rollback', async (scope) => rollbackSecret(scope, options)));
      }),
    );
  return examples(command, 'vault history db/password', 'vault rollback db/password --to 3');
};
