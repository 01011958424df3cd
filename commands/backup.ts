/** `vault backup`: copies that are proven readable, and the way back. */
import { resolve } from 'node:path';
import { UsageError } from '../src/errors.ts';
import { backupFolderOf } from '../src/storage/backup-files.ts';
import { takeBackup } from '../src/vault/operations/backup.ts';
import { Backup, verifyBackup } from '../src/vault/operations/backup-proof.ts';
import { restoreBackup, toBeReplaced } from '../src/vault/operations/restore.ts';
import type { VerifyOptions, VerifyReport } from '../src/vault/operations/verify.ts';
import type { Place } from '../src/vault/place.ts';
import { examples, wholeNumber, type Declare } from './command.ts';
import type { Context } from './context.ts';

interface BackupFlags {
  readonly keep?: number;
}

export const declareBackup: Declare = (program, act) => {
  const command = program
    .command('backup')
    .description('copy the vault and its audit log, and prove the copy')
    .enablePositionalOptions()
    .argument('[dest]', 'a new file, or a folder (default: VAULT_BACKUP_PATH, or <vault>.backups)')
    .option(
      '--keep <n>',
      'keep the newest so many in the folder, and remove older ones',
      wholeNumber(1, 1_000_000),
    )
    .action(act<BackupFlags>(runBackup));
  examples(
    command
      .command('verify')
      .description('prove a backup: every signature, value and audit record')
      .argument('<file>', 'the backup')
      .action(act(runVerify)),
    'vault backup verify team-20261124T222733123Z-g12.backup',
  );
  examples(
    command
      .command('restore')
      .description('put a backup in the place of the vault; what stands there is kept beside it')
      .argument('<file>', 'the backup')
      .option('-y, --yes', 'do not ask')
      .action(act<{ readonly yes?: boolean }>(runRestore)),
    'vault backup restore team-20261124T222733123Z-g12.backup',
  );
  return examples(
    command,
    'vault backup',
    'vault backup /mnt/backups/ --keep 30',
    'vault backup verify FILE',
    'vault backup restore FILE',
  );
};

async function runBackup(context: Context, flags: BackupFlags, dest?: string): Promise<void> {
  const named = dest ?? context.variable('VAULT_BACKUP_PATH');
  const vault = await context.openVault();
  const destination = named === null ? `${backupFolderOf(vault.place.path)}/` : pathOf(context, named);
  const options = { destination, asFolder: flags.keep !== undefined, keep: flags.keep ?? null };
  const report = await withProgress(context, async (progress) => takeBackup(vault, { ...options, progress }));
  if (context.json) context.outputJson(report);
  else context.output(`${report.path}\n`);
  informOf(context, report);
  for (const path of report.removed) context.inform(`removed ${path}`);
}

/** A final slash says that a folder is meant. */
function pathOf(context: Context, named: string): string {
  if (named === '') throw new UsageError('the path of the backup is empty');
  return resolve(context.host.cwd, named) + (named.endsWith('/') ? '/' : '');
}

async function withProgress<T>(
  context: Context,
  work: (progress: VerifyOptions['progress']) => Promise<T>,
): Promise<T> {
  const progress = context.progress();
  try {
    return await work((what, done) => {
      progress.show(`verified ${done} ${what}`);
    });
  } finally {
    progress.end();
  }
}

function informOf(context: Context, report: VerifyReport): void {
  const { generation, secrets, versions, auditRecords, sealed, warnings } = report;
  for (const warning of warnings) context.warn(warning);
  context.inform(
    `generation ${generation} holds: ${secrets} secrets, ${versions} versions, ${auditRecords} audit records`,
  );
  if (sealed.length > 0) context.inform(`not opened, for lack of access: ${sealed.join(', ')}`);
}

/** A backup, unlocked, for as long as something is done with it. */
async function withBackup<T>(
  context: Context,
  here: Place,
  path: string,
  work: (backup: Backup) => Promise<T>,
): Promise<T> {
  const backup = await Backup.open(here, path, context.openOptions(path));
  try {
    return await work(backup);
  } finally {
    backup.close();
  }
}

async function runVerify(context: Context, _flags: object, file = ''): Promise<void> {
  const path = pathOf(context, file);
  const here = await context.placeOrNull();
  await withBackup(context, here ?? context.place(path), path, async (backup) => {
    const { report, recorded } = await withProgress(context, async (progress) =>
      verifyBackup(here, backup, 'backup-verify', progress),
    );
    if (context.json) context.outputJson({ path, ...report });
    informOf(context, report);
    if (!recorded)
      context.inform('not on record: the vault that it is of is not here, or has other credentials');
  });
}

async function runRestore(context: Context, flags: { readonly yes?: boolean }, file = ''): Promise<void> {
  const path = pathOf(context, file);
  const here = (await context.placeOrNull()) ?? context.place(await context.locateNew(undefined, false));
  await withBackup(context, here, path, async (backup) => {
    const { report } = await withProgress(context, async (progress) =>
      verifyBackup(here, backup, 'backup-restore', progress),
    );
    informOf(context, report);
    await context.confirm(await question(here, backup), flags.yes);
    const done = await restoreBackup(here, backup);
    if (context.json) context.outputJson(done);
    context.inform(`generation ${done.generation} is at ${done.path} now`);
    for (const kept of done.kept) context.inform(`kept: ${kept}`);
  });
}

async function question(here: Place, backup: Backup): Promise<string> {
  const what = `generation ${backup.generation} of ${backup.updated}`;
  const present = await toBeReplaced(here, backup);
  if (present === null) return `put ${what} at ${here.path}?`;
  const { generation } = present;
  const now = generation === null ? 'what is there, no whole vault,' : `generation ${generation}`;
  return `replace ${now} at ${here.path} by ${what}?`;
}
