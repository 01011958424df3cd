import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { spellings, tooShortToMask } from '../../src/exec/encodings.ts';
import { MaskStream, maskText, Needles } from '../../src/exec/mask.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

function mask(values: readonly Uint8Array[], ...chunks: readonly (string | Uint8Array)[]): string {
  return masked(
    values,
    chunks.map((chunk) => Buffer.from(chunk as string)),
  ).toString('latin1');
}

function masked(values: readonly Uint8Array[], chunks: readonly Uint8Array[]): Buffer {
  const stream = new MaskStream(new Needles(values));
  return Buffer.concat([...chunks.map((chunk) => Buffer.from(stream.push(chunk))), stream.end()]);
}

/** What masking means, without a thought for speed: every byte of every occurrence goes, overlaps are one mask. */
function slowly(values: readonly Uint8Array[], text: Buffer): Buffer {
  const runs: [number, number][] = [];
  for (const needle of values.flatMap(spellings)) {
    for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + 1))
      runs.push([at, at + needle.length]);
  }
  runs.sort(([a], [b]) => a - b);
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const [from, to] of runs) {
    if (parts.length === 0 || from >= end) parts.push(text.subarray(end, from), bytes(maskText));
    end = Math.max(end, to);
  }
  return Buffer.concat([...parts, text.subarray(end)]);
}

/** Few different bytes, so that texts and needles have much in common; none of them is in the mask. */
const letters = fc
  .array(fc.constantFrom(0x00, 0x61, 0x62, 0x0a, 0xff), { maxLength: 12 })
  .map((all) => Buffer.from(all));
const needles = fc.array(letters, { minLength: 1, maxLength: 5 });
const textOf = (values: readonly Buffer[]): fc.Arbitrary<Buffer> =>
  fc
    .array(fc.oneof(letters, fc.constantFrom(...values, ...values.flatMap(spellings))), { maxLength: 10 })
    .map((parts) => Buffer.concat(parts));
const secretsAndText = needles.chain((values) => fc.tuple(fc.constant(values), textOf(values)));

function cut(text: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (text.length + 1)).sort((a, b) => a - b), text.length];
  return at.slice(1).map((end, index) => text.subarray(at[index], end));
}

