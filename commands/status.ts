/** `vault status`: health at a glance. */
import { vaultStatus, type VaultStatus } from '../src/vault/operations/status.ts';
import { kdfText } from './kdf-text.ts';
import type { Context } from './context.ts';
import { examples, type Declare } from './command.ts';

/** Keys that are to be changed, and how. */
function showDue(context: Context, status: VaultStatus): void {
  for (const { principal, since } of status.rekeyDue)
    context.output(
      `re-key due: ${principal} removed a credential on ${context.day(since)}; \`vault access reissue\`\n`,
    );
  for (const { name, rekeyDue, keysSince } of status.environments)
    if (rekeyDue && keysSince !== null)
      context.output(`re-key due: ${name} has its keys since ${context.day(keysSince)}; \`vault rekey\`\n`);
  for (const { name, environment, by, since } of status.rotationsUnderWay)
    context.output(
      `rotation under way: ${context.forOutput(name)} in ${environment}, by ${by} since ${context.moment(since)}; \`vault rotate --resume\`\n`,
    );
  for (const name of status.tokensToReissue)
    context.output(`reissue the token of ${name}: a removed administrator may know it\n`);
}

function recordsText({ statistics: { records, sizeBytes } }: VaultStatus): string {
  return `${records} records, ${sizeBytes} bytes`;
}

/** Of the audit log of this place, before this one. */
function operationsText(context: Context, { statistics }: VaultStatus): string {
  const { total, failed, failedUnlocks, last } = statistics;
  const counts = `${total}, of these ${failed} failed (${failedUnlocks} to unlock)`;
  if (last === null) return counts;
  const result = last.success ? '' : ' (failed)';
  return `${counts}; the last: ${last.operation}${result} at ${context.moment(last.time)}`;
}

const heads = ['ENVIRONMENT', 'SECRETS', 'EXPIRED', 'EXPIRING', 'DUE', 'NEVER ROTATED', 'PENDING', 'REMOVED'];
const counted = [
  'secrets',
  'expired',
  'expiringSoon',
  'overdue',
  'neverRotated',
  'pending',
  'removed',
] as const;

/** One row an environment, and their sums where there are several. */
function countRows({ environments }: VaultStatus): string[][] {
  const number = (count: number | null): string => (count === null ? 'no access' : String(count));
  const rows = environments.map((one) => [one.name, ...counted.map((key) => number(one[key]))]);
  const sums = counted.map((key) => environments.reduce((sum, one) => sum + (one[key] ?? 0), 0));
  return rows.length < 2 ? rows : [...rows, ['(all)', ...sums.map(String)]];
}

export const declareStatus: Declare = (program, act) => {
  const command = program
    .command('status')
    .description('show what is in the vault, how it is protected, and how much was done')
    .action(
      act(async (context) => {
        const vault = await context.openVault();
        const status = await vault.read('status', async (scope) =>
          vaultStatus(scope, vault.place, context.globals.env ?? null),
        );
        if (context.json) {
          context.outputJson(status);
          return;
        }
        context.pairs([
          ['vault', status.path],
          ['generation', `${status.generation}, by ${status.updatedBy} at ${context.moment(status.updated)}`],
          ['format', `${status.format}, ${status.cipher}, ${status.sizeBytes} bytes in a ${status.backend}`],
          ['you are', status.principal],
          ['credentials', status.slots.map(kdfText).join(', ')],
          ['audit log', `${status.auditLog}, ${recordsText(status)}`],
          ['operations', operationsText(context, status)],
        ]);
        context.output('\n');
        await context.table(heads, countRows(status));
        showDue(context, status);
      }),
    );
  return examples(command, 'vault status', 'vault status --json');
};
