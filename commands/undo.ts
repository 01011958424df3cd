/** `vault undo`: the last change taken back. */
import { undoLast, type TakenBack, type Undone } from '../src/vault/operations/undo.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';

interface UndoFlags {
  readonly redo?: boolean;
  readonly dryRun?: boolean;
}

export const declareUndo: Declare = (program, act) => {
  const command = program
    .command('undo')
    .description('take back your last change of secrets here')
    .option('--redo', 'bring back what the last undo took back')
    .option('--dry-run', 'say what would be done, and do nothing')
    .action(act<UndoFlags>(runUndo));
  command.addHelpText(
    'after',
    `
The last put, rm, restore, mv, cp, rotate, rollback or import that you did with this vault on this machine is taken back, all of it or nothing.
Nothing is lost: the value of before is a new version, and what was made is removed, not purged. If somebody has changed one of the
secrets since, nothing happens (exit 8). Access, keys, policy, purges and rotations by hooks are not taken back (exit 2). Of rotate --all
and --due, each environment is a change of its own. With --env, nothing happens unless the change was there.`,
  );
  return examples(command, 'vault undo --dry-run', 'vault undo', 'vault undo --redo');
};

async function runUndo(context: Context, flags: UndoFlags): Promise<void> {
  const vault = await context.openVault();
  const dryRun = flags.dryRun === true;
  const options = { environment: context.globals.env ?? null, redo: flags.redo === true, dryRun };
  const undone = await vault.write('undo', async (scope) => undoLast(scope, vault.place, options));
  if (context.json) context.outputJson({ ...undone, dryRun });
  else context.inform(sentence(context, undone, dryRun));
}

function sentence(context: Context, { operation, time, redo, secrets }: Undone, dryRun: boolean): string {
  const verb = `at ${context.moment(time)} ${dryRun ? 'would be ' : ''}${redo ? 'brought' : 'taken'} back`;
  const environments = [...new Set(secrets.map(({ environment }) => environment))].join(', ');
  const [one, ...more] = secrets;
  if (one === undefined || more.length > 0)
    return `${operation} of ${secrets.length} secrets in ${environments} ${verb}: ${inAll(secrets)}`;
  const name = context.shown(one.renamedFrom ?? one.name);
  return `${operation} of ${name} in ${environments} ${verb}: ${outcome(context, one, dryRun)}`;
}

function outcome(context: Context, one: TakenBack, dryRun: boolean): string {
  const { name, renamedFrom, version, valueOf, metadata, state } = one;
  const [is, has] = dryRun ? ['would be', 'would have'] : ['is', 'has'];
  const parts: string[] = [];
  if (renamedFrom !== null) parts.push(`it ${is} ${context.shown(name)} again`);
  if (valueOf !== null) parts.push(`version ${version} ${has} the value of version ${valueOf}`);
  if (metadata) parts.push(`its metadata ${is} as before`);
  if (state === 'removed') parts.push(`it ${is} removed${dryRun ? '' : '; `vault restore` brings it back'}`);
  if (state === 'restored') parts.push(`it ${is} there again`);
  return parts.join(', ');
}

function inAll(secrets: readonly TakenBack[]): string {
  const count = (which: (one: TakenBack) => boolean): number => secrets.filter(which).length;
  const counts: readonly (readonly [number, string])[] = [
    [count(({ state }) => state === 'removed'), 'removed'],
    [count(({ state }) => state === 'restored'), 'restored'],
    [count(({ state, valueOf }) => state === 'there' && valueOf !== null), 'with the value of before'],
  ];
  return counts.flatMap(([number, what]) => (number === 0 ? [] : [`${number} ${what}`])).join(', ');
}
