/**
 * Strict JSON (RFC 8259) of a configuration file, as a tree that knows where everything stands.
 *
 * By a reader of its own, since the engine's cannot be held to what a configuration file needs: a message that says the line and quotes
 * nothing, a name that is given twice as an error, and `__proto__` as a name like any other (members are in a map).
 */
import { UsageError } from '../errors.ts';
import { parseUtf8 } from '../crypto/bytes.ts';

/** A member of an object; `at` is where its name begins. */
export interface Member {
  readonly at: number;
  readonly value: JsonNode;
}

/** `at` is where the value begins. */
export type JsonNode = { readonly at: number } & (
  | { readonly type: 'object'; readonly members: ReadonlyMap<string, Member> }
  | { readonly type: 'array'; readonly items: readonly JsonNode[] }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'number'; readonly value: number }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'null' }
);

const deepest = 16;
const longestShown = 80;

const space = /[ \t\n\r]*/y;
const text = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const word = /true|false|null/y;

const jsonHint = 'it is JSON: names and texts in double quotes, no comments, no comma after the last one';
const lineHint = 'correct that line of the file';

/** A name from a file, as it may stand in a message. */
export function shownKey(name: string): string {
  return JSON.stringify(name.length > longestShown ? `${name.slice(0, longestShown)}…` : name);
}

/** The text of a configuration file, and how to say where in it something is wrong. */
export class ConfigText {
  readonly file: string;
  readonly text: string;

  /** @throws UsageError if the bytes are not UTF-8 */
  constructor(file: string, bytes: Uint8Array) {
    this.file = file;
    try {
      this.text = parseUtf8(bytes);
    } catch {
      throw new UsageError(`${file} is not UTF-8 text`, { hint: jsonHint });
    }
  }

  /** @throws UsageError with file and line; `problem` quotes no value */
  refuse(at: number, problem: string, hint = lineHint): never {
    const line = this.text.slice(0, at).split('\n').length;
    throw new UsageError(`${this.file}, line ${line}: ${problem}`, { hint });
  }
}

/** @throws UsageError with the line, for anything but one JSON value */
export function parseJsonTree(source: ConfigText): JsonNode {
  const { text: all } = source;
  let at = 0;
  const refuse: (place: number, problem: string) => never = (place, problem) =>
    source.refuse(place, problem, jsonHint);

  const take = (token: RegExp): string | null => {
    token.lastIndex = at;
    const found = token.exec(all)?.[0] ?? null;
    at += found?.length ?? 0;
    return found;
  };
  const skip = (mark: string): boolean => {
    take(space);
    if (all[at] !== mark) return false;
    at += 1;
    return true;
  };
  const expect = (mark: string, where: string): void => {
    if (!skip(mark)) refuse(at, `expected ${mark} ${where}`);
  };

  const string = (what: string): string => {
    take(space);
    const start = at;
    const token = take(text);
    if (token === null) refuse(start, `expected ${what} in double quotes`);
    // One string alone; what the engine does with the names of an object does not matter here.
    const value = JSON.parse(token) as string;
    return value.isWellFormed() ? value : refuse(start, `${what} is not valid Unicode`);
  };

  const object = (depth: number): ReadonlyMap<string, Member> => {
    const members = new Map<string, Member>();
    if (skip('}')) return members;
    do {
      take(space);
      const start = at;
      const name = string('a name');
      if (members.has(name)) refuse(start, `${shownKey(name)} is there twice`);
      expect(':', `after the name ${shownKey(name)}`);
      members.set(name, { at: start, value: value(depth) });
    } while (skip(','));
    expect('}', 'or a comma');
    return members;
  };

  const array = (depth: number): readonly JsonNode[] => {
    const items: JsonNode[] = [];
    if (skip(']')) return items;
    do items.push(value(depth));
    while (skip(','));
    expect(']', 'or a comma');
    return items;
  };

  const value = (depth: number): JsonNode => {
    take(space);
    const start = at;
    if (depth > deepest) refuse(start, `it is nested more than ${deepest} deep`);
    if (skip('{')) return { at: start, type: 'object', members: object(depth + 1) };
    if (skip('[')) return { at: start, type: 'array', items: array(depth + 1) };
    if (all[at] === '"') return { at: start, type: 'string', value: string('a text') };
    const digits = take(number);
    if (digits !== null) return { at: start, type: 'number', value: Number(digits) };
    const token = take(word);
    if (token === null) refuse(start, at === all.length ? 'it ends too early' : 'expected a value');
    return token === 'null'
      ? { at: start, type: 'null' }
      : { at: start, type: 'boolean', value: token === 'true' };
  };

  if (all.startsWith('\ufeff')) refuse(0, 'it begins with a byte order mark: save it as plain UTF-8');
  const root = value(1);
  take(space);
  if (at < all.length) refuse(at, 'there is more after the end');
  return root;
}
