/**
 * Masking: secret values in a stream of bytes become `********`, wherever the chunks begin and end.
 *
 * Every byte that belongs to any occurrence of any spelling is removed; occurrences that overlap become one mask. So where
 * two spellings begin alike the longest counts, and no end of a second one is left standing behind a first.
 *
 * What may be the beginning of a spelling is held back, at most one byte less than the longest spelling, until more bytes
 * or the end decide. Nothing else is: a prompt without a line break comes through at once.
 */
import { shortestMasked, spellings } from './encodings.ts';

export const maskText = '********';

/**
 * The spellings of all secrets, ready for searching; shared by the streams of one child.
 *
 * Found by their first four bytes: a small table of hashes rules out nearly every position of ordinary output with one
 * look, and a map holds those that share the beginning, longest first.
 */
export class Needles {
  /** Bytes of the longest spelling. */
  readonly longest: number;
  readonly #byStart = new Map<number, Uint8Array[]>();
  /** Beginnings of one to three bytes, as numbers: the bytes and a 1 before them. */
  readonly #shortStarts = new Set<number>();
  readonly #filter: Uint8Array;
  readonly #filterShift: number;

  /** Copies what it needs of `values`. Values of fewer than four bytes are left out: see `tooShortToMask`. */
  constructor(values: readonly Uint8Array[]) {
    let count = 0;
    let longest = 0;
    for (const needle of values.flatMap(spellings)) {
      const start = wordAt(needle, 0);
      const others = this.#byStart.get(start);
      if (others === undefined) this.#byStart.set(start, [needle]);
      else others.push(needle);
      for (let length = 1, key = 1; length < shortestMasked; length++) {
        key = (key << 8) | (needle[length - 1] ?? 0);
        this.#shortStarts.add(key);
      }
      longest = Math.max(longest, needle.length);
      count++;
    }
    this.longest = longest;
    for (const bucket of this.#byStart.values()) bucket.sort((a, b) => b.length - a.length);

    // Sixteen places per spelling, so that one in sixteen positions at most needs the map.
    const bits = Math.min(22, Math.max(12, Math.ceil(Math.log2(16 * (count + 1)))));
    this.#filterShift = 32 - bits;
    this.#filter = new Uint8Array(2 ** bits);
    for (const start of this.#byStart.keys())
      this.#filter[Math.imul(start, 0x9e3779b1) >>> this.#filterShift] = 1;
  }

  /** First position from `from` on at which a spelling begins or may begin; `bytes.length` if there is none. */
  next(bytes: Uint8Array, from: number): number {
    const filter = this.#filter;
    const shift = this.#filterShift;
    let position = from;
    if (position + shortestMasked <= bytes.length) {
      let word = wordAt(bytes, position);
      for (; ; position++) {
        if (filter[Math.imul(word, 0x9e3779b1) >>> shift] === 1 && this.#byStart.has(word)) return position;
        if (position + shortestMasked >= bytes.length) break;
        word = (word << 8) | (bytes[position + shortestMasked] ?? 0);
      }
      position++;
    }
    while (position < bytes.length && !this.#shortStarts.has(tailKey(bytes, position))) position++;
    return position;
  }

  /** Bytes of the longest spelling that stands at `position`, or 0. */
  matchAt(bytes: Uint8Array, position: number): number {
    if (position + shortestMasked > bytes.length) return 0;
    const found = this.#byStart
      .get(wordAt(bytes, position))
      ?.find((needle) => needle.length <= bytes.length - position && agrees(needle, bytes, position));
    return found?.length ?? 0;
  }

  /** Whether everything from `position` on is the beginning of a longer spelling. */
  mayGoOnAt(bytes: Uint8Array, position: number): boolean {
    const rest = bytes.length - position;
    if (rest >= this.longest) return false;
    if (rest < shortestMasked) return this.#shortStarts.has(tailKey(bytes, position));
    const bucket = this.#byStart.get(wordAt(bytes, position)) ?? [];
    return bucket.some((needle) => needle.length > rest && agrees(needle, bytes, position));
  }

  /** Overwrites the spellings; streams that still use them are no longer masked. */
  wipe(): void {
    for (const bucket of this.#byStart.values()) for (const needle of bucket) needle.fill(0);
    this.#byStart.clear();
  }
}

/** Masks one stream. Results may be views of the chunk pushed: use them before its buffer is used again. */
export class MaskStream {
  readonly #needles: Needles;
  /** What is held back: the bytes since the first position at which a spelling may have begun. */
  #held: Uint8Array = new Uint8Array();
  /** How many bytes at the beginning of `#held` are behind a mask that was already written. */
  #masked = 0;

  constructor(needles: Needles) {
    this.#needles = needles;
  }

  /** Bytes that can be written now. */
  push(chunk: Uint8Array): Uint8Array {
    return this.#filter(this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]), false);
  }

  /** The rest, when the stream has ended. */
  end(): Uint8Array {
    return this.#filter(this.#held, true);
  }

  #filter(bytes: Uint8Array, ended: boolean): Uint8Array {
    const needles = this.#needles;
    const output: Uint8Array[] = [];
    let written = Math.min(this.#masked, bytes.length);
    let masked = this.#masked;
    const undecided = (at: number): boolean => !ended && needles.mayGoOnAt(bytes, at);
    let position = needles.next(bytes, 0);
    while (position < bytes.length && !undecided(position)) {
      const length = needles.matchAt(bytes, position);
      if (length > 0) {
        if (position >= masked) {
          output.push(bytes.subarray(written, position), Buffer.from(maskText));
        }
        masked = Math.max(masked, position + length);
        written = masked;
      }
      position = needles.next(bytes, position + 1);
    }
    if (written < position) output.push(bytes.subarray(written, position));
    // A copy: the chunk's buffer belongs to the caller.
    this.#held = bytes.slice(position);
    this.#masked = Math.max(0, masked - position);
    return output.length === 1 ? (output[0] ?? bytes) : Buffer.concat(output);
  }
}

function wordAt(bytes: Uint8Array, position: number): number {
  return (
    ((bytes[position] ?? 0) << 24) |
    ((bytes[position + 1] ?? 0) << 16) |
    ((bytes[position + 2] ?? 0) << 8) |
    (bytes[position + 3] ?? 0)
  );
}

/** Key of the one to three bytes from `position` to the end. */
function tailKey(bytes: Uint8Array, position: number): number {
  let key = 1;
  for (let index = position; index < bytes.length; index++) key = (key << 8) | (bytes[index] ?? 0);
  return key;
}

/** Whether needle and bytes are the same from `position` on, as far as both go. */
function agrees(needle: Uint8Array, bytes: Uint8Array, position: number): boolean {
  const length = Math.min(needle.length, bytes.length - position);
  for (let index = shortestMasked; index < length; index++) {
    if (needle[index] !== bytes[position + index]) return false;
  }
  return true;
}