describe('masking', () => {
  test('is what it says, wherever the chunks begin and end', () => {
    fc.assert(
      fc.property(secretsAndText, fc.array(fc.nat(200), { maxLength: 20 }), ([values, text], places) => {
        expect(masked(values, cut(text, places))).toEqual(slowly(values, text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('never leaves a spelling in the output', () => {
    fc.assert(
      fc.property(secretsAndText, fc.array(fc.nat(200), { maxLength: 20 }), ([values, text], places) => {
        const output = masked(values, cut(text, places));
        for (const needle of values.flatMap(spellings)) expect(output.includes(needle)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  test('passes on unchanged what has none', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.nat(200), { maxLength: 20 }),
        (text, places) => {
          const values = [bytes('\u{1F511} not in there'), bytes('nor is this')];
          expect(masked(values, cut(Buffer.from(text), places))).toEqual(Buffer.from(text));
        },
      ),
    );
  });

  test('holds back the beginning of a spelling and nothing else', () => {
    fc.assert(
      fc.property(secretsAndText, ([values, text]) => {
        const all = values.flatMap(spellings);
        const begins = (at: number): boolean =>
          all.some(
            (needle) =>
              needle.length > text.length - at &&
              Buffer.from(needle.subarray(0, text.length - at)).equals(text.subarray(at)),
          );
        const undecided = [...text.keys()].find(begins) ?? text.length;
        const stream = new MaskStream(new Needles(values));
        stream.push(text);
        const held = text.length - undecided;
        // Four bytes can become a mask of eight.
        expect(stream.end().length).toBeLessThanOrEqual(held === 0 ? 0 : 2 * held + maskText.length);
      }),
      { numRuns: 1_000 },
    );
    const stream = new MaskStream(new Needles([bytes('hunter2!')]));
    expect(Buffer.from(stream.push(bytes('Password: '))).toString()).toBe('Password: ');
    expect(Buffer.from(stream.push(bytes('is it hunt'))).toString()).toBe('is it ');
    expect(Buffer.from(stream.push(bytes('ing? '))).toString()).toBe('hunting? ');
  });

  test('removes overlapping values whole, the longest of those that begin alike', () => {
    const values = [bytes('abcdef'), bytes('efghij'), bytes('abcdefgh-long')];
    expect(mask(values, '<abcdefghij>')).toBe('<********>');
    expect(mask(values, '<abcdefgh-lo', 'ng>')).toBe('<********>');
    expect(mask(values, '<abcdefgh-lo', 'st>')).toBe('<********gh-lost>');
    expect(mask(values, 'abcdefabcdef')).toBe('****************');
  });

  test('takes one byte at a time', () => {
    const text = bytes('to hunter2! or not');
    expect(mask([bytes('hunter2!')], ...Array.from(text, (byte) => Uint8Array.of(byte)))).toBe(
      'to ******** or not',
    );
  });

  test('does not keep the chunk’s buffer', () => {
    const stream = new MaskStream(new Needles([bytes('hunter2!')]));
    const chunk = bytes('hunt');
    stream.push(chunk);
    chunk.fill(0);
    expect(Buffer.from(stream.push(bytes('er2!'))).toString()).toBe(maskText);
  });

  test('of a hundred values over 50 MB is a matter of seconds', () => {
    const values = Array.from({ length: 100 }, (_, index) => bytes(`value number ${index} of a hundred`));
    const line = bytes(
      'An ordinary line of a log, with value numbers, 0123456789 and base64 QWxhZGRpbjpvcGVu\n',
    );
    const chunk = Buffer.concat([
      ...Array.from({ length: 750 }, () => line),
      bytes('value number 42 of a hundred'),
    ]);
    const stream = new MaskStream(new Needles(values));
    const rounds = Math.ceil(50e6 / chunk.length);
    const begin = performance.now();
    let length = 0;
    for (let round = 0; round < rounds; round++) length += stream.push(chunk).length;
    length += stream.end().length;
    expect(length).toBe(rounds * (750 * line.length + maskText.length));
    // Measured: half a second.
    expect(performance.now() - begin).toBeLessThan(8_000);
  });
});

describe('spellings', () => {
  const value = 'p/s+s"w\u00f6rd <&\' 1?';
  const script = (text: string): Buffer => bytes(text);
  test.each([
    ['as it is', script(value)],
    ['hexadecimal', script(bytes(value).toString('hex'))],
    ['upper-case hexadecimal', script(bytes(value).toString('hex').toUpperCase())],
    ['base64', script(bytes(value).toString('base64'))],
    ['base64url', script(bytes(value).toString('base64url'))],
    ['base64 without padding', script(bytes(value).toString('base64').replace(/=+$/u, ''))],
    ['percent encoding', script(encodeURIComponent(value))],
    ['percent encoding in lower case', script("p%2fs%2bs%22w%c3%b6rd%20%3c%26'%201%3f")],
    ['a form', script(new URLSearchParams({ a: value }).toString().slice(2))],
    ['JSON', script(JSON.stringify(value).slice(1, -1))],
    ['JSON in ASCII', script(String.raw`p/s+s\"w\u00f6rd <&' 1?`)],
    ['JSON for HTML', script(String.raw`p/s+s\"wörd \u003c\u0026' 1?`)],
    ['JSON of PHP', script(String.raw`p\/s+s\"wörd <&' 1?`)],
    ['a quoted word', script(String.raw`p/s+s"wörd <&'\'' 1?`)],
  ])('%s', (_name, text) => {
    expect(mask([bytes(value)], '[', text, ']')).toBe(`[${maskText}]`);
  });

  test.each(['', 'u', 'us', 'user'])('base64 of %s: and the value, at any place', (user) => {
    const text = Buffer.concat([bytes(`${user}:`), bytes('correct-horse'), bytes('~~')]).toString('base64');
    const output = mask([bytes('correct-horse')], text);
    expect(output).toContain(maskText);
    // At each end one character is left that has bits of the neighbour.
    const left = output.split(maskText);
    expect(Buffer.from(left[0] ?? '', 'base64').toString('latin1')).not.toContain('co');
    expect(left.join('').length).toBeLessThanOrEqual(Math.ceil(((user.length + 1) * 8) / 6) + 6);
  });

  test('base64 in lines', () => {
    const key = bytes('0123456789abcdef'.repeat(10));
    const wrapped = key.toString('base64').replace(/.{76}/gu, '$&\n');
    expect(mask([key], wrapped)).toBe('********\n********\n********');
  });

  test('the lines of a value of 8 bytes or more, and the value without its last line break', () => {
    const values = [bytes('-----BEGIN\nline of a key\nshort\n\n'), bytes('s3cret\r\n')];
    expect(mask(values, 'line of a key')).toBe(maskText);
    expect(mask(values, 'line of a key\r\nshort')).toBe(`${maskText}\r\nshort`);
    expect(mask(values, '<s3cret>')).toBe('<********>');
  });

  test('binary values have the encodings that binary has', () => {
    const binary = Buffer.from([0xff, 0x00, 0xfe, 0x01, 0x0a]);
    expect(mask([binary], binary)).toBe(maskText);
    expect(mask([binary], binary.toString('base64'), ' ', binary.toString('hex'))).toBe('******** ********');
  });

  test('values of fewer than four bytes are left alone, and counted', () => {
    const values = [bytes(''), bytes('a'), bytes('abc'), bytes('abcd')];
    expect(mask(values, 'a abc abcd')).toBe('a abc ********');
    expect(tooShortToMask(values)).toBe(2);
  });
});
