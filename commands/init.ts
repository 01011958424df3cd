/** `vault init`: a new vault. */
import { UsageError } from '../src/errors.ts';
import { createVault } from '../src/vault/create.ts';
import { defaultEnvironments } from '../src/vault/founding.ts';
import { defaultKdf } from '../src/vault/operations/kdf-choice.ts';
import { Vault } from '../src/vault/vault.ts';
import { importSecrets } from '../src/vault/operations/import.ts';
import { parseImport } from '../src/lifecycle/import-formats.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { newPassphrase } from './credentials.ts';
import { addKdfOptions, kdfFrom, type KdfOptions } from './kdf-options.ts';
import { withRecoveryKey, type RecoveryFlags } from './recovery-key.ts';
import { reportImport } from './import.ts';

interface InitOptions extends KdfOptions, RecoveryFlags {
  readonly user?: boolean;
  readonly from?: string;
  readonly environments?: string;
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
  const { from } = options;
  const source = from === undefined ? null : parseImport(context.readFile(from), 'auto', from);
  const kdf = (await kdfFrom(context, options)) ?? defaultKdf;
  const keyFile = context.keyFile();
  const names = options.environments?.split(',').map((name) => name.trim());
  const environments = names ?? [...defaultEnvironments];
  const { environment } = context;
  if (source !== null && environment !== null && !environments.includes(environment)) {
    throw new UsageError(`the new vault would have no environment ${environment} to import into`, {
      hint: 'name it with --environments, or choose another one with --env',
    });
  }
  const { place, credential, vaultId } = await withRecoveryKey(context, options, async (keepRecoveryKey) => {
    const here = context.place(await context.locateNew(file, options.user === true));
    const passphrase = await newPassphrase(context, 'new passphrase:', {
      useGiven: true,
      isAlone: keyFile === undefined,
    });
    const first = { type: 'passphrase', passphrase, keyFile } as const;
    const recovery = options.recovery !== false;
    const wanted = { credential: first, kdf, environments, recovery, keepRecoveryKey };
    return { place: here, credential: first, ...(await createVault(here, wanted)) };
  });
  if (source !== null) {
    const vault = await Vault.open(place, {
      credentials: async () => Promise.resolve(credential),
      principal: null,
    });
    try {
      const report = await vault.write('import', async (scope) =>
        importSecrets(scope, environment, source.items, false),
      );
      reportImport(context, report, source.warnings);
    } finally {
      vault.close();
    }
  }
  if (context.json) context.outputJson({ path: place.path, vaultId });
  else context.output(`${place.path}\n`);
  context.inform(
    `in a git checkout, add these to .gitignore: *.vault.lock *.vault.lock-holder *.vault.new *.audit.jsonl *.vault.backups *.vault.replaced-*`,
  );
}
