/** `vault offboard`: somebody leaves. */
import { UsageError } from '../src/errors.ts';
import { removePrincipal } from '../src/vault/operations/access.ts';
import {
  offboardStatus,
  openTo,
  type OffboardStatus,
  type OpenVersion,
} from '../src/vault/operations/offboard.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';

interface OffboardFlags {
  readonly status?: boolean;
  readonly yes?: boolean;
}

export const declareOffboard: Declare = (program, act) => {
  const command = program
    .command('offboard')
    .description('remove somebody, list what they could open, and track until it is changed')
    .argument('[name]', 'a principal')
    .option('--status', 'what is still to be changed; exit 1 until nothing is')
    .option('-y, --yes', 'do not ask')
    .action(act<OffboardFlags>(runOffboard));
  return examples(
    command,
    'vault offboard ada',
    'vault offboard --status',
    'vault offboard ada --status --json',
  );
};

async function runOffboard(context: Context, flags: OffboardFlags, name?: string): Promise<number> {
  if (flags.status === true) {
    const vault = await context.openVault();
    const status = await vault.read('offboard-status', async (scope) => offboardStatus(scope, name ?? null));
    return showStatus(context, status);
  }
  if (name === undefined) throw new UsageError('who leaves?', { hint: 'vault offboard NAME, or --status' });
  const vault = await context.openVault();
  const versions = await vault.read('offboard', async (scope) => {
    // Asked for by an administrator only: nobody else could go on.
    scope.checkAdministrator();
    return openTo(scope, vault.place, name);
  });
  if (!context.json) await showVersions(context, versions);
  await context.confirm(`remove ${context.shown(name)} from this vault?`, flags.yes);
  const changed = await vault.write('access-rm', async (scope) =>
    Promise.resolve(removePrincipal(scope, name)),
  );
  if (context.json) context.outputJson({ name, rekeyed: changed.rekeyed, versions });
  context.inform(`${context.shown(name)} removed; new keys for ${changed.rekeyed.join(', ') || 'nothing'}`);
  const current = versions.filter((version) => version.current).length;
  if (current > 0)
    context.inform(
      `${current} current ${current === 1 ? 'value is' : 'values are'} to be changed: \`vault offboard --status\``,
    );
  return 0;
}

async function showVersions(context: Context, versions: readonly OpenVersion[]): Promise<void> {
  const rows = versions.map((one) => [
    one.environment,
    one.name,
    one.current ? `${one.version} (current)` : String(one.version),
    one.lastUsed === null ? 'never here' : context.moment(one.lastUsed),
  ]);
  if (rows.length > 0) await context.table(['ENVIRONMENT', 'SECRET', 'VERSION', 'LAST USED BY THEM'], rows);
}

async function showStatus(context: Context, status: OffboardStatus): Promise<number> {
  const open = status.secrets.length + status.tokens.length;
  if (context.json) context.outputJson({ ...status, done: open === 0 });
  else {
    const rows = status.secrets.map((one) => [
      one.principal,
      one.environment,
      one.name,
      String(one.version),
      context.day(one.since),
    ]);
    if (rows.length > 0)
      await context.table(['WAS OPEN TO', 'ENVIRONMENT', 'SECRET', 'VERSION', 'UNTIL'], rows);
    for (const token of status.tokens) context.output(`token of ${context.forOutput(token)}: reissue it\n`);
    if (open === 0) context.inform('nothing is left to be changed');
  }
  return open === 0 ? 0 : 1;
}
