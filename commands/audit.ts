/** `vault audit`: the log, newest last, and what proves it. */
import { setTimeout as pause } from 'node:timers/promises';
import { UsageError } from '../src/errors.ts';
import { parseMoment } from '../src/lifecycle/time.ts';
import {
  hasNewRecords,
  queryAudit,
  type AuditEntry,
  type AuditQuery,
} from '../src/vault/operations/audit.ts';
import type { Vault } from '../src/vault/vault.ts';
import { auditHead, auditRow, jsonLine, plainLine, syslogLine } from './audit-format.ts';
import { declareAuditProof } from './audit-proof.ts';
import { examples, oneOfWords, wholeNumber, type Declare } from './command.ts';
import type { Context } from './context.ts';

const writers = { table: plainLine, json: jsonLine, syslog: syslogLine } as const;
type Format = keyof typeof writers;

interface AuditFlags {
  readonly name?: string;
  readonly by?: string;
  readonly op?: string;
  readonly since?: string;
  readonly until?: string;
  readonly failed?: boolean;
  readonly last?: number;
  readonly follow?: boolean;
  readonly format?: Format;
}

const defaultLast = 20;
const most = 1_000_000;
const followEveryMs = 250;

export const declareAudit: Declare = (program, act) => {
  const command = program
    .command('audit')
    .description('show the audit log, newest last')
    .enablePositionalOptions()
    .option('--name <name>', 'only what concerned this secret')
    .option('--by <principal>', 'only what this principal did')
    .option('--op <operation>', 'only this operation')
    .option('--since <time>', 'only from this time on; a duration counts back from now')
    .option('--until <time>', 'only up to this time; a duration counts back from now')
    .option('--failed', 'only what failed')
    .option('--last <n>', `how many records (default: ${defaultLast})`, wholeNumber(1, most))
    .option('-f, --follow', 'go on with what is recorded from now on')
    .option(
      '--format <format>',
      'table, json (a record a line) or syslog (RFC 5424)',
      oneOfWords(Object.keys(writers)),
    )
    .action(act<AuditFlags>(runAudit));
  declareAuditProof(command, act);
  return examples(
    command,
    'vault audit',
    'vault audit --name db/password --last 100',
    'vault audit --failed --since 7d --json',
    'vault audit --follow --format syslog | logger --socket …',
    'vault audit verify',
  );
};

/** A duration looks back. */
function moment(context: Context, text: string | undefined): Date | null {
  if (text === undefined) return null;
  const now = context.now();
  const found = parseMoment(text, now);
  return found > now && /^\d+[smhdwy]$/.test(text) ? new Date(2 * now.getTime() - found.getTime()) : found;
}

async function runAudit(context: Context, flags: AuditFlags): Promise<void> {
  const { format = 'table', follow = false } = flags;
  if (context.json && (follow || format !== 'table'))
    throw new UsageError('--json is one array; with --follow, or for collectors, use --format json');
  const query: AuditQuery = {
    last: flags.last ?? defaultLast,
    operation: flags.op ?? null,
    principal: flags.by ?? null,
    environment: context.globals.env ?? null,
    name: flags.name ?? null,
    since: moment(context, flags.since),
    until: moment(context, flags.until),
    failed: flags.failed === true,
  };
  const vault = await context.openVault();
  const { entries, last } = await vault.read('audit', async (scope) => queryAudit(scope, vault.place, query));
  if (context.json) context.outputJson(entries);
  else if (format === 'table') await context.table(auditHead, entries.map(auditRow));
  else show(context, format, entries);
  if (follow) await goOn(context, vault, query, format, last);
}

/** @returns whether anybody still reads */
function show(context: Context, format: Format, entries: readonly AuditEntry[]): boolean {
  return context.output(entries.map(writers[format]).join(''));
}

/** Until nobody reads any more, or somebody interrupts. */
async function goOn(
  context: Context,
  vault: Vault,
  query: AuditQuery,
  format: Format,
  from: number,
): Promise<void> {
  let after = from;
  for (let reads = true; reads;) {
    await pause(followEveryMs);
    if (!hasNewRecords(vault.place, after)) continue;
    const wanted = { ...query, last: most, after };
    const found = await vault.goOnWithLog(async (scope) => queryAudit(scope, vault.place, wanted));
    after = found.last;
    if (found.entries.length > 0) reads = show(context, format, found.entries);
  }
}
