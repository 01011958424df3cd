/** `vault show` and `vault history`: what can be told of a secret but its value. */
import { durationText } from '../src/lifecycle/time.ts';
import { lastUse } from '../src/vault/operations/last-use.ts';
import { showSecret } from '../src/vault/operations/history.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { parseReference } from './reference.ts';

export const declareShow: Declare = (program, act) => {
  const command = program
    .command('show')
    .description('show a secret’s metadata and versions, never the value')
    .argument('<name>', 'name of the secret')
    .action(act(runShow));
  return examples(command, 'vault show db/password');
};

export const declareHistory: Declare = (program, act) => {
  const command = program
    .command('history')
    .description('list the versions of a secret that are kept')
    .argument('<name>', 'name of the secret')
    .action(act(runHistory));
  return examples(command, 'vault history db/password', 'vault get db/password --version 3');
};

async function runShow(context: Context, _flags: unknown, named = ''): Promise<void> {
  const { name, environment } = parseReference(named, context.environment);
  const vault = await context.openVault();
  const { info, versions, purgedThrough, due, used } = await vault.read('show', async (scope) => ({
    ...(await showSecret(scope, environment, name)),
    used: await lastUse(scope, vault.place, environment, name),
  }));
  if (context.json) {
    context.outputJson({ ...info, due, lastUsed: used, versions, purgedThrough });
    return;
  }
  const tags = Object.entries(info.tags).map(([key, value]) => `${key}=${value}`);
  const every = info.rotateEverySeconds;
  context.pairs([
    ['name', info.name],
    ['environment', info.environment],
    ['type', info.type],
    ...(info.description === '' ? [] : [['description', info.description] as const]),
    ...(tags.length === 0 ? [] : [['tags', tags.join(' ')] as const]),
    ...(info.variable === null ? [] : [['variable', info.variable] as const]),
    ['version', `${info.version} (${versions.length} kept)`],
    ...versions
      .filter(({ state }) => state === 'pending')
      .map(
        ({ version, author }) =>
          ['under way', `version ${version}, by ${author}; \`vault rotate --resume\``] as const,
      ),
    ['created', context.moment(info.created)],
    ['updated', context.moment(info.updated)],
    ['expires', info.expires === null ? 'never' : context.moment(info.expires)],
    [
      'last used',
      used === null ? 'not in this log' : `${context.moment(used.time)} by ${used.by} (${used.operation})`,
    ],
    ['rotations', String(info.rotations)],
    ...(info.graceUntil === null || info.graceUntil <= context.now().toISOString()
      ? []
      : [['previous', `in use until ${context.moment(info.graceUntil)}`] as const]),
    ...(every === null ? [] : [['rotate every', durationText(every)] as const]),
    ...(due === null ? [] : [['due', context.moment(due)] as const]),
    ...(info.hook === null ? [] : [['hook', info.hook] as const]),
    ['value', `not shown; \`vault get\` prints it`],
  ]);
}

async function runHistory(context: Context, _flags: unknown, named = ''): Promise<void> {
  const { name, environment } = parseReference(named, context.environment);
  const vault = await context.openVault();
  const { info, versions, purgedThrough } = await vault.read('history', async (scope) =>
    showSecret(scope, environment, name),
  );
  if (context.json) {
    context.outputJson({ name: info.name, environment: info.environment, versions, purgedThrough });
    return;
  }
  const rows = versions.map((version) => [
    `${version.version}${version.current ? ' *' : ''}`,
    context.moment(version.time),
    version.author,
    version.operation,
    version.state === 'live' ? '' : version.state,
  ]);
  await context.table(['VERSION', 'TIME', 'BY', 'OPERATION', ''], rows);
  if (purgedThrough > 0) context.inform(`versions up to ${purgedThrough} are purged`);
}
