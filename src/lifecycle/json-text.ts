/**
 * JSON that a person brings: parsed so that numbers keep their spelling and member names are what they say.
 *
 * Two properties of the engine are worked around. Numbers become doubles, so that 12345678901234567890 would come back as another one:
 * they are kept as raw text. And V8 14.6 may read a member name that has an escape as another one that it has seen (nodejs/node issue
 * 63785): names are written without escapes before they are parsed, and refused where that cannot be done.
 */
import { UsageError } from '../errors.ts';

/** Source text access of ECMAScript (JSON.rawJSON), which the type library does not know yet. */
interface JsonWithSource {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
}

const json = JSON as unknown as JsonWithSource;
/**
 * Every string of a JSON text, with the colon that makes it a name. Outside of strings there are no quotes. One that does not end is taken to
 * the end of the text, or each of its quotes would be tried as the start of another.
 */
const strings = /"(?:[^"\\]|\\.)*(?:"(?<colon>\s*:)?|\\?$)/gsu;

function withoutEscapes(text: string): string {
  return text.replace(strings, (token: string, colon: string | undefined) => {
    if (colon === undefined || !token.includes('\\')) return token;
    const name = JSON.stringify(JSON.parse(token.slice(0, token.length - colon.length)));
    if (name.includes('\\')) {
      throw new UsageError(
        'a member name with a quote, a backslash or a control character cannot be read here',
      );
    }
    return name + colon;
  });
}

/**
 * Parse; numbers are raw (see `isRawNumber`). @throws UsageError whose message quotes nothing: `what` says what was to be JSON
 */
export function parseJsonText(text: string, what: string): unknown {
  try {
    return json.parse(withoutEscapes(text), (_, value, { source }) =>
      typeof value === 'number' && source !== undefined ? json.rawJSON(source) : value,
    );
  } catch (error) {
    if (error instanceof UsageError) throw error;
    // The engine's message quotes the text. Too deep a nesting ends here as well.
    throw new UsageError(`${what} is not JSON`);
  }
}

export function isRawNumber(value: unknown): boolean {
  return json.isRawJSON(value);
}

/** The text of a parsed value. @throws UsageError if it is nested too deeply */
export function encodeJsonText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new UsageError('the value is nested too deeply', { cause });
  }
}
