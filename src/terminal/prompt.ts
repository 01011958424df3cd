/**
 * Asking a person. Prompts go to the terminal itself, so that standard input and output may be pipes while it asks. The echo is off
 * from before the question appears and back on whatever happens.
 */
import { openSync } from 'node:fs';
import { ReadStream, WriteStream } from 'node:tty';
import { InterruptedError } from '../errors.ts';

/** A conversation with the terminal, or `null` where there is none. */
export interface Prompter {
  /** Text that is not echoed. */
  hidden(question: string): Promise<string>;
  confirm(question: string): Promise<boolean>;
  close(): void;
}

const terminalPath = process.platform === 'win32' ? '\\\\.\\CON' : '/dev/tty';

export function openPrompter(): Prompter | null {
  let input: ReadStream;
  let output: WriteStream;
  try {
    input = new ReadStream(openSync(terminalPath, 'r'));
    output = new WriteStream(openSync(terminalPath, 'w'));
  } catch {
    return null;
  }
  const ask = async <T>(
    question: (context: { input: ReadStream; output: WriteStream }) => Promise<T>,
  ): Promise<T> => {
    try {
      return await question({ input, output });
    } catch (error) {
      if (error instanceof Error && error.name === 'ExitPromptError') throw new InterruptedError();
      throw error;
    }
  };
  return {
    hidden: async (question) => {
      const { password } = await import('@inquirer/prompts');
      return ask(async (context) =>
        password({ message: question, mask: false, toggleMask: false, theme: plain }, context),
      );
    },
    confirm: async (question) => {
      const { confirm } = await import('@inquirer/prompts');
      return ask(async (context) => confirm({ message: question, default: false, theme: plain }, context));
    },
    close: () => {
      input.setRawMode(false);
      input.destroy();
      output.destroy();
    },
  };
}

const plain = { prefix: 'vault:' };
