/** `vault audit`: the log, newest last. */
import { parseMoment } from '../src/lifecycle/time.ts';
import { queryAudit, type AuditEntry } from '../src/vault/operations/audit.ts';
import { examples, wholeNumber, type Declare } from './command.ts';
import type { Context } from './context.ts';

interface AuditFlags {
  readonly name?: string;
  readonly by?: string;
  readonly op?: string;
  readonly since?: string;
  readonly failed?: boolean;
  readonly last?: number;
}

const defaultLast = 20;

export const declareAudit: Declare = (program, act) => {
  const command = program
    .command('audit')
    .description('show the audit log, newest last')
    .option('--name <name>', 'only what concerned this secret')
    .option('--by <principal>', 'only what this principal did')
    .option('--op <operation>', 'only this operation')
    .option('--since <time>', 'only from this time on; a duration counts back from now')
    .option('--failed', 'only what failed')
    .option('--last <n>', `how many records (default: ${defaultLast})`, wholeNumber(1, 1_000_000))
    .action(act<AuditFlags>(runAudit));
  return examples(
    command,
    'vault audit',
    'vault audit --name db/password --last 100',
    'vault audit --failed --since 7d --json',
  );
};

function since(context: Context, text: string | undefined): Date | null {
  if (text === undefined) return null;
  const now = context.now();
  const moment = parseMoment(text, now);
  // A duration here looks back.
  return moment > now && /^\d+[smhdwy]$/.test(text) ? new Date(2 * now.getTime() - moment.getTime()) : moment;
}

async function runAudit(context: Context, flags: AuditFlags): Promise<void> {
  const vault = await context.openVault();
  const query = {
    last: flags.last ?? defaultLast,
    operation: flags.op ?? null,
    principal: flags.by ?? null,
    environment: context.globals.env ?? null,
    name: flags.name ?? null,
    since: since(context, flags.since),
    failed: flags.failed === true,
  };
  const entries = await vault.read('audit', async (scope) => queryAudit(scope, vault.place, query));
  if (context.json) {
    context.outputJson(entries);
    return;
  }
  const rows = entries.map((entry) => [
    String(entry.sequence),
    context.moment(entry.time),
    entry.principal ?? '-',
    entry.operation,
    entry.success ? 'ok' : (entry.code ?? 'failed'),
    entry.environment ?? '-',
    secretsText(entry),
    [entry.context?.user, entry.context?.host].filter((part) => part !== undefined && part !== '').join('@'),
  ]);
  await context.table(['#', 'TIME', 'BY', 'OPERATION', 'RESULT', 'ENVIRONMENT', 'SECRET', 'FROM'], rows);
}

const namesShown = 3;

function secretsText(entry: AuditEntry): string {
  const names = entry.secrets.map(
    ({ name, version }) => `${name ?? '(unknown)'}${version === 0 ? '' : ` v${version}`}`,
  );
  const more = names.length > namesShown ? ` and ${names.length - namesShown} more` : '';
  return names.slice(0, namesShown).join(', ') + more;
}
