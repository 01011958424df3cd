/** `vault audit verify`, `checkpoint`, `prune` and `who-saw`: what proves the log, and what it proves. */
import { resolve } from 'node:path';
import { AuditFault } from '../src/audit/fault.ts';
import { UsageError } from '../src/errors.ts';
import { parseMoment } from '../src/lifecycle/time.ts';
import { checkpoint, proveLog, type LogProof } from '../src/vault/operations/audit-proof.ts';
import { pruneLog } from '../src/vault/operations/audit-prune.ts';
import { whoSaw, type Sighting } from '../src/vault/operations/who-saw.ts';
import type { Command } from 'commander';
import { collect, examples, wholeNumber, type Act } from './command.ts';
import type { Context } from './context.ts';

const checkpointsBound = 1024 * 1024;

interface VerifyFlags {
  readonly checkpoint?: readonly string[];
  readonly archive?: readonly string[];
}

interface PruneFlags {
  readonly before?: string;
  readonly archive?: string;
  readonly yes?: boolean;
}

export function declareAuditProof(audit: Command, act: Act): void {
  examples(
    audit
      .command('verify')
      .description(
        'prove the audit log: every signature, hash and number; name the first record that is wrong',
      )
      .option(
        '--checkpoint <file>',
        'hold it against a checkpoint that was kept elsewhere (repeatable)',
        collect,
      )
      .option('--archive <file>', 'begin with what was pruned, oldest archive first (repeatable)', collect)
      .action(act<VerifyFlags>(runVerify)),
    'vault audit verify',
    'vault audit verify --checkpoint /mnt/safe/vault.checkpoint',
  );
  examples(
    audit
      .command('checkpoint')
      .description('print a signed word on where vault and log stand, to be kept elsewhere')
      .option('--out <file>', 'write it to a file')
      .action(act<{ readonly out?: string }>(runCheckpoint)),
    'vault audit checkpoint --out /mnt/safe/vault.checkpoint',
  );
  examples(
    audit
      .command('prune')
      .description('remove old records, within the policy (audit.days); a signed summary stands for them')
      .option(
        '--before <time>',
        'records before this time; a duration counts back from now (default: as the policy allows)',
      )
      .option('--archive <file>', 'keep what is removed in a new file')
      .option('-y, --yes', 'do not ask')
      .action(act<PruneFlags>(runPrune)),
    'vault audit prune --before 2y --archive audit-2024.jsonl',
  );
  examples(
    audit
      .command('who-saw')
      .description('who received a value, or brought it: when, where, by which program or job')
      .argument('<name>', 'name of the secret')
      .option('--version <n>', 'only this version', wholeNumber(1, Number.MAX_SAFE_INTEGER))
      .action(act<{ readonly version?: number }>(runWhoSaw)),
    'vault audit who-saw db/password -e production',
    'vault audit who-saw db/password --version 3 --json',
  );
}

async function runVerify(context: Context, flags: VerifyFlags): Promise<void> {
  const checkpoints = (flags.checkpoint ?? []).flatMap((path) => linesOf(context, path));
  const archives = (flags.archive ?? []).map((path) => resolve(context.host.cwd, path));
  const vault = await context.openVault();
  const progress = context.progress();
  try {
    const proof = await vault.read('audit-verify', async (scope) =>
      proveLog(scope, vault.place, {
        known: vault.rememberedLog,
        checkpoints,
        archives,
        progress: (records) => {
          progress.show(`${records} records`);
        },
      }),
    );
    progress.end();
    showProof(context, proof);
  } catch (error) {
    progress.end();
    if (context.json && error instanceof AuditFault)
      context.outputJson({ holds: false, fault: error.fault, proven: error.proven });
    throw error;
  }
}

