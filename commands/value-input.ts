/** Where a value comes from: a file, standard input, or a hidden prompt. Never an argument. */
import { UsageError } from '../src/errors.ts';
import type { Context } from './context.ts';

export interface ValueInput {
  readonly file: string | undefined;
  /** Keep a final newline. */
  readonly exact: boolean;
  readonly question: string;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** One final newline of single-line text is `echo`'s, not the value's. Files keep theirs. */
function withoutFinalNewline(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const first = bytes.indexOf(lineFeed);
  if (first < 0 || first !== bytes.length - 1 || bytes.includes(0)) return bytes;
  return bytes.subarray(0, bytes[first - 1] === carriageReturn ? first - 1 : first);
}

/** The value; the caller wipes it. @throws UsageError where there is none to be had */
export async function readValue(context: Context, input: ValueInput): Promise<Uint8Array<ArrayBuffer>> {
  if (input.file !== undefined && input.file !== '-') return context.readFile(input.file);
  if (context.inputIsData || input.file === '-') {
    const bytes = context.readInput();
    return input.exact ? bytes : withoutFinalNewline(bytes);
  }
  const { prompter } = context;
  if (prompter === null) {
    throw new UsageError('no value was given', { hint: 'pipe it in, or use --file or --generate' });
  }
  const text = await prompter.hidden(input.question);
  if (text === '' && !input.exact)
    throw new UsageError('nothing was typed', { hint: 'use --exact to store an empty value' });
  return new Uint8Array(Buffer.from(text, 'utf8'));
}
