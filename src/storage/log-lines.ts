/**
 * Lines of a log, read in pieces: forwards from an offset, or backwards from the end. A log may be far larger than what should be in memory
 * at a time.
 */
import { IntegrityError } from '../errors.ts';
import { concatBytes, type Bytes } from '../crypto/bytes.ts';
import { limits } from '../format/limits.ts';

const lineFeed = 0x0a;
const piece = 1024 * 1024;
/** Whoever reads backwards mostly wants a few records. */
const firstPieceBack = 8 * 1024;
const nothing = new Uint8Array(0);

/** Random access to a log's bytes. `read` returns exactly `length` bytes. */
export interface LogSource {
  readonly size: number;
  read(offset: number, length: number): Bytes;
}

/** A whole line without its LF, and where it begins. The bytes are the caller's to keep. */
export interface LogLine {
  readonly raw: Bytes;
  readonly start: number;
}

/** @throws IntegrityError for what is longer than a record may be: nobody reads on and on for an end of it */
function checkLength(rest: Bytes): void {
  if (rest.length > limits.line) throw new IntegrityError('audit log: a line is longer than a record may be');
}

/**
 * Whole lines from an offset on, which is the start of one. @returns bytes after the last LF: an unfinished line
 * @throws IntegrityError for a line that is too long
 */
export function* linesForward(source: LogSource, from = 0): Generator<LogLine, number> {
  let rest: Bytes = nothing;
  let start = from;
  for (let at = from; at < source.size;) {
    const read = source.read(at, Math.min(piece, source.size - at));
    at += read.length;
    const bytes = rest.length === 0 ? read : concatBytes(rest, read);
    let begin = 0;
    for (let end = bytes.indexOf(lineFeed, rest.length); end >= 0; end = bytes.indexOf(lineFeed, begin)) {
      yield { raw: bytes.subarray(begin, end), start };
      start += end + 1 - begin;
      begin = end + 1;
    }
    rest = bytes.subarray(begin);
    checkLength(rest);
  }
  return rest.length;
}

/** Whole lines from the end to the start; an unfinished one at the end is passed over. @throws IntegrityError for a line that is too long */
export function* linesBackward(source: LogSource): Generator<LogLine, undefined> {
  let rest: Bytes = nothing;
  let length = firstPieceBack;
  let complete = false;
  for (let at = source.size; at > 0; length = piece) {
    const read = source.read(Math.max(0, at - length), Math.min(length, at));
    at -= read.length;
    const bytes = rest.length === 0 ? read : concatBytes(read, rest);
    let end = bytes.length;
    for (let feed = bytes.lastIndexOf(lineFeed); feed >= 0; feed = before(bytes, feed)) {
      if (complete) yield { raw: bytes.subarray(feed + 1, end), start: at + feed + 1 };
      complete = true;
      end = feed;
    }
    rest = bytes.subarray(0, end);
    checkLength(rest);
  }
  if (complete) yield { raw: rest, start: 0 };
  return undefined;
}

/** The line feed before one. */
function before(bytes: Bytes, feed: number): number {
  return feed === 0 ? -1 : bytes.lastIndexOf(lineFeed, feed - 1);
}
