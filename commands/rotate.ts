/** `vault rotate` and `vault rollback`: new versions of a secret that is there. */
import { UsageError } from '../src/errors.ts';
import { defaultGenerator, generate } from '../src/lifecycle/generate.ts';
import { rollbackSecret } from '../src/vault/operations/history.ts';
import { putSecret } from '../src/vault/operations/put.ts';
import { examples, wholeNumber, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { reportPut } from './put.ts';
import { readValue } from './value-input.ts';

interface RotateFlags {
  readonly generate?: string | true;
  readonly ifVersion?: number;
  readonly expires?: string;
}

export const declareRotate: Declare = (program, act) => {
  const command = program
    .command('rotate')
    .description('give a secret a new value: from standard input, or generated')
    .argument('<name>', 'name of the secret')
    .option('--generate [spec]', `generate it (default: ${defaultGenerator}), whatever standard input holds`)
    .option(
      '--if-version <n>',
      'only if the current version is this',
      wholeNumber(1, Number.MAX_SAFE_INTEGER),
    )
    .action(act<RotateFlags>(runRotate));
  return examples(
    command,
    'vault rotate db/password',
    'vault rotate session/key --generate hex:32',
    './new-token | vault rotate api/token',
  );
};

async function newValue(context: Context, flags: RotateFlags): Promise<Uint8Array<ArrayBuffer>> {
  const random = (length: number): Uint8Array<ArrayBuffer> => context.random(length);
  if (flags.generate !== undefined)
    return generate(random, flags.generate === true ? defaultGenerator : flags.generate);
  if (context.inputIsData) {
    const value = await readValue(context, { file: '-', exact: false, question: '' });
    if (value.length > 0) return value;
  }
  return generate(random, defaultGenerator);
}

async function runRotate(context: Context, flags: RotateFlags, name = ''): Promise<void> {
  if (name === '') throw new UsageError('which secret?');
  const vault = await context.openVault();
  const value = await newValue(context, flags);
  try {
    const result = await vault.write('rotate', async (scope) =>
      putSecret(scope, {
        environment: context.environment,
        name,
        value,
        operation: 'rotate',
        ifVersion: flags.ifVersion ?? null,
        mustExist: true,
      }),
    );
    reportPut(context, result);
  } finally {
    value.fill(0);
  }
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
