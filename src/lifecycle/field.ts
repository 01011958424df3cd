/**
 * Fields of a structured secret: a value that is JSON, read and changed by a path such as `user`, `hosts.0.name`.
 *
 * Numbers keep their spelling: what was stored as 12345678901234567890 or 1.0 comes back as that, also beside a changed field.
 */
import { SecretNotFoundError, UsageError } from '../errors.ts';
import { parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';

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

function parseStructured(value: Bytes): unknown {
  try {
    return json.parse(parseUtf8(value), (_, part, { source }) =>
      typeof part === 'number' && source !== undefined ? json.rawJSON(source) : part,
    );
  } catch {
    // The engine's message quotes the text. Too deep a nesting ends here as well.
    throw new UsageError('the secret is not structured: its value is not JSON, so it has no fields');
  }
}

function encodeStructured(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new UsageError('the secret is nested too deeply', { cause });
  }
}

const stepsOf = (path: string): string[] => path.split('.');
const listPlace = /^(0|[1-9]\d{0,5})$/u;

type Container = unknown[] | Record<string, unknown>;

function isContainer(node: unknown): node is Container {
  return typeof node === 'object' && node !== null && !json.isRawJSON(node);
}

function child(node: unknown, step: string): unknown {
  if (!isContainer(node)) return undefined;
  if (Array.isArray(node)) return listPlace.test(step) ? node[Number(step)] : undefined;
  // Own members only: `__proto__` and `constructor` are fields like any other, or none.
  return Object.hasOwn(node, step) ? node[step] : undefined;
}

/** The field's text, or its JSON where it is not text; caller wipes. @throws SecretNotFoundError FIELD_NOT_FOUND */
export function readField(value: Bytes, path: string): Bytes {
  let node = parseStructured(value);
  for (const step of stepsOf(path)) node = child(node, step);
  if (node === undefined) {
    throw new SecretNotFoundError(`the secret has no field ${JSON.stringify(path)}`, {}, 'FIELD_NOT_FOUND');
  }
  return utf8((typeof node === 'string' ? node : encodeStructured(node)).toWellFormed());
}

/** The structured value with one field set to a text; caller wipes. `null` starts a new object. */
export function withField(value: Bytes | null, path: string, text: string): Bytes {
  const root = value === null ? {} : parseStructured(value);
  const steps = stepsOf(path);
  const last = steps.pop() ?? '';
  let node: unknown = root;
  for (const step of steps) node = child(node, step) ?? set(node, step, {});
  set(node, last, text);
  return utf8(encodeStructured(root));
}

function set(node: unknown, step: string, value: unknown): unknown {
  if (!isContainer(node)) throw new UsageError('a part of the path is not an object or a list');
  if (Array.isArray(node)) {
    if (!listPlace.test(step) || Number(step) > node.length)
      throw new UsageError('the list has no such place');
    node[Number(step)] = value;
    return value;
  }
  // defineProperty: an assignment to `__proto__` would lose the field.
  Object.defineProperty(node, step, { value, writable: true, enumerable: true, configurable: true });
  return value;
}