/** Lines of a file of checkpoints, without their LFs. */
function linesOf(context: Context, path: string): Uint8Array<ArrayBuffer>[] {
  const text = Buffer.from(context.readFile(path, checkpointsBound)).toString('utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length === 0) throw new UsageError(`${path} has no checkpoint`);
  return lines.map((line) => Uint8Array.from(Buffer.from(line)));
}

function showProof(context: Context, proof: LogProof | null): void {
  if (context.json) {
    context.outputJson(proof === null ? { holds: true, records: 0 } : { holds: true, ...proof });
    return;
  }
  if (proof === null) {
    context.inform('there is no audit log here yet');
    return;
  }
  const { records, first, last, proven, unsealed, pruned, checkpoints } = proof;
  const sealed =
    proven === null ? 'nothing of it is signed' : `sealed by record ${proven.sequence} of ${proven.time}`;
  context.inform(`the audit log holds: ${records} records, ${first} to ${last}, ${sealed}`);
  if (unsealed > 0) context.inform(`${unsealed} after it are failed unlocks, which the next record seals`);
  if (pruned > 0) context.inform(`records up to ${pruned} were removed by an administrator`);
  if (checkpoints > 0)
    context.inform(`it goes on from ${checkpoints === 1 ? 'the checkpoint' : `${checkpoints} checkpoints`}`);
}

async function runCheckpoint(context: Context, { out }: { readonly out?: string }): Promise<void> {
  const vault = await context.openVault();
  const line = await checkpoint(vault);
  if (out === undefined) context.output(line);
  else context.writeFile(out, Uint8Array.from(Buffer.from(line)));
}

async function runPrune(context: Context, flags: PruneFlags): Promise<void> {
  const before = flags.before === undefined ? null : past(context, flags.before);
  const archive = flags.archive === undefined ? null : resolve(context.host.cwd, flags.archive);
  const vault = await context.openVault();
  const until = before === null ? 'as the policy allows' : `before ${context.moment(before.toISOString())}`;
  const kept = archive === null ? ', and keep no copy of them' : '';
  await context.confirm(`remove audit records ${until}${kept}?`, flags.yes);
  const known = vault.rememberedLog;
  const report = await vault.write('audit-prune', async (scope) =>
    pruneLog(scope, vault.place, { before, archive, known }),
  );
  if (context.json) context.outputJson(report);
  const { removed, first, last } = report;
  if (removed === 0) context.inform('no record is that old');
  else
    context.inform(
      `${removed} records removed, ${first} to ${last}${archive === null ? '' : `; kept in ${archive}`}`,
    );
}

function past(context: Context, text: string): Date {
  const now = context.now();
  const found = parseMoment(text, now);
  return /^\d+[smhdwy]$/.test(text) ? new Date(2 * now.getTime() - found.getTime()) : found;
}

async function runWhoSaw(context: Context, flags: { readonly version?: number }, name = ''): Promise<void> {
  const vault = await context.openVault();
  const options = { environment: context.globals.env ?? null, name, version: flags.version ?? null };
  const all = await vault.read('audit-who-saw', async (scope) => whoSaw(scope, vault.place, options));
  if (context.json) {
    context.outputJson(all);
    return;
  }
  if (all.length === 0) context.inform(`by this log, nobody received or brought ${context.shown(name)}`);
  else
    await context.table(
      ['BY', 'HOW', 'ENVIRONMENT', 'VERSIONS', 'TIMES', 'FIRST', 'LAST', 'FROM', 'PROGRAM', 'JOB'],
      all.map((one) => sightingRow(context, one)),
    );
}

function sightingRow(context: Context, one: Sighting): string[] {
  const { user, host, address, program, session } = one.context;
  return [
    one.principal,
    `${one.how} (${one.operations.join(', ')})`,
    one.environment,
    one.versions.join(', '),
    String(one.times),
    context.moment(one.first),
    context.moment(one.last),
    `${user}@${host}${address === '' ? '' : ` (${address})`}`,
    program,
    // Without a job it says only whether there was a terminal.
    session.includes('=') ? session : '-',
  ];
}
