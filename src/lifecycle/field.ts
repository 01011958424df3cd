/**
 * Fields of a structured secret: a value that is JSON, read and changed by a path such as `user`, `hosts.0.name`.
 *
 * Numbers keep their spelling: what was stored as 12345678901234567890 or 1.0 comes back as that, also beside a changed field.
 */
import { SecretNotFoundError, UsageError } from '../errors.ts';
import { parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';
import { encodeJsonText, isRawNumber, parseJsonText } from './json-text.ts';

/** @throws UsageError for what is not UTF-8 */
export function readText(value: Bytes): string {
  try {
    return parseUtf8(value);
  } catch {
    throw new UsageError('the value of the secret is not text');
  }
}

function parseStructured(value: Bytes): unknown {
  return parseJsonText(readText(value), 'the value of the secret');
}

const stepsOf = (path: string): string[] => path.split('.');
const listPlace = /^(0|[1-9]\d{0,5})$/u;

type Container = unknown[] | Record<string, unknown>;

function isContainer(node: unknown): node is Container {
  return typeof node === 'object' && node !== null && !isRawNumber(node);
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
  return utf8((typeof node === 'string' ? node : encodeJsonText(node)).toWellFormed());
}

/** Members of a value that is a JSON object; numbers are raw (json-text.ts). @throws UsageError for any other value */
export function readMembers(value: Bytes): ReadonlyMap<string, unknown> {
  const root = parseStructured(value);
  if (!isContainer(root) || Array.isArray(root))
    throw new UsageError('the value of the secret is not a JSON object');
  return new Map(Object.entries(root));
}

/** Whether a value is a JSON object. */
export function hasMembers(value: Bytes): boolean {
  try {
    readMembers(value);
    return true;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

/** The structured value with one field set to a text; caller wipes. `null` starts a new object. */
export function withField(value: Bytes | null, path: string, text: string): Bytes {
  const root = value === null ? {} : parseStructured(value);
  const steps = stepsOf(path);
  const last = steps.pop() ?? '';
  let node: unknown = root;
  for (const step of steps) node = child(node, step) ?? set(node, step, {});
  set(node, last, text);
  return utf8(encodeJsonText(root));
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
