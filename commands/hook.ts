/** `vault hook`: what rotates secrets where they are used, stored under an id that secrets name. docs/rotation.md. */
import { UsageError } from '../src/errors.ts';
import { hookCommands, type HookDefinition, type ReadyHook } from '../src/format/hook.ts';
import { readyHooks } from '../src/format/ready-hooks.ts';
import { attachHook, removeHook, setHook } from '../src/vault/operations/hook-changes.ts';
import { listHooks } from '../src/vault/operations/hooks.ts';
import { renderPairs } from '../src/terminal/table.ts';
import { collectPairs, examples, group, oneOfWords, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { findPolicyHook, hookHash, isTrusted, needsTrust, trustKey, type FoundHook } from './hook-choice.ts';

interface SetFlags {
  readonly use?: ReadyHook;
  readonly set?: Map<string, string>;
  readonly command?: string;
  readonly apply?: string;
  readonly check?: string;
  readonly undo?: string;
  readonly retire?: string;
}

const readyIds = Object.keys(readyHooks);

export const declareHook: Declare = (program, act) => {
  const command = group(program, 'hook', 'stored hooks: what rotates secrets where they are used');
  command
    .command('ls')
    .description('list the hooks that secrets of an environment can have')
    .action(act(list));
  command
    .command('show')
    .description('show what a hook does')
    .argument('<id>', 'id of the hook')
    .action(act(show));
  command
    .command('set')
    .description('store a hook in the policy of an environment, in place of one of the same id')
    .argument('<id>', 'letters, digits, . _ and -')
    .option('--use <hook>', `one that the program brings: ${readyIds.join(', ')}`, oneOfWords(readyIds))
    .option('--set <name=value>', 'a setting of it; may be given again', collectPairs)
    .option('--command <command>', 'prints a new value')
    .option('--apply <command>', 'brings the new value to where it is used')
    .option('--check <command>', 'sees whether it works there')
    .option('--undo <command>', 'brings the old value back')
    .option('--retire <command>', 'lets the old value go, once the new one is current and its grace is over')
    .action(act<SetFlags>(store));
  command
    .command('rm')
    .description('remove a hook from the policy of an environment')
    .argument('<id>', 'id of the hook')
    .action(act(remove));
  command
    .command('use')
    .description('have secrets rotated by a hook; the id `none` takes that back')
    .argument('<id>', 'id of the hook, or none')
    .argument('<name...>', 'names of secrets')
    .action(act(use));
  command
    .command('trust')
    .description('accept a hook as it is, to be run from this machine')
    .argument('<id>', 'id of the hook')
    .option('-y, --yes', 'do not ask')
    .option('--forget', 'take it back')
    .action(act<TrustFlags>(trust));
  const settings = Object.entries(readyHooks).map(
    ([id, known]) =>
      `  ${id}\n${Object.entries(known)
        .map(([name, one]) => `    ${name.padEnd(8)} ${one.meaning}${one.required ? '' : ' (optional)'}`)
        .join('\n')}`,
  );
  command.addHelpText(
    'after',
    `\nHooks that the program brings, and their settings:\n${settings.join('\n')}`,
  );
  return examples(
    command,
    'vault hook set app-db --use postgres --set host=db.internal --set roles=app',
    'vault hook set pair --use postgres-alternating --set host=db.internal --set admin=db/admin --set roles=app_a,app_b',
    "vault hook set smtp --apply './set-password' --check './try-login'",
    'vault hook use app-db db/app && vault rotate db/app --grace 24h',
  );
};

/** What it does, for people: settings or commands, a line each. */
function partsOf(definition: HookDefinition): [string, string][] {
  if (definition.use !== null) return [['use', definition.use], ...definition.settings];
  const { commands } = definition;
  return hookCommands.flatMap((name) => {
    const command = commands[name];
    return command === undefined ? [] : [[name, command] satisfies [string, string]];
  });
}

async function list(context: Context): Promise<void> {
  const vault = await context.openVault();
  const stored = await vault.read('hook-ls', async (scope) =>
    (await listHooks(scope, context.environment)).map((hook) => ({
      ...hook,
      key: trustKey(context, scope.document.vaultId, hook),
    })),
  );
  const { hooks } = context.settings;
  const found: [string, FoundHook][] = [
    ...[...hooks].map(([id, definition]): [string, FoundHook] => [
      id,
      { definition, origin: 'your configuration', key: null },
    ]),
    ...stored.map(({ id, definition, key }): [string, FoundHook] => [
      id,
      { definition, origin: 'policy', key },
    ]),
  ];
  const rows = await Promise.all(
    found.map(async ([id, hook]) => ({
      id,
      from: hook.origin,
      does:
        hook.definition.use ??
        partsOf(hook.definition)
          .map(([name]) => name)
          .join(' '),
      trusted: !needsTrust(hook) || (await isTrusted(context, hook)),
    })),
  );
  if (context.json) context.outputJson(rows);
  else if (rows.length === 0) context.inform('no hook is stored here: `vault hook set --help`');
  else
    await context.table(
      ['ID', 'FROM', 'DOES', ''],
      rows.map(({ id, from, does, trusted }) => [id, from, does, trusted ? '' : 'not accepted yet']),
    );
}

/** Where its commands run, for people. */
function runsIn({ projectFolder }: Context, { use: ready }: HookDefinition): [string, string][] {
  return ready === null && projectFolder !== undefined ? [['runs in', projectFolder]] : [];
}

async function show(context: Context, _flags: unknown, id = ''): Promise<void> {
  const vault = await context.openVault();
  const found = await vault.read('hook-show', async () =>
    findPolicyHook(context, vault, context.environment, id),
  );
  const sha256 = await hookHash(found.definition);
  const trusted = !needsTrust(found) || (await isTrusted(context, found));
  const parts = partsOf(found.definition);
  if (context.json)
    context.outputJson({ id, from: found.origin, trusted, sha256, hook: Object.fromEntries(parts) });
  else
    context.pairs([
      ['id', id],
      ['from', found.origin],
      ...parts,
      ...runsIn(context, found.definition),
      ['sha256', sha256],
      ...(trusted ? [] : [['trusted', `no; \`vault hook trust ${id}\` accepts it`] as const]),
    ]);
}

function definitionOf(flags: SetFlags): HookDefinition {
  const { use: ready, set: settings } = flags;
  const commands = Object.fromEntries(
    hookCommands.flatMap((name) => {
      const command = flags[name];
      if (command?.trim() === '') throw new UsageError(`--${name} is empty: there is nothing to run`);
      return command === undefined ? [] : [[name, command]];
    }),
  );
  if (ready === undefined) {
    if (settings !== undefined) throw new UsageError('--set gives settings to the hook of --use: give both');
    return { use: null, commands };
  }
  if (Object.keys(commands).length > 0) throw new UsageError('--use and commands exclude each other');
  return { use: ready, settings: settings ?? new Map<string, string>() };
}

async function store(context: Context, flags: SetFlags, id = ''): Promise<void> {
  const definition = definitionOf(flags);
  const vault = await context.openVault();
  const done = await vault.write('policy-set', async (scope) =>
    setHook(scope, context.environment, id, definition),
  );
  // Whoever stores it has read it.
  await accept(context, trustKey(context, vault.authority.domain.vaultId, done), await hookHash(definition));
  context.inform(`the hook ${id} is stored in ${done.environment}`);
  if (context.json) context.outputJson({ id, environment: done.environment });
}

async function accept(context: Context, key: string, sha256: string): Promise<void> {
  await context.settings.hookTrustStore.accept({ path: key, sha256, accepted: context.now().toISOString() });
}

async function remove(context: Context, _flags: unknown, id = ''): Promise<void> {
  const vault = await context.openVault();
  const names = await vault.write('policy-set', async (scope) => removeHook(scope, context.environment, id));
  context.inform(`the hook ${id} is removed`);
  if (names.length > 0)
    context.warn(`${names.map((name) => context.shown(name)).join(', ')} cannot be rotated without it`);
  if (context.json) context.outputJson({ id, secrets: names });
}

async function use(context: Context, _flags: unknown, id = '', ...names: string[]): Promise<void> {
  const vault = await context.openVault();
  // One that there is: a mistyped id would be found out when it is needed.
  if (id !== 'none') await findPolicyHook(context, vault, context.environment, id);
  const environment = await vault.write('hook-use', async (scope) =>
    attachHook(scope, context.environment, names, id === 'none' ? '' : id),
  );
  const list_ = names.map((name) => context.shown(name)).join(', ');
  context.inform(
    `${list_} in ${environment} ${names.length === 1 ? 'has' : 'have'} ${id === 'none' ? 'no hook' : `the hook ${id}`} now`,
  );
  if (context.json) context.outputJson({ hook: id === 'none' ? null : id, environment, secrets: names });
}

interface TrustFlags {
  readonly yes?: boolean;
  readonly forget?: boolean;
}

async function trust(context: Context, flags: TrustFlags, id = ''): Promise<void> {
  const vault = await context.openVault();
  const found = await vault.read('hook-show', async () =>
    findPolicyHook(context, vault, context.environment, id),
  );
  const { key, definition } = found;
  const sha256 = await hookHash(definition);
  if (key === null || !needsTrust(found))
    context.inform(`the hook ${id} is your own, and needs no acceptance`);
  else if (flags.forget === true) {
    const forgotten = await context.settings.hookTrustStore.forget(key);
    context.inform(`the hook ${id} ${forgotten ? 'is not accepted any more' : 'was not accepted'}`);
  } else if (await isTrusted(context, found)) context.inform(`the hook ${id} is accepted already`);
  else {
    const asks = flags.yes !== true && context.prompter !== null;
    if (asks || !(context.quiet || context.json))
      context.showOnce(
        renderPairs([...partsOf(definition), ...runsIn(context, definition), ['sha256', sha256]]).replaceAll(
          /^(?=.)/gm,
          'vault: ',
        ),
      );
    await context.confirm(`let the hook ${id} do this from here?`, flags.yes);
    // What was shown is what is accepted, whatever stands in the policy meanwhile.
    await accept(context, key, sha256);
    context.inform(`the hook ${id} is accepted until it changes`);
  }
  if (context.json) context.outputJson({ id, sha256, trusted: flags.forget !== true });
}
