/** How a command is declared: its options on a commander command, and one function that runs with a context. */
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { Context, GlobalOptions } from './context.ts';

/** Runs a command. A number that it returns is the exit status. */
export type Run<O> = (context: Context, options: O & GlobalOptions, ...args: string[]) => Promise<unknown>;

/** Hands a command's action to whoever made the program: it knows the process, builds the context and maps errors. */
export type Act = <O>(run: Run<O>) => (this: Command, ...args: unknown[]) => Promise<void>;

export type Declare = (program: Command, act: Act) => Command;

const globalGroup = 'Global options:';

/** The options that every command has, also before the command's name. */
export function addGlobalOptions(command: Command): Command {
  const options = [
    new Option('--vault <file>', 'the vault file, or the folder it is in'),
    new Option('-e, --env <environment>', 'environment (default: the vault’s own)'),
    new Option('--as <principal>', 'who you are, where the credential does not say'),
    new Option('--key-file <file>', 'second factor beside the passphrase'),
    new Option('--json', 'output for scripts; errors as one JSON object'),
    new Option('-q, --quiet', 'no messages beside errors and warnings'),
    new Option('--no-input', 'never ask; fail instead'),
    new Option('--no-color', 'no colours'),
    new Option('--debug', 'show where an error came from'),
  ];
  for (const option of options) command.addOption(option.helpGroup(globalGroup));
  return command;
}

export function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most))
      throw new InvalidArgumentError(`a whole number from ${least} to ${most}.`);
    return value;
  };
}

export function oneOfWords(words: readonly string[]) {
  return (text: string): string => {
    if (!words.includes(text)) throw new InvalidArgumentError(`one of ${words.join(', ')}.`);
    return text;
  };
}

/** Collects the values of an option that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** `KEY=VALUE`, several times, as a map. */
export function collectPairs(
  text: string,
  before: ReadonlyMap<string, string> | undefined,
): Map<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('KEY=VALUE.');
  return new Map(before).set(text.slice(0, at), text.slice(at + 1));
}

/** Examples below a command's help. */
export function examples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`);
}

/** A command that only groups others. Without one of them it shows its help. */
export function group(program: Command, name: string, description: string): Command {
  return program.command(name).description(description).enablePositionalOptions();
}

/** Every command below a command, itself included. */
export function* withSubcommands(command: Command): Generator<Command> {
  yield command;
  for (const sub of command.commands) yield* withSubcommands(sub);
}

/** Words with commas between them. */
export function listed(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
