/** `vault trust`: accept the project's `vault.json`, by the hash of its bytes. */
import { join, resolve } from 'node:path';
import { Option } from 'commander';
import { SecretNotFoundError } from '../src/errors.ts';
import { guardedKeys, type Setting } from '../src/config/project-file.ts';
import { configBound } from '../src/config/shape.ts';
import { callerId } from '../src/storage/caller.ts';
import { realFileSystem } from '../src/storage/file-system.ts';
import { projectFileName } from '../src/storage/locate.ts';
import { readOwnFile } from '../src/storage/own-file.ts';
import { acceptedHash, type Acceptance } from '../src/storage/trust-store.ts';
import { renderPairs, safeText } from '../src/terminal/table.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { projectVault, type Project } from './settings.ts';

interface TrustFlags {
  readonly yes?: boolean;
  readonly list?: boolean;
  readonly forget?: string | true;
}

export const declareTrust: Declare = (program, act) => {
  const command = program
    .command('trust')
    .description('accept this project’s vault.json, so that it may choose the vault and providers')
    .option('-y, --yes', 'do not ask')
    .addOption(new Option('--list', 'show what you have accepted').conflicts('forget'))
    .option('--forget [file]', 'take it back, for this project or for a file of the list')
    .action(act<TrustFlags>(runTrust));
  return examples(command, 'vault trust', 'vault trust --list', 'vault trust --forget');
};

async function runTrust(context: Context, flags: TrustFlags): Promise<void> {
  if (flags.list === true) await list(context);
  else if (flags.forget !== undefined) await forget(context, flags.forget);
  else await accept(context, flags.yes);
}

function noProject(context: Context): never {
  throw new SecretNotFoundError(`there is no ${projectFileName} from ${context.host.cwd} upward`, {
    hint: 'run it in the folder of a project that has one',
  });
}

async function accept(context: Context, yes: boolean | undefined): Promise<void> {
  const project = context.settings.project ?? noProject(context);
  const { path, bytes } = project;
  const sha256 = await acceptedHash(bytes);
  const keys = guardedKeys(project.file);
  const trust = keys.length === 0 ? 'trusted' : await context.settings.trustOf(project);
  if (trust === 'trusted') {
    const why = keys.length === 0 ? 'has no key that needs it' : 'is trusted already';
    context.inform(`${safeText(path)} ${why}`);
  } else {
    const asks = yes !== true && context.prompter !== null;
    if (asks || !(context.quiet || context.json)) {
      const shown = renderPairs([['file', path], ['sha256', sha256], ...guardedParts(project)]);
      context.showOnce(shown.replaceAll(/^(?=.)/gm, 'vault: '));
    }
    const again = trust === 'changed' ? ' It has changed since you accepted it.' : '';
    await context.confirm(`let ${safeText(path)} take effect?${again}`, yes);
    // What was shown is what is accepted, whatever has become of the file meanwhile.
    await context.settings.trustStore.accept({ path, sha256, accepted: context.now().toISOString() });
    context.inform(`${safeText(path)} is trusted until it changes`);
  }
  if (context.json) context.outputJson({ file: path, sha256, keys, trusted: true });
}

/** What of a project's file needs the user's word, with all that it says: this is what is agreed to. */
function guardedParts(project: Project): [string, string][] {
  const { providers, chain } = project.file;
  const vault = projectVault(project);
  return [
    ...(vault === null ? [] : [['vault', vault] satisfies [string, string]]),
    ...[...providers].map(([id, { type, settings }]): [string, string] => [
      `provider ${id}`,
      [type, ...[...settings].map(([name, value]) => `${name}=${settingText(value)}`)].join(' '),
    ]),
    ...[...chain].map(([name, ids]): [string, string] => [`chain of ${name}`, ids.join(', ')]),
  ];
}

function settingText(value: Setting): string {
  return JSON.stringify(value instanceof Map ? Object.fromEntries(value) : value);
}

async function forget(context: Context, named: string | true): Promise<void> {
  const { projectPath, trustStore } = context.settings;
  const file = named === true ? (projectPath ?? noProject(context)) : resolve(context.host.cwd, named);
  const forgotten = (await trustStore.forget(file)) || (await trustStore.forget(join(file, projectFileName)));
  context.inform(`${safeText(file)} ${forgotten ? 'is not trusted any more' : 'was not trusted'}`);
  if (context.json) context.outputJson({ file, forgotten });
}

type State = 'trusted' | 'changed' | 'gone';

async function stateOf({ path, sha256 }: Acceptance): Promise<State> {
  try {
    const bytes = readOwnFile(realFileSystem, path, { uid: callerId(), most: configBound });
    if (bytes === null) return 'gone';
    return (await acceptedHash(bytes)) === sha256 ? 'trusted' : 'changed';
  } catch {
    // Whatever it is now, it is not the file that was accepted.
    return 'changed';
  }
}

async function list(context: Context): Promise<void> {
  const accepted = await Promise.all(
    context.settings.trustStore.list().map(async (one) => ({
      file: one.path,
      sha256: one.sha256,
      accepted: one.accepted,
      state: await stateOf(one),
    })),
  );
  if (context.json) {
    context.outputJson(accepted);
    return;
  }
  const rows = accepted.map(({ file, accepted: when, state }) => [file, state, context.day(when)]);
  await context.table(['FILE', 'STATE', 'ACCEPTED'], rows);
}
