/**
 * One JSON object a line, one spelling each. docs/format.md section 1.
 *
 * `JSON.stringify` writes exactly the encoding that the format prescribes, provided that member order is right and
 * text is well-formed; parsing therefore encodes again and compares the bytes.
 */
import { IntegrityError } from '../errors.ts';
import { parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';
import type { Shape } from './schema.ts';

/** A parsed line with the raw bytes that signatures and digests cover (no LF; borrowed from the file's buffer). */
export interface Line<T> {
  readonly raw: Bytes;
  readonly value: T;
}

const signatureMember = ',"sig":"';
const signatureCharacters = 86;
const tail = signatureMember.length + signatureCharacters + '"}'.length;

/** Parse JSON bytes strictly. @throws IntegrityError if it is not JSON, not the shape, or has another spelling. */
export function parseJson<T>(raw: Uint8Array, shape: Shape<T>, what: string): T {
  let value: unknown;
  let spelling: string;
  try {
    spelling = parseUtf8(raw);
    value = JSON.parse(spelling);
  } catch (cause) {
    // The cause of a JSON error quotes the text: it is dropped on purpose.
    throw new IntegrityError(`malformed vault data: ${what} is not UTF-8 JSON`, {
      cause: cause instanceof TypeError ? cause : undefined,
    });
  }
  const shaped = shape(value, what);
  if (JSON.stringify(value) !== spelling)
    throw new IntegrityError(`malformed vault data: ${what} has a second spelling`);
  return shaped;
}

export function parseLine<T>(raw: Bytes, shape: Shape<T>, what: string): Line<T> {
  return { raw, value: parseJson(raw, shape, what) };
}

/** Encode a value whose members stand in the order of the format; the shape is checked, so no writer leaves the format. */
export function encodeJson<T>(value: T, shape: Shape<T>, what: string): Bytes {
  shape(value, what);
  return utf8(JSON.stringify(value));
}

export function encodeLine<T>(value: T, shape: Shape<T>, what: string): Line<T> {
  return { raw: encodeJson(value, shape, what), value };
}

/** The bytes that a signature covers: from `{` up to, not including, `,"sig":"`. The line must have been parsed. */
export function signedPart(raw: Bytes): Bytes {
  return raw.subarray(0, raw.length - tail);
}

/** The signed part of a line that is being made: the object without its `sig`. */
export function unsignedPart(value: object): Bytes {
  return utf8(JSON.stringify(value).slice(0, -1));
}

/** Which kind a line says it is, from its first member, without parsing it; `null` if it does not begin with one. */
export function lineKind(raw: Uint8Array): string | null {
  const opening = '{"kind":"';
  if (raw.length < opening.length + 2) return null;
  for (let i = 0; i < opening.length; i++) if (raw[i] !== opening.charCodeAt(i)) return null;
  const end = raw.indexOf(0x22, opening.length);
  if (end < 0 || end - opening.length > 16) return null;
  return String.fromCharCode(...raw.subarray(opening.length, end));
}
