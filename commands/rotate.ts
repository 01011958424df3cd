/** `vault rotate` and `vault rollback`: new versions of a secret that is there. */
import { UsageError } from '../src/errors.ts';
import { ChildKeeper } from '../src/exec/child-keeper.ts';
import { secretTypes, type SecretType } from '../src/format/secret-type.ts';
import { defaultGenerator } from '../src/lifecycle/generate.ts';
import { parseDuration } from '../src/lifecycle/time.ts';
import { rollbackSecret } from '../src/vault/operations/history.ts';
import { collectPairs, examples, oneOfWords, wholeNumber, type Declare } from './command.ts';
import type { Context } from './context.ts';
import type { HookFlags } from './hook-choice.ts';
import { checkValueFlags, type ValueFlags } from './new-value.ts';
import { reportPut } from './put.ts';
import { endRotations } from './rotate-end.ts';
import { checkMany, rotateMany } from './rotate-many.ts';
import { rotateOne } from './rotate-one.ts';
import { retireOld } from './rotate-retire.ts';

const defaultJobs = 4;

interface RotateFlags extends HookFlags, ValueFlags {
  readonly grace?: string;
  readonly resume?: boolean;
  readonly abandon?: boolean;
  readonly retire?: boolean;
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
    .option('--hook <id>', 'a stored hook in place of these (default: the one of the secret)')
    .option('--no-hook', 'none at all, whatever the secret has')
    .option(
      '--grace <duration>',
      'how long the value before stays in use: `exec --with-previous` hands out both',
    )
    .option('--retire', 'by the hooks, let old values go whose grace is over; that of NAME at once')
    .option('--resume', 'go on with rotations that were interrupted, with the same hooks')
    .option('--abandon', 'take back one that was interrupted, by --undo if there is one')
    .option(
      '--if-version <n>',
      'only if the current version is this',
      wholeNumber(1, Number.MAX_SAFE_INTEGER),
    )
    .option('--due', 'every secret that is past its interval, and certificates near their end')
    .option('--all', 'every secret')
    .option('--type <type>', 'with --due or --all: only of this type', oneOfWords(secretTypes))
    .option('--tag <key=value>', 'with --due or --all: only with this tag', collectPairs)
    .option('--jobs <n>', `how many hooks run at a time (default: ${defaultJobs})`, wholeNumber(1, 64))
    .option('--dry-run', 'say what would be done, and do nothing')
    .action(act<RotateFlags>(runRotate));
  command.addHelpText(
    'after',
    '\nHooks run by the shell, with VAULT_SECRET_NAME, VAULT_ENVIRONMENT, VAULT_OLD_VALUE and VAULT_NEW_VALUE in their environment; values that\ncannot be variables come on descriptors 3 (old) and 4 (new). Stored ones: `vault hook --help`.',
  );
  return examples(
    command,
    'vault rotate db/password',
    'vault rotate session/key --generate hex:32',
    './new-token | vault rotate api/token',
    'vault rotate db/password --apply ./set-password --check ./try-login --undo ./reset-password',
    'vault rotate db --hook postgres',
    'vault rotate api/token --grace 24h',
    'vault rotate --due --dry-run',
    'vault rotate --resume --apply ./set-password --check ./try-login --undo ./reset-password',
  );
};

function graceOf(context: Context, { grace }: RotateFlags): Date | null {
  return grace === undefined ? null : new Date(context.now().getTime() + parseDuration(grace) * 1_000);
}

/** Many secrets; the same source of values for each. */
async function many(context: Context, flags: RotateFlags, name: string | undefined): Promise<number> {
  checkMany({ ...flags }, name);
  return rotateMany(context, {
    which: flags.due === true ? 'due' : 'all',
    type: flags.type ?? null,
    tags: flags.tag ?? new Map<string, string>(),
    jobs: flags.jobs ?? defaultJobs,
    dryRun: flags.dryRun === true,
    flags,
    graceUntil: graceOf(context, flags),
  });
}

async function runRotate(context: Context, flags: RotateFlags, name?: string): Promise<number | undefined> {
  checkValueFlags(flags);
  // A hook that goes on when we have ended could still bring a value to a server that was taken back meanwhile.
  if (context.keeper === null) context.keepChildren(new ChildKeeper('terminal'));
  const ending = [flags.resume, flags.abandon, flags.retire].filter((flag) => flag === true);
  if (ending.length > 1) throw new UsageError('--resume, --abandon and --retire exclude each other');
  if (ending.length > 0) {
    if (flags.due === true || flags.all === true)
      throw new UsageError('--resume, --abandon and --retire do not go with --due or --all');
    const others = [
      flags.grace,
      flags.generate,
      flags.command,
      flags.ifVersion,
      flags.dryRun,
      flags.type,
      flags.tag,
      flags.jobs,
    ];
    if (others.some((flag) => flag !== undefined))
      throw new UsageError('only hooks and a name go with --resume, --abandon and --retire');
    if (flags.retire === true) return retireOld(context, flags, name ?? null);
    await endRotations(context, flags, flags.resume === true ? 'resume' : 'abandon', name ?? null);
    return undefined;
  }
  if (flags.undo !== undefined && flags.apply === undefined)
    throw new UsageError('--undo takes back what --apply did: give both');
  if (flags.due === true || flags.all === true) return many(context, flags, name);
  if (name === undefined) throw new UsageError('which secret?');
  if ([flags.type, flags.tag, flags.jobs].some((flag) => flag !== undefined))
    throw new UsageError('--type, --tag and --jobs go with --due or --all');
  await rotateOne(context, flags, name, graceOf(context, flags));
  return undefined;
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
