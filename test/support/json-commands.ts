/**
 * Which commands have JSON output. A command has either a schema in docs/schemas/ or a line here; a new one is in neither and makes
 * test/unit/json-schemas.test.ts fail. test/e2e/json-output.test.ts wants a run of each that has a schema.
 */
import type { Command } from 'commander';
import { makeProgram } from '../../commands/program.ts';

/** Commands that print nothing of their own with --json, and why. */
export const withoutJson: Readonly<Record<string, string>> = {
  exec: 'standard output is the program’s',
  'audit-checkpoint':
    'a checkpoint is one line of its own format (docs/format.md section 9), printed as it is to be kept',
};

/** Schemas of something else than a command’s output. */
export const otherSchemas: readonly string[] = ['error', 'vault-json', 'config'];

/** Every command that people see, by the name of its schema: `env ls` is `env-ls`. A group that does nothing itself is none. */
export function commandNames(): string[] {
  const nothing = (): void => undefined;
  return namesBelow(
    makeProgram(() => async () => Promise.resolve(), { out: nothing, error: nothing, width: () => 80 }),
    [],
  );
}

function namesBelow(command: Command, above: readonly string[]): string[] {
  const below = command.createHelp().visibleCommands(command);
  return below
    .filter((one) => one.name() !== 'help')
    .flatMap((one) => {
      const words = [...above, one.name()];
      return [...(hasAction(one) ? [words.join('-')] : []), ...namesBelow(one, words)];
    });
}

/** Commander has no other way to tell a command from a group. */
function hasAction(command: Command): boolean {
  return typeof Reflect.get(command, '_actionHandler') === 'function';
}
