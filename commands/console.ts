/** `vault console`: secrets, what is due and the audit trail, on one screen or in plain tables. */
import { IntegrityError } from '../src/errors.ts';
import { ChildKeeper } from '../src/exec/child-keeper.ts';
import { coloursAllowed } from '../src/terminal/style.ts';
import { inputIsTerminal, outputIsTerminal } from '../src/terminal/streams.ts';
import type { ListedName } from '../src/vault/operations/list.ts';
import {
  overviewOf,
  type Attention,
  type Overview,
  type OverviewSecret,
} from '../src/vault/operations/overview.ts';
import { monotonic } from '../src/vault/system-place.ts';
import type { Vault } from '../src/vault/vault.ts';
import { auditHead, auditRow } from './audit-format.ts';
import { examples, type Declare } from './command.ts';
import { ConsoleVault, spoiledText } from './console-vault.ts';
import type { Context } from './context.ts';

const plainLast = 20;

export const declareConsole: Declare = (program, act) => {
  const command = program
    .command('console')
    .description(
      'look at secrets, what is due and the audit trail on one screen; plain tables without a terminal',
    )
    .action(act(runConsole));
  command.addHelpText(
    'after',
    '\nAll environments that you can open, or one with --env. Values are masked; `?` on the screen tells the keys. Showing, copying and\nrotating are on record as by `vault get` and `vault rotate`.',
  );
  return examples(command, 'vault console', 'vault console -e production', 'vault console --json');
};

async function runConsole(context: Context): Promise<void> {
  const vault = await context.openVault();
  if (context.json || !hasScreen(context)) {
    await showPlain(context, vault);
    return;
  }
  const keeper = new ChildKeeper('nothing');
  context.keepChildren(keeper);
  const source = new ConsoleVault(context, vault, keeper);
  const first = await source.load(true);
  const { runSession } = await import('../src/terminal/console/session.ts');
  await runSession(first, source, {
    input: process.stdin,
    output: process.stdout,
    colours: coloursAllowed(context.host.env, context.globals.color !== false),
    monotonic,
    wallClock: () => context.now().getTime(),
    divert: (to) => {
      context.divert(to);
    },
  });
}

/** Whether there is a person at a terminal that can show a screen and take it back. */
function hasScreen(context: Context): boolean {
  const kind = context.variable('TERM') ?? '';
  const known = process.platform === 'win32' || (kind !== '' && kind !== 'dumb');
  return known && context.globals.input !== false && inputIsTerminal() && outputIsTerminal();
}

async function showPlain(context: Context, vault: Vault): Promise<void> {
  const spoiled: ListedName[] = [];
  const options = { environment: context.globals.env ?? null, name: null, last: plainLast };
  const overview = await vault.read('console', async (scope) =>
    overviewOf(scope, vault.place, options, (secret) => spoiled.push(secret)),
  );
  if (context.json) context.outputJson(overview);
  else await tables(context, overview);
  if (spoiled.length > 0)
    throw new IntegrityError(spoiledText(context, spoiled), { hint: '`vault verify` says more' });
}

async function tables(context: Context, { secrets, due, audit }: Overview): Promise<void> {
  const head = ['NAME', 'ENVIRONMENT', 'TYPE', 'VERSION', 'UPDATED', 'EXPIRES', 'DUE'];
  await context.table(head, secrets.map(secretRow(context)));
  context.output('\n');
  if (due.length === 0) context.output('nothing is due, and nothing expires within 30 days\n');
  else await context.table(['STATE', 'SINCE', 'NAME', 'ENVIRONMENT'], due.map(dueRow(context)));
  context.output('\n');
  await context.table(auditHead, audit.map(auditRow));
}

const secretRow =
  (context: Context) =>
  ({ name, environment, type, version, updated, expires, due }: OverviewSecret): string[] => [
    name,
    environment,
    type,
    String(version),
    context.day(updated),
    expires === null ? '-' : context.day(expires),
    due === null ? '-' : context.day(due),
  ];

const dueRow =
  (context: Context) =>
  ({ name, environment, state, time }: Attention): string[] => [state, context.day(time), name, environment];
