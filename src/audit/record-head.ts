/**
 * How a record begins, found in the text of its line without parsing the rest. docs/format.md section 9.
 *
 * Members have a fixed order and no white space, so that everything up to the result stands at the beginning of the line. A quote inside a
 * string is written `\"`: what a string contains can neither end it nor look like a member. What does not begin like a record is none.
 */
import { parseUtf8, utf8 } from '../crypto/bytes.ts';

/** `operation` is as it is spelled in the file, one character a byte. */
export interface RecordHead {
  readonly log: string;
  readonly sequence: number;
  readonly time: string;
  readonly operation: string;
  readonly ok: boolean;
  /** Of an unsigned record: how many attempts it stands for. */
  readonly attempts: number | null;
}

const day = String.raw`\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])`;
const hour = String.raw`(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}`;
const integer = String.raw`[1-9]\d{0,15}`;
/** At most 64 bytes, each of which may be spelled by six. */
const operationText = String.raw`(?:[^"\\\u0000-\u001f]|\\[^\u0000-\u001f]){1,384}`;

const beginning = new RegExp(
  String.raw`\{"log":"([\w-]{22})","seq":(${integer}),"time":"(${day}T${hour}Z)","op":"(${operationText})",` +
    String.raw`"ok":(?:true|(false)),"(?:code":"|count":(${integer}),"prev":")`,
  'y',
);

const mostBytes = 64;

/** The record that begins at this place of a text of one character a byte; `null` if none does. */
export function recordHeadAt(text: string, at: number): RecordHead | null {
  beginning.lastIndex = at;
  const [, log = '', sequence, time = '', operation = '', failed, count] = beginning.exec(text) ?? [];
  if (log === '') return null;
  const ok = failed === undefined;
  const attempts = count === undefined ? null : Number(count);
  // Only a failed unlock is unsigned.
  if (attempts !== null && (ok || operation !== 'unlock' || !Number.isSafeInteger(attempts))) return null;
  const head = { log, sequence: Number(sequence), time, operation, ok, attempts };
  return Number.isSafeInteger(head.sequence) ? head : null;
}

/** The operation that a spelling stands for; `null` if the format knows no such text, or another spelling of it. */
export function operationOf(spelling: string): string | null {
  try {
    const quoted = `"${parseUtf8(Buffer.from(spelling, 'latin1'))}"`;
    const text: unknown = JSON.parse(quoted);
    if (typeof text !== 'string' || JSON.stringify(text) !== quoted || !text.isWellFormed()) return null;
    return utf8(text).length <= mostBytes ? text : null;
  } catch {
    return null;
  }
}
