/** `vault init`: a new vault. */
import { UsageError } from '../src/errors.ts';
import { createVault } from '../src/vault/create.ts';
import { defaultEnvironments } from '../src/vault/founding.ts';
import { defaultKdf } from '../src/vault/operations/kdf-choice.ts';
import { Vault } from '../src/vault/vault.ts';
import { importSecrets } from '../src/vault/operations/import.ts';
import { parseImport } from '../src/lifecycle/import-formats.ts';
import { examples, type Declare } from './command.ts';
import type { ReservedFile } from '../src/storage/user-file.ts';
import type { Context } from './context.ts';
import { newPassphrase } from './credentials.ts';
import { addKdfOptions, kdfFrom, type KdfOptions } from './kdf-options.ts';
import { reportImport } from './import.ts';

interface InitOptions extends KdfOptions {
  readonly user?: boolean;
  readonly from?: string;
  readonly environments?: string;
  readonly recoveryFile?: string;
  readonly recovery?: boolean;
}

export const declareInit: Declare = (program, act) => {
  const command = addKdfOptions(program.command('init'))
    .description('make a new vault, and print its path')
    .argument('[file]', 'where (default: .vault/secrets.vault here)')
    .option('--user', 'the user’s own vault, found from every folder')
    .option('--from <file>', 'import a dotenv or JSON file at once')
    .option('--environments <names>', `environments, with commas (default: ${defaultEnvironments.join(',')})`)
    .option('--recovery-file <file>', 'write the recovery key to a new file instead of showing it')
    .option('--no-recovery', 'make no recovery key: without the passphrase all is lost')
    .action(act<InitOptions>(runInit));
  return examples(command, 'vault init', 'vault init --from .env', 'vault init --user --calibrate 500');
};

async function runInit(context: Context, options: InitOptions, file?: string): Promise<void> {
  const wantsRecovery = options.recovery !== false;
  if (options.recoveryFile !== undefined && !wantsRecovery)
    throw new UsageError('--recovery-file and --no-recovery exclude each other');
  if (wantsRecovery && options.recoveryFile === undefined && !context.errorIsTerminal) {
    throw new UsageError('the recovery key would be shown to nobody', {
      hint: 'use --recovery-file FILE, or --no-recovery',
    });
  }
  const write = context.reserveFile(wantsRecovery ? options.recoveryFile : undefined);
  try {
    await makeVault(context, options, file, write);
  } finally {
    write?.close();
  }
}

async function makeVault(
  context: Context,
  options: InitOptions,
  file: string | undefined,
  write: ReservedFile | null,
): Promise<void> {
  const source =
    options.from === undefined ? null : parseImport(context.readFile(options.from), 'auto', options.from);
  const kdf = (await kdfFrom(context, options)) ?? defaultKdf;
  const keyFile = context.keyFile();
  const place = context.place(context.locateNew(file, options.user === true));
  const passphrase = await newPassphrase(context, 'new passphrase:', true);
  const environments = options.environments?.split(',').map((name) => name.trim()) ?? [
    ...defaultEnvironments,
  ];
  const credential = { type: 'passphrase', passphrase, keyFile } as const;
  const created = await createVault(place, {
    credential,
    kdf,
    environments,
    recovery: options.recovery !== false,
  });
  showRecoveryKey(context, created.recoveryKey, write);
  if (source !== null) {
    const vault = await Vault.open(place, { credentials: async () => credential, principal: null });
    try {
      const report = await vault.write('import', async (scope) =>
        importSecrets(scope, context.environment, source.items, false),
      );
      reportImport(context, report, source.warnings);
    } finally {
      vault.close();
    }
  }
  if (context.json) context.outputJson({ path: place.path, vaultId: created.vaultId });
  else context.output(`${place.path}\n`);
  context.inform(
    `in a git checkout, add these to .gitignore: *.vault.lock *.vault.lock-holder *.vault.new *.audit.jsonl`,
  );
}

/** Show the recovery key on the terminal, or put it into the file that was reserved for it. */
export function showRecoveryKey(context: Context, key: string | null, write: ReservedFile | null): void {
  if (key === null) return;
  if (write === null) {
    context.showOnce(
      `recovery key, shown once; write it down and keep it away from this machine:\n\n    ${key}\n\n`,
    );
    return;
  }
  write.put(new Uint8Array(Buffer.from(`${key}\n`)));
  context.inform(`recovery key written to ${write.path}: move it away from this machine`);
}
