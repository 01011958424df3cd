/** Colours, for a person at a terminal only; `--no-color`, `NO_COLOR` and TERM=dumb turn them off. */

export interface Style {
  readonly error: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly heading: (text: string) => string;
}

const plain: Style = { error: (text) => text, warning: (text) => text, heading: (text) => text };

/** @param wanted whether there is a terminal on that stream and nobody declined colours */
export async function styleFor(wanted: boolean): Promise<Style> {
  if (!wanted) return plain;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  // Of one text each: chalk joins all that it is handed, and `map` hands over more.
  return {
    error: (text) => chalk.red(text),
    warning: (text) => chalk.yellow(text),
    heading: (text) => chalk.bold(text),
  };
}

/** Whether the environment allows colours. */
export function coloursAllowed(
  environment: Readonly<Record<string, string | undefined>>,
  flag: boolean,
): boolean {
  return flag && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
}
