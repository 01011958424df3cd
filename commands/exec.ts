/** `vault exec`: run a program with secrets in its environment. */
import type { RequiredSecret } from '../src/config/project-file.ts';
import type { ParsedItem } from '../src/lifecycle/import-formats.ts';
import { parseImport } from '../src/lifecycle/import-formats.ts';
import { parseDuration } from '../src/lifecycle/time.ts';
import { UsageError } from '../src/errors.ts';
import { tooShortToMask } from '../src/exec/encodings.ts';
import { launch } from '../src/exec/launch.ts';
import { createSecretFiles } from '../src/exec/secret-files.ts';
import { buildEnvironment, type SecretVariable } from '../src/exec/variables.ts';
import { checkRequired } from '../src/vault/operations/required.ts';
import { selectSecrets, type SelectedSecret, type WantedSecret } from '../src/vault/operations/select.ts';
import { collect, examples, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { parseReference } from './reference.ts';

interface ExecFlags {
  readonly only?: readonly string[];
  readonly map?: readonly string[];
  readonly prefix?: string;
  readonly envFile?: string;
  readonly pristine?: boolean;
  readonly override?: boolean;
  readonly mask?: boolean;
  readonly file?: readonly string[];
  readonly stdin?: string;
  readonly withPrevious?: boolean;
  readonly timeout?: string;
  readonly allowExpired?: boolean;
}

export const declareExec: Declare = (program, act) => {
  const command = program
    .command('exec')
    .alias('run')
    .description('run a program with secrets in its environment')
    .argument('<command...>', 'after --: the program and its arguments')
    .option('--only <pattern>', 'only these secrets; may be given again', collect)
    .option(
      '--map <var=name[#field]>',
      'this secret, or a field of it, as this variable; may be given again',
      collect,
    )
    .option('--prefix <text>', 'put before every variable that was not chosen with --map')
    .option('--env-file <file>', 'a dotenv file; values that are vault:// references are filled in')
    .option('--pristine', 'start from a minimal environment instead of this one')
    .option('--override', 'allow variables that are set already, or that change how programs start')
    .option('--mask', 'replace the values in what the program prints')
    .option('--file <var=name>', 'this secret as a temporary file, its path as this variable', collect)
    .option('--stdin <name>', 'this secret as the program’s standard input')
    .option('--with-previous', 'also the value before, as VARIABLE_PREVIOUS, where `rotate --grace` keeps it')
    .option('--timeout <duration>', 'end the program after this time, with status 124')
    .option('--allow-expired', 'also secrets that have expired')
    .action(act<ExecFlags>(runExec));
  return examples(
    command,
    'vault exec -- ./server',
    "vault exec -e production --only 'db/*' -- psql",
    'vault exec --map PGPASSWORD=db/credential#password -- psql -h db.internal',
    'vault exec --mask -- npm run deploy',
  );
};

/** A wanted secret and what it is for. */
type Wish = WantedSecret & {
  readonly use: 'variable' | 'file' | 'stdin';
  readonly variable: string | null;
};

function assignment(text: string, form: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new UsageError(`expected ${form}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** NAME, NAME#FIELD or a reference. */
function wanted(context: Context, text: string): WantedSecret {
  if (text.startsWith('vault://')) return parseReference(text, context.environment);
  const hash = text.indexOf('#');
  const name = hash < 0 ? text : text.slice(0, hash);
  return { name, field: hash < 0 ? null : text.slice(hash + 1), environment: context.environment };
}

function wishesOf(context: Context, flags: ExecFlags, references: readonly ParsedItem[]): Wish[] {
  const wishes: Wish[] = [];
  for (const text of flags.map ?? []) {
    const [variable, name] = assignment(text, '--map VAR=NAME[#FIELD]');
    wishes.push({ ...wanted(context, name), use: 'variable', variable });
  }
  for (const { name, value } of references) {
    wishes.push({ ...wanted(context, Buffer.from(value).toString('utf8')), use: 'variable', variable: name });
  }
  for (const text of flags.file ?? []) {
    const [variable, name] = assignment(text, '--file VAR=NAME');
    wishes.push({ ...wanted(context, name), use: 'file', variable });
  }
  if (flags.stdin !== undefined)
    wishes.push({ ...wanted(context, flags.stdin), use: 'stdin', variable: null });
  return wishes;
}

function readEnvFile(
  context: Context,
  file: string | undefined,
): { references: ParsedItem[]; literals: Record<string, string> } {
  const references: ParsedItem[] = [];
  const literals: Record<string, string> = Object.create(null) as Record<string, string>;
  if (file === undefined) return { references, literals };
  const parsed = parseImport(context.readFile(file), 'dotenv', file);
  for (const warning of parsed.warnings) context.warn(warning);
  for (const item of parsed.items) {
    const text = Buffer.from(item.value).toString('utf8');
    if (text.startsWith('vault://')) references.push(item);
    else literals[item.name] = text;
  }
  return { references, literals };
}

async function runExec(context: Context, flags: ExecFlags, ...words: string[]): Promise<number> {
  const [command, ...args] = words;
  if (command === undefined) throw new UsageError('which program?', { hint: 'vault exec -- COMMAND' });
  const timeoutMs = flags.timeout === undefined ? null : parseDuration(flags.timeout) * 1_000;
  const { references, literals } = readEnvFile(context, flags.envFile);
  const wishes = wishesOf(context, flags, references);
  const { environment } = context;
  const only = flags.only ?? [];
  // Nobody chose: what the project says that it needs, if it says so.
  const required = only.length > 0 || wishes.length > 0 ? [] : context.settings.required;
  const names = [...wishes, ...required.map(({ name }) => ({ name, field: null, environment }))];
  const options = {
    environment,
    only,
    names,
    allowExpired: flags.allowExpired === true,
    withPrevious: flags.withPrevious === true,
  };
  const vault = await context.openVault();
  const { matching, named, warnings } = await vault.read('exec', async (scope) => ({
    warnings: await checkRequired(scope, environment, required),
    ...(await selectSecrets(scope, options)),
  }));
  for (const warning of warnings) context.warn(warning);
  for (const { name, daysLeft } of [...matching, ...named]) context.warnOfExpiry(name, daysLeft);
  const values = [...matching, ...named].flatMap(({ value, previous }) => [value, previous ?? []].flat());
  const wipe = (): void => {
    for (const value of values) value.wipe();
  };
  let files: ReturnType<typeof fileSecrets> = null;
  try {
    files = fileSecrets(context, wishes, named);
    const secrets = [
      ...matching.flatMap((secret) => asVariables(secret, only.length > 0)),
      ...(required.length > 0 ? forProject(required, named) : mapped(wishes, named)),
    ];
    const built = buildEnvironment({
      parent: context.host.env,
      secrets,
      literals: { ...literals, ...Object.fromEntries(files?.paths ?? []) },
      prefix: flags.prefix ?? '',
      pristine: flags.pristine === true,
      override: flags.override === true,
    });
    for (const warning of built.warnings) context.warn(warning);
    const stdin = named.find((_, index) => wishes[index]?.use === 'stdin');
    const mask = flags.mask === true ? values.map(({ bytes }) => bytes) : null;
    const short = mask === null ? 0 : tooShortToMask(mask);
    if (short > 0) context.warn(`${short} ${short === 1 ? 'value is' : 'values are'} too short to be masked`);
    return await launch({
      command,
      args,
      environment: built.environment,
      cwd: context.host.cwd,
      watch: false,
      stdin: stdin?.value.bytes ?? null,
      timeoutMs,
      mask,
      secretFiles: files,
      writeStdout: context.writeTo('output'),
      writeStderr: context.writeTo('error'),
      beforeStart: (place) => {
        wipe();
        context.close();
        // Beside us it runs with what protects this process: we still hold values to mask.
        if (place === 'ours') context.host.beforeReplacement();
      },
      report: (message) => {
        context.inform(message);
      },
    });
  } finally {
    files?.remove();
    wipe();
  }
}

function asVariables(
  { name, variable, value, previous }: SelectedSecret,
  selected: boolean,
  isMapped = false,
): SecretVariable[] {
  const now = { name, variable, mapped: isMapped, selected, value: value.bytes };
  return previous === null ? [now] : [now, { ...now, previous: true, value: previous.bytes }];
}

/** What the project requires, under the variables that it names; else under those recorded with the secrets. */
function forProject(required: readonly RequiredSecret[], named: readonly SelectedSecret[]): SecretVariable[] {
  return named.flatMap((secret, index) =>
    asVariables({ ...secret, variable: required[index]?.variable ?? secret.variable }, true),
  );
}

function mapped(wishes: readonly Wish[], named: readonly SelectedSecret[]): SecretVariable[] {
  return named.flatMap((secret, index) => {
    const wish = wishes[index];
    if (wish?.use !== 'variable') return [];
    return asVariables({ ...secret, variable: wish.variable }, true, true);
  });
}

function fileSecrets(
  context: Context,
  wishes: readonly Wish[],
  named: readonly SelectedSecret[],
): ReturnType<typeof createSecretFiles> | null {
  const files = named.flatMap((secret, index) => {
    const wish = wishes[index];
    if (wish?.use !== 'file' || wish.variable === null) return [];
    const file = { variable: wish.variable, value: secret.value.bytes };
    if (secret.previous === null) return [file];
    return [file, { variable: `${wish.variable}_PREVIOUS`, value: secret.previous.bytes }];
  });
  return files.length === 0 ? null : createSecretFiles(files, context.host.env);
}
