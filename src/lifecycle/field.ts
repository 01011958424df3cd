/** Fields of a structured secret: a value that is JSON, read and changed by a path such as `user`, `hosts.0.name`. */
import { SecretNotFoundError, UsageError } from '../errors.ts';
import { parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

function parseStructured(value: Bytes): Json {
  try {
    return JSON.parse(parseUtf8(value)) as Json;
  } catch {
    // The engine's message quotes the text.
    throw new UsageError('the secret is not structured: its value is not JSON, so it has no fields');
  }
}

const stepsOf = (path: string): string[] => path.split('.');

function child(node: Json | undefined, step: string): Json | undefined {
  if (Array.isArray(node)) return /^(0|[1-9]\d{0,8})$/.test(step) ? node[Number(step)] : undefined;
  // Own members only: `__proto__` and `constructor` are fields like any other, or none.
  return typeof node === 'object' && node !== null && Object.hasOwn(node, step) ? node[step] : undefined;
}

/** The field's text, or its JSON where it is not text; caller wipes. @throws SecretNotFoundError FIELD_NOT_FOUND */
export function readField(value: Bytes, path: string): Bytes {
  let node: Json | undefined = parseStructured(value);
  for (const step of stepsOf(path)) node = child(node, step);
  if (node === undefined)
    throw new SecretNotFoundError(`the secret has no field ${path}`, {}, 'FIELD_NOT_FOUND');
  return utf8((typeof node === 'string' ? node : JSON.stringify(node)).toWellFormed());
}

/** The structured value with one field set to a text; caller wipes. `null` starts a new object. */
export function withField(value: Bytes | null, path: string, text: string): Bytes {
  const root: Json = value === null ? {} : parseStructured(value);
  const steps = stepsOf(path);
  const last = steps.pop() ?? '';
  let node: Json = root;
  for (const step of steps) {
    const next = child(node, step);
    if (next === undefined) node = set(node, step, {});
    else node = next;
  }
  set(node, last, text);
  return utf8(JSON.stringify(root));
}

function set(node: Json, step: string, value: Json): Json {
  if (Array.isArray(node)) {
    if (!/^(0|[1-9]\d{0,5})$/.test(step) || Number(step) > node.length)
      throw new UsageError('the list has no such place');
    node[Number(step)] = value;
  } else if (typeof node === 'object' && node !== null) {
    // defineProperty: an assignment to `__proto__` would lose the field.
    Object.defineProperty(node, step, { value, writable: true, enumerable: true, configurable: true });
  } else throw new UsageError('a part of the path is not an object or a list');
  return value;
}
