/**
 * Asking a person. Prompts go to the terminal itself, so that standard input and output may be pipes while it asks. The echo is off
 * from before the question appears and back on whatever happens.
 */
import { openSync } from 'node:fs';
import { ReadStream, WriteStream } from 'node:tty';
import { InterruptedError } from '../errors.ts';

/** A conversation with the terminal. */
export interface Prompter {
  /** Text that is not echoed. */
  hidden(question: string): Promise<string>;
  confirm(question: string): Promise<boolean>;
}

/** Both ends of the terminal, for one question: the prompt library ends what it was given. */
interface Line {
  readonly input: ReadStream;
  readonly output: WriteStream;
}

const ending = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const endings: ReadonlySet<string> = new Set(['ExitPromptError', 'AbortPromptError']);
const showCursor = '\u001B[?25h';
const terminalPath = process.platform === 'win32' ? '\\\\.\\CON' : '/dev/tty';

function openLine(): Line | null {
  try {
    const input = new ReadStream(openSync(terminalPath, 'r'));
    return { input, output: new WriteStream(openSync(terminalPath, 'w')) };
  } catch {
    return null;
  }
}

/** What the library tells of a key. */
interface Key {
  readonly ctrl?: boolean;
  readonly name?: string;
}

async function ask<T>(question: (line: Line & { readonly signal: AbortSignal }) => Promise<T>): Promise<T> {
  const line = openLine();
  if (line === null) throw new InterruptedError('the terminal has gone');
  const { input, output } = line;
  // A signal at the prompt would leave the terminal without echo and cursor: put both back, then end as the signal would have.
  const onSignal = (signal: NodeJS.Signals): void => {
    input.setRawMode(false);
    output.write(showCursor);
    for (const other of ending) process.off(other, onSignal);
    process.kill(process.pid, signal);
  };
  for (const signal of ending) process.on(signal, onSignal);
  // The end of input (Ctrl-D) would close the line, and the question would never be answered.
  const leave = new AbortController();
  input.on('keypress', (_text: string | undefined, { ctrl, name }: Key) => {
    if (ctrl === true && name === 'd') leave.abort();
  });
  try {
    return await question({ ...line, signal: leave.signal });
  } catch (error) {
    if (error instanceof Error && endings.has(error.name)) throw new InterruptedError();
    throw error;
  } finally {
    for (const signal of ending) process.off(signal, onSignal);
    input.setRawMode(false);
    input.destroy();
    output.destroy();
  }
}

/** @returns `null` where there is no terminal to ask at */
export function openPrompter(): Prompter | null {
  const line = openLine();
  if (line === null) return null;
  line.input.destroy();
  line.output.destroy();
  const theme = { prefix: 'vault:' };
  return {
    hidden: async (message) => {
      const { password } = await import('./questions.ts');
      return ask(async (context) => password({ message, mask: false, toggleMask: false, theme }, context));
    },
    confirm: async (message) => {
      const { confirm } = await import('./questions.ts');
      return ask(async (context) => confirm({ message, default: false, theme }, context));
    },
  };
}
