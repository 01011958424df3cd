/** `vault put`: store or replace a secret. `vault generate` is the same with a generated value. */
import { UsageError } from '../src/errors.ts';
import { secretTypes, type SecretType } from '../src/format/secret-type.ts';
import { defaultGenerator, generators, recipe, type Shape } from '../src/lifecycle/generate.ts';
import { neverRotated } from '../src/lifecycle/rotation-intervals.ts';
import { parseDuration, parseMoment } from '../src/lifecycle/time.ts';
import { describeSecret } from '../src/vault/operations/describe.ts';
import type { Metadata } from '../src/vault/operations/metadata.ts';
import { putSecret, type PutResult } from '../src/vault/operations/put.ts';
import type { Command } from 'commander';
import { collectPairs, examples, oneOfWords, wholeNumber, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { readValue } from './value-input.ts';

interface PutFlags {
  readonly file?: string;
  readonly field?: string;
  readonly generate?: string | true;
  readonly type?: SecretType;
  readonly description?: string;
  readonly tag?: Map<string, string>;
  readonly var?: string;
  readonly expires?: string;
  readonly rotateEvery?: string;
  readonly ifVersion?: number;
  readonly ifAbsent?: boolean;
  readonly exact?: boolean;
  readonly keep?: boolean;
  readonly dryRun?: boolean;
}

/** What a secret is besides its value, and on which condition it is stored. */
function withMetadata(command: Command): Command {
  return command
    .option('--type <type>', `one of ${secretTypes.join(', ')}`, oneOfWords(secretTypes))
    .option('--description <text>', 'what it is')
    .option('--tag <key=value>', 'set a tag; KEY= removes it', collectPairs)
    .option('--var <variable>', 'environment variable that it becomes')
    .option('--expires <time>', 'a time, a duration from now, or never')
    .option(
      '--rotate-every <duration>',
      'how long a value should live; never, or default for what the policy says',
    )
    .option(
      '--if-version <n>',
      'only if the current version is this; 0: none',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option('--if-absent', 'only if there is no such secret');
}

export const declarePut: Declare = (program, act) => {
  const command = withMetadata(program.command('put'))
    .alias('set')
    .description('store or replace a secret: hidden prompt, standard input, file or generator')
    .argument('<name>', 'name of the secret')
    .option('--file <file>', 'take the bytes of a file; - is standard input')
    .option('--field <path>', 'set one field of a structured secret')
    .option('--generate [spec]', `generate the value (default: ${defaultGenerator})`)
    .option('--keep', 'leave the value as it is, and change only what is said of it')
    .option('--exact', 'keep a final newline, and allow nothing at all')
    .option('--dry-run', 'say what would be done, and do nothing')
    .action(act<PutFlags>(runPut));
  command.addHelpText(
    'after',
    '\nA database-credential is a JSON object: engine (postgresql, mysql, mongodb, redis), host, port, database, username, password;\n`vault get NAME --field url` composes the URL. Of a certificate the PEM text is read: subject, names, expiry.',
  );
  return examples(
    command,
    'vault put db/password',
    'printf %s "$TOKEN" | vault put ci/token --type token --expires 90d',
    'vault put tls/web --file web.pem --type certificate',
    'vault put db/password --generate password:40',
    'vault put db/password --keep --type password --rotate-every 90d',
  );
};

export const declareGenerate: Declare = (program, act) => {
  const command = withMetadata(program.command('generate'))
    .description('store a generated value; the same as put --generate')
    .argument('<name>', 'name of the secret')
    .argument('[spec]', generators.join(', '), defaultGenerator)
    .option('--dry-run', 'say what would be done, and do nothing')
    .action(
      act<PutFlags>(async (context, options, name, spec) =>
        runPut(context, { ...options, generate: spec }, name),
      ),
    );
  return examples(
    command,
    'vault generate db/password',
    'vault generate session/key hex:32',
    'vault generate deploy/key ed25519',
  );
};

function metadataFrom(context: Context, flags: PutFlags): Metadata {
  const { type, description, tag: tags, var: variable, expires, rotateEvery } = flags;
  return {
    type,
    description,
    tags,
    variable,
    expires:
      expires === undefined ? undefined : expires === 'never' ? null : parseMoment(expires, context.now()),
    intervalSeconds: rotateEvery === undefined ? undefined : intervalFrom(rotateEvery),
  };
}

/** `never`, whatever the policy says; `default` for what it says. */
function intervalFrom(text: string): number {
  if (text === 'never') return neverRotated;
  if (text === 'default') return 0;
  const seconds = parseDuration(text);
  if (seconds === 0) throw new UsageError('an interval of nothing is none: say never, or default');
  return seconds;
}

async function runPut(context: Context, flags: PutFlags, name = ''): Promise<void> {
  const metadata = metadataFrom(context, flags);
  if (flags.keep === true) {
    await describe(context, flags, name, metadata);
    return;
  }
  const vault = await context.openVault();
  if (flags.generate !== undefined && flags.file !== undefined)
    throw new UsageError('--generate and --file exclude each other');
  const made =
    flags.generate === undefined ? null : recipe(flags.generate === true ? defaultGenerator : flags.generate);
  const value =
    made === null
      ? await readValue(context, {
          file: flags.file,
          exact: flags.exact === true,
          question: `value of ${name}:`,
        })
      : await made.make((length) => context.random(length));
  try {
    const result = await vault.write('put', async (scope) => {
      const done = await putSecret(scope, {
        environment: context.environment,
        name,
        value,
        field: flags.field ?? null,
        operation: 'put',
        metadata,
        ifVersion: flags.ifVersion ?? null,
        ifAbsent: flags.ifAbsent === true,
        guardEmpty: flags.exact !== true,
      });
      if (flags.dryRun === true) scope.discard();
      return done;
    });
    reportPut(context, result, flags.dryRun === true ? { generated: made?.shape ?? null } : null);
  } finally {
    value.fill(0);
  }
}

/** Without a value: standard input is left alone. */
async function describe(context: Context, flags: PutFlags, name: string, metadata: Metadata): Promise<void> {
  const { file, field, generate, exact, ifAbsent, ifVersion = null, dryRun } = flags;
  if ([file, field, generate, exact, ifAbsent].some((flag) => flag !== undefined))
    throw new UsageError('--keep leaves the value as it is: leave out what says where another comes from');
  const vault = await context.openVault();
  const result = await vault.write('put', async (scope) => {
    const done = await describeSecret(scope, {
      environment: context.environment,
      name,
      metadata,
      ifVersion,
    });
    if (dryRun === true) scope.discard();
    return done;
  });
  if (context.json) context.outputJson({ ...result, dryRun: dryRun === true, generated: null });
  else
    context.inform(
      `what is said of ${context.shown(name)} in ${result.environment} ${dryRun === true ? 'would be' : 'was'} changed; version ${result.version} stays`,
    );
}

/** @param trial of a dry run, with what would be generated */
export function reportPut(
  context: Context,
  result: PutResult,
  trial: { readonly generated: Shape | null } | null = null,
): void {
  const generated = trial?.generated ?? null;
  if (context.json) {
    context.outputJson({ ...result, dryRun: trial !== null, generated });
    return;
  }
  const what = result.created ? 'stored' : result.revived ? 'restored with a new value' : 'replaced';
  const verb = trial === null ? what : `would be ${what}`;
  const shape = generated === null ? '' : `: ${shapeText(generated)}`;
  context.inform(
    `${context.shown(result.name)} ${verb} in ${result.environment}, version ${result.version}${shape}`,
  );
}

const shapeText = ({ form, bits }: Shape): string => (bits === null ? form : `${form}, ${bits} random bits`);
