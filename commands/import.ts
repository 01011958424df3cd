/** `vault import`: many secrets from a file, as one write. */
import { Option } from 'commander';
import { importFormats, parseImport, type ImportFormat } from '../src/lifecycle/import-formats.ts';
import { importSecrets, type ImportReport } from '../src/vault/operations/import.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';

interface ImportFlags {
  readonly format?: ImportFormat;
  readonly dryRun?: boolean;
}

export const declareImport: Declare = (program, act) => {
  const command = program
    .command('import')
    .description('bring in the secrets of a dotenv or JSON file')
    .argument('<file>', 'the file; - is standard input')
    .addOption(
      new Option('--format <format>', 'form of the file (default: by its name and content)').choices(
        importFormats,
      ),
    )
    .option('--dry-run', 'say what would be done, and do nothing')
    .action(act<ImportFlags>(runImport));
  return examples(command, 'vault import .env', 'vault import .env.production -e production --dry-run');
};

async function runImport(context: Context, flags: ImportFlags, file = ''): Promise<void> {
  const parsed = parseImport(
    context.readFile(file),
    flags.format ?? 'auto',
    file === '-' ? 'standard input' : file,
  );
  const vault = await context.openVault();
  const dryRun = flags.dryRun === true;
  const report = await vault.write('import', async (scope) =>
    importSecrets(scope, context.environment, parsed.items, dryRun),
  );
  for (const { value } of parsed.items) value.fill(0);
  if (context.json) context.outputJson({ ...report, warnings: parsed.warnings, dryRun });
  else reportImport(context, report, parsed.warnings, dryRun);
}

export function reportImport(
  context: Context,
  report: ImportReport,
  warnings: readonly string[],
  dryRun = false,
): void {
  for (const warning of warnings) context.warn(warning);
  const { added, changed, unchanged, environment } = report;
  const what = `${added.length} added, ${changed.length} changed, ${unchanged.length} as they were`;
  context.inform(`${dryRun ? 'would import' : 'imported'} into ${environment}: ${what}`);
}
