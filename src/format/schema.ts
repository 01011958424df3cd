/**
 * Shapes of the format's JSON lines: strict, ordered, closed. docs/format.md section 1.
 *
 * A shape checks a value that `JSON.parse` made; whether the bytes are the one spelling of that value is checked by
 * `parseLine`, which encodes again and compares. Shapes never normalise: what they accept is what stands there.
 */
import { IntegrityError } from '../errors.ts';
import { isBase64url, utf8 } from '../crypto/bytes.ts';

/** Checks a value at a path such as `header.principals[2].id`. @throws IntegrityError naming the path, never the value. */
export type Shape<T> = (value: unknown, path: string) => T;

export type Shaped<S> = S extends Shape<infer T> ? T : never;

function refuse(path: string, wanted: string): never {
  throw new IntegrityError(`malformed vault data at ${path}: expected ${wanted}`);
}

export function literal<const T extends string | number | boolean>(wanted: T): Shape<T> {
  return (value, path) => (value === wanted ? wanted : refuse(path, JSON.stringify(wanted)));
}

export function oneOf<const T extends string>(...wanted: readonly T[]): Shape<T> {
  return (value, path) =>
    wanted.find((option) => option === value) ?? refuse(path, `one of ${wanted.join(', ')}`);
}

export function integer(least = 0, most = Number.MAX_SAFE_INTEGER): Shape<number> {
  return (value, path) =>
    typeof value === 'number' &&
    Number.isSafeInteger(value) &&
    value >= least &&
    value <= most &&
    !Object.is(value, -0)
      ? value
      : refuse(path, `an integer from ${least} to ${most}`);
}

export const boolean: Shape<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : refuse(path, 'true or false');

/** Well-formed text of `least` to `most` bytes of UTF-8. */
export function text(most: number, least = 0): Shape<string> {
  return (value, path) => {
    if (typeof value !== 'string' || !value.isWellFormed()) refuse(path, 'text');
    const length = value.length * 3 <= most ? value.length : utf8(value).length;
    if (length > most || (least > 0 && value === '')) refuse(path, `text of ${least} to ${most} bytes`);
    return value;
  };
}

/** Base64url text of bytes; of exactly `length` bytes where that is given. */
export function bytes(length?: number): Shape<string> {
  const characters = length === undefined ? null : Math.ceil((length * 4) / 3);
  return (value, path) => {
    if (typeof value !== 'string') refuse(path, 'base64url');
    if (characters !== null && value.length !== characters) refuse(path, `${length} bytes as base64url`);
    if (!isBase64url(value)) refuse(path, 'canonical base64url');
    return value;
  };
}

export const longId: Shape<string> = bytes(16);
export const shortId: Shape<string> = bytes(8);
export const digest: Shape<string> = bytes(32);

/** UTC with milliseconds, 24 characters, and a real date. */
export const time: Shape<string> = (value, path) =>
  typeof value === 'string' && isTime(value)
    ? value
    : refuse(path, 'a time such as 2026-11-22T08:00:38.123Z');

const timeForm = /^\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$/;

function isTime(given: string): boolean {
  if (!timeForm.test(given)) return false;
  const part = (at: number): number => Number(given.slice(at, at + 2));
  const [month, day] = [part(5), part(8)];
  const isDay = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(Number(given.slice(0, 4)), month);
  return isDay && part(11) <= 23 && part(14) <= 59 && part(17) <= 59;
}

/** Days of a month in the Gregorian calendar. */
function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** The empty string for "none", or the shape. */
export function orNone<T extends string>(shape: Shape<T>): Shape<T | ''> {
  return (value, path) => (value === '' ? '' : shape(value, path));
}

export function list<T>(shape: Shape<T>, most: number, least = 0): Shape<T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length > most || value.length < least)
      refuse(path, `a list of ${least} to ${most}`);
    return value.map((item: unknown, index) => shape(item, `${path}[${index}]`));
  };
}

export function tuple<const S extends readonly Shape<unknown>[]>(
  ...shapes: S
): Shape<{ [K in keyof S]: Shaped<S[K]> }> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length !== shapes.length) refuse(path, `a list of ${shapes.length}`);
    shapes.forEach((shape, index) => shape(value[index], `${path}[${index}]`));
    return value as unknown as { [K in keyof S]: Shaped<S[K]> };
  };
}

export type Members = Readonly<Record<string, Shape<unknown>>>;
export type ObjectOf<M extends Members> = { readonly [K in keyof M]: Shaped<M[K]> };

export interface ObjectShape<M extends Members> extends Shape<ObjectOf<M>> {
  /** Member names in the order of the format. */
  readonly order: readonly string[];
}

/** An object with exactly these members in exactly this order. */
export function object<const M extends Members>(members: M): ObjectShape<M> {
  const order = Object.keys(members);
  const shape = (value: unknown, path: string): ObjectOf<M> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(path, 'an object');
    const found = Object.keys(value);
    if (found.length !== order.length || found.some((key, index) => key !== order[index])) {
      refuse(path, `the members ${order.join(', ')} in this order`);
    }
    for (const key of order) members[key]?.((value as Record<string, unknown>)[key], `${path}.${key}`);
    return value as ObjectOf<M>;
  };
  return Object.assign(shape, { order });
}

/** One of several object shapes, told apart by the literal value of `key`. */
export function variant<T>(key: string, shapes: Readonly<Record<string, Shape<T>>>): Shape<T> {
  const known = new Map(Object.entries(shapes));
  return (value, path) => {
    const tag: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
    const shape = typeof tag === 'string' ? known.get(tag) : undefined;
    if (shape === undefined) refuse(`${path}.${key}`, `one of ${[...known.keys()].join(', ')}`);
    return shape(value, path);
  };
}
