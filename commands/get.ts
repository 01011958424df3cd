/** `vault get`: one value, exact. */
import { UsageError } from '../src/errors.ts';
import { getSecret } from '../src/vault/operations/get.ts';
import type { VersionWanted } from '../src/vault/operations/secret.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { clearAfterSeconds } from '../src/terminal/clipboard.ts';
import { toClipboard } from './clipboard.ts';
import { parseReference } from './reference.ts';

interface GetFlags {
  readonly version?: string;
  readonly field?: string;
  readonly newline?: boolean;
  readonly clip?: boolean;
  readonly out?: string;
  readonly allowExpired?: boolean;
}

export const declareGet: Declare = (program, act) => {
  const command = program
    .command('get')
    .description('print a value, exactly as it was stored')
    .argument('<name>', 'name of the secret, or vault://ENV/NAME#FIELD')
    .option('--version <n>', 'an older version: its number, or previous')
    .option('--field <path>', 'one field of a structured secret')
    .option('--newline', 'add a final newline (done by itself on a terminal)')
    .option('--clip', `put it on the clipboard for ${clearAfterSeconds} seconds instead of printing it`)
    .option('--out <file>', 'write it to a file, readable by you alone')
    .option('--allow-expired', 'also if it has expired')
    .action(act<GetFlags>(runGet));
  return examples(
    command,
    'vault get db/password',
    'vault get db/password -e production',
    'vault get tls/key --out key.pem',
  );
};

function parseVersion(text: string | undefined): VersionWanted {
  if (text === undefined) return null;
  if (text === 'previous') return text;
  if (!/^[1-9]\d{0,15}$/.test(text)) throw new UsageError('a version is a number from 1, or previous');
  return Number(text);
}

async function runGet(context: Context, flags: GetFlags, named = ''): Promise<void> {
  const version = parseVersion(flags.version);
  if (flags.out === '-') throw new UsageError('without --out the value goes to standard output');
  const { name, environment, field } = parseReference(named, context.environment, flags.field);
  const vault = await context.openVault();
  const { value, info, daysLeft } = await vault.read('get', async (scope) =>
    getSecret(scope, { environment, name, version, field, allowExpired: flags.allowExpired === true }),
  );
  try {
    if (flags.clip === true) context.inform(await toClipboard(context, value.bytes, info.name));
    else if (flags.out !== undefined) context.writeFile(flags.out, value.bytes);
    else if (context.json) context.outputJson({ ...info, ...context.jsonValue(value.bytes) });
    else {
      context.output(value.bytes);
      if (flags.newline === true || context.outputIsTerminal) context.output('\n');
    }
  } finally {
    value.wipe();
  }
  context.warnOfExpiry(info.name, daysLeft);
}
