/** Lines read in pieces are those of a naive split: whatever is in them, wherever a piece ends, from any line on, and from the end. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linesBackward, linesForward, type LogLine, type LogSource } from '../../src/storage/log-lines.ts';
import type { Bytes } from '../../src/crypto/bytes.ts';

const piece = 1024 * 1024;
const firstPieceBack = 8 * 1024;
const seed = 20_261_130;

interface Read extends LogSource {
  /** The largest read. */
  readonly most: () => number;
}

/** @param atMost of what is asked for */
function source(bytes: Buffer): Read {
  let largest = 0;
  return {
    size: bytes.length,
    read: (offset, length): Bytes => {
      if (offset < 0 || length <= 0 || offset + length > bytes.length)
        throw new Error('read outside of the file');
      largest = Math.max(largest, length);
      return Uint8Array.from(bytes.subarray(offset, offset + length));
    },
    most: () => largest,
  };
}

interface Naive {
  readonly lines: { readonly text: string; readonly start: number }[];
  readonly rest: number;
}

function naive(bytes: Buffer, from = 0): Naive {
  const parts = bytes.subarray(from).toString('latin1').split('\n');
  const rest = parts.pop() ?? '';
  let start = from;
  const lines = parts.map((text) => {
    const line = { text, start };
    start += text.length + 1;
    return line;
  });
  return { lines, rest: rest.length };
}

const shown = ({ raw, start }: LogLine) => ({ text: Buffer.from(raw).toString('latin1'), start });

function forward(bytes: Buffer, from: number): Naive {
  const lines: Naive['lines'] = [];
  const walk = linesForward(source(bytes), from);
  for (;;) {
    const next = walk.next();
    if (next.done === true) return { lines, rest: next.value };
    lines.push(shown(next.value));
  }
}

const backward = (bytes: Buffer): Naive['lines'] => [...linesBackward(source(bytes))].map(shown);

/** Kept until all are there: a line that shares bytes with what is read next would change. */
function expectSame(bytes: Buffer, from: number): void {
  const right = naive(bytes);
  expect(forward(bytes, 0)).toEqual(right);
  expect(forward(bytes, from)).toEqual(naive(bytes, from));
  expect(backward(bytes)).toEqual(right.lines.toReversed());
}

const letters = fc.constantFrom('\n', '\n', 'a', '{', '\r', '\u0000', 'ÿ');
const small = fc.string({ unit: letters, maxLength: 60 });

test('small contents: empty lines, none, unfinished ones', () => {
  fc.assert(
    fc.property(small, fc.nat(), (text, pick) => {
      const bytes = Buffer.from(text, 'latin1');
      const starts = [0, ...naive(bytes).lines.map((line) => line.start), bytes.length - naive(bytes).rest];
      expectSame(bytes, starts[pick % starts.length] ?? 0);
    }),
    { numRuns: 2_000, seed },
  );
});

/** Lengths around those of the pieces, so that line feeds stand on their borders, and lines are longer than one. */
const around = fc
  .tuple(
    fc.constantFrom(0, 1, 100, firstPieceBack, piece / 2, piece, 2 * piece, piece + firstPieceBack),
    fc.integer({ min: -2, max: 2 }),
  )
  .map(([length, more]) => Math.max(0, length + more));

describe('contents larger than a piece', () => {
  const large = fc.tuple(fc.array(around, { minLength: 1, maxLength: 6 }), around, fc.nat());

  test('any lengths of lines', () => {
    const tried = { long: 0 };
    fc.assert(
      fc.property(large, ([lengths, rest, pick]) => {
        const parts = lengths.map((length, index) => Buffer.alloc(length, 0x61 + index));
        const feed = Buffer.from('\n');
        const bytes = Buffer.concat([...parts.flatMap((part) => [part, feed]), Buffer.alloc(rest, 0x7a)]);
        const starts = lengths.map((_, index) =>
          lengths.slice(0, index).reduce((sum, length) => sum + length + 1, 0),
        );
        const from = starts[pick % starts.length] ?? 0;
        // Comparing by length and first byte: megabytes of text tell no more.
        const brief = ({ text, start }: Naive['lines'][number]) => [text.length, text[0], text.at(-1), start];
        const right = lengths.map((length, index) => {
          const letter = length === 0 ? undefined : String.fromCharCode(0x61 + index);
          return [length, letter, letter, starts[index]];
        });
        const all = forward(bytes, 0);
        expect([all.lines.map(brief), all.rest]).toEqual([right, rest]);
        expect(backward(bytes).map(brief)).toEqual(right.toReversed());
        expect(forward(bytes, from).lines.map(brief)).toEqual(right.slice(starts.indexOf(from)));
        tried.long += lengths.filter((length) => length > piece).length;
      }),
      { numRuns: 60, seed },
    );
    expect(tried.long).toBeGreaterThan(10);
  });

  test('a line that is longer than a record may be is not read to its end', () => {
    const line = Buffer.alloc(40 * piece, 0x61);
    const endless: LogSource = {
      size: 2 ** 40,
      read: (_, length) => Uint8Array.from(line.subarray(0, length)),
    };
    for (const lines of [linesForward(endless), linesBackward(endless)])
      expect(() => lines.next()).toThrow('longer than a record may be');
  });

  test('are read in pieces, and backwards no more than is asked for', () => {
    const line = Buffer.from(`${'x'.repeat(500)}\n`);
    const bytes = Buffer.concat(Array.from({ length: 20_000 }, () => line));
    const whole = source(bytes);
    expect([...linesForward(whole)]).toHaveLength(20_000);
    expect(whole.most()).toBe(piece);
    const end = source(bytes);
    const [last] = linesBackward(end);
    expect(last?.start).toBe(bytes.length - line.length);
    expect(end.most()).toBe(firstPieceBack);
  });
});
