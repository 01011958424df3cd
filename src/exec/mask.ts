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
import { PrefixTree, type Agreement } from './prefix-tree.ts';

export const maskText = '********';

/** Places in the table of hashes: 2 to the power of this, at least and at most. */
const filterBits = { least: 12, most: 22 };

/**
 * The spellings of all secrets, ready for searching; shared by the streams of one child.
 *
 * A small table of hashes of their first four bytes rules out nearly every position of ordinary output with one look; a
 * tree decides about the others.
 */
export class Needles {
  /** Bytes of the longest spelling. */
  readonly longest: number;
  readonly #all: readonly Uint8Array[];
  readonly #tree = new PrefixTree();
  readonly #filter: Uint8Array;
  readonly #filterShift: number;

  /** Copies what it needs of `values`. Values of fewer than four bytes are left out: see `tooShortToMask`. */
  constructor(values: readonly Uint8Array[]) {
    this.#all = values.flatMap(spellings);
    this.longest = this.#all.reduce((longest, { length }) => Math.max(longest, length), 0);
    // Sixteen places per spelling, so that at most one position in sixteen needs the tree.
    const wanted = Math.ceil(Math.log2(16 * (this.#all.length + 1)));
    const bits = Math.min(filterBits.most, Math.max(filterBits.least, wanted));
    this.#filter = new Uint8Array(2 ** bits);
    this.#filterShift = 32 - bits;
    for (const needle of this.#all) {
      this.#tree.add(needle);
      this.#filter[hash(wordAt(needle, 0)) >>> this.#filterShift] = 1;
    }
  }

  /** First position from `from` on at which a spelling may begin; `bytes.length` if there is none. */
  next(bytes: Uint8Array, from: number): number {
    if (this.longest === 0) return bytes.length;
    const filter = this.#filter;
    const shift = this.#filterShift;
    const last = bytes.length - shortestMasked;
    let position = from;
    let word = wordAt(bytes, position);
    while (position <= last && filter[hash(word) >>> shift] === 0) {
      word = (word << 8) | (bytes[position + shortestMasked] ?? 0);
      position++;
    }
    // Of the last three bytes there is no hash: they are always looked at.
    return position;
  }

  /** What stands at a position. */
  find(bytes: Uint8Array, position: number): Agreement {
    return this.#tree.find(bytes, position);
  }

  /** Overwrites the spellings: what still uses them masks no more. */
  wipe(): void {
    for (const needle of this.#all) needle.fill(0);
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
    const output: Uint8Array[] = [];
    let masked = this.#masked;
    // All before it was written, or is behind a mask.
    let done = masked;
    let position = this.#needles.next(bytes, 0);
    while (position < bytes.length) {
      const { longest, open } = this.#needles.find(bytes, position);
      if (open && !ended) break;
      if (longest > 0) {
        if (position >= masked) output.push(bytes.subarray(done, position), Buffer.from(maskText));
        masked = Math.max(masked, position + longest);
        done = masked;
      }
      position = this.#needles.next(bytes, position + 1);
    }
    if (done < position) output.push(bytes.subarray(done, position));
    // A copy: the chunk's buffer belongs to the caller. (The `slice` of a Buffer would be a view.)
    this.#held = Uint8Array.from(bytes.subarray(position));
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

/** Its upper bits are the hash (multiplicative, by the golden ratio). */
function hash(word: number): number {
  return Math.imul(word, 0x9e3779b1);
}
