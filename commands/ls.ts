/** `vault ls`: names and metadata, never values. */
import { IntegrityError } from '../src/errors.ts';
import { secretTypes, type SecretType } from '../src/format/secret-type.ts';
import { parseMoment } from '../src/lifecycle/time.ts';
import {
  listInfo,
  listNames,
  type ListedName,
  type ListOptions,
  type OnSpoiled,
} from '../src/vault/operations/list.ts';
import type { Vault } from '../src/vault/vault.ts';
import { collectPairs, examples, oneOfWords, type Declare } from './command.ts';
import type { Context } from './context.ts';

interface ListFlags {
  readonly long?: boolean;
  readonly allEnvironments?: boolean;
  readonly removed?: boolean;
  readonly tag?: Map<string, string>;
  readonly type?: SecretType;
  readonly expiring?: string;
  readonly expired?: boolean;
  readonly due?: boolean;
}

export const declareLs: Declare = (program, act) => {
  const command = program
    .command('ls')
    .alias('list')
    .description('list names and metadata, never values')
    .argument('[pattern]', 'a name, a folder, or a pattern with * ? **')
    .option('-l, --long', 'with type, version, times and tags')
    .option('--all-environments', 'of every environment that you can open')
    .option('--removed', 'those that were removed and can be restored')
    .option('--tag <key=value>', 'only with this tag; may be given again', collectPairs)
    .option('--type <type>', 'only of this type', oneOfWords(secretTypes))
    .option('--expiring <duration>', 'only what expires within this time, or has expired')
    .option('--expired', 'only what has expired')
    .option('--due', 'only what is to be rotated: past its interval, or a certificate near its end')
    .action(act<ListFlags>(runLs));
  return examples(command, 'vault ls', "vault ls 'db/*' --long", 'vault ls --expiring 30d --json');
};

async function runLs(context: Context, flags: ListFlags, pattern?: string): Promise<void> {
  const options: ListOptions = {
    environment: context.environment,
    allEnvironments: flags.allEnvironments === true,
    pattern: pattern ?? null,
    removed: flags.removed === true,
    type: flags.type ?? null,
    tags: flags.tag ?? new Map<string, string>(),
    expiringBefore: flags.expiring === undefined ? null : parseMoment(flags.expiring, context.now()),
    expired: flags.expired === true,
    due: flags.due === true,
  };
  const vault = await context.openVault();
  const spoiled: ListedName[] = [];
  await list(context, vault, options, flags.long === true, (secret) => spoiled.push(secret));
  if (spoiled.length === 0) return;
  const names = spoiled.map(({ name, environment }) => `${context.shown(name)} in ${environment}`);
  throw new IntegrityError(`not listed, for they do not hold together: ${names.join(', ')}`, {
    hint: '`vault verify` says more',
  });
}

async function list(
  context: Context,
  vault: Vault,
  options: ListOptions,
  long: boolean,
  onSpoiled: OnSpoiled,
): Promise<void> {
  if (!context.json && !long) {
    const names = await vault.read('ls', async (scope) => listNames(scope, options, onSpoiled));
    const lines = names.map(({ name, environment }) =>
      options.allEnvironments
        ? `${environment}\t${context.forOutput(name)}\n`
        : `${context.forOutput(name)}\n`,
    );
    context.output(lines.join(''));
    return;
  }
  const infos = await vault.read('ls', async (scope) => listInfo(scope, options, onSpoiled));
  if (context.json) {
    context.outputJson(infos);
    return;
  }
  const rows = infos.map((info) => [
    info.name,
    ...(options.allEnvironments ? [info.environment] : []),
    info.type,
    String(info.version),
    context.day(info.updated),
    info.expires === null ? '-' : context.day(info.expires),
    info.due === null ? '-' : context.day(info.due),
    Object.entries(info.tags)
      .map(([key, value]) => `${key}=${value}`)
      .join(' '),
  ]);
  const head = [
    'NAME',
    ...(options.allEnvironments ? ['ENVIRONMENT'] : []),
    'TYPE',
    'VERSION',
    'UPDATED',
    'EXPIRES',
    'DUE',
    'TAGS',
  ];
  await context.table(head, rows);
}
