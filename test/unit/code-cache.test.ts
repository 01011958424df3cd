/** Compiled code of Node's own modules taken out of a snapshot. docs/decisions/0009-start-up.md. */
import { describe, expect, test } from 'vitest';
import { dropCodeCache } from '../../scripts/code-cache.ts';

const number = (value: number, bytes: 1 | 4 | 8): Buffer => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, Math.min(bytes, 6));
  return buffer;
};
const sized = (bytes: Buffer): Buffer => Buffer.concat([number(bytes.length, 8), bytes]);
const text = (value: string): Buffer => sized(Buffer.from(value, 'latin1'));
const vector = (elements: readonly Buffer[]): Buffer =>
  Buffer.concat([number(elements.length, 8), ...elements]);

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `internal/${prefix}/number_${index}`);
const inHeap = names('loaded', 40);
const modules = [...inHeap, ...names('late', 50)];
const codeOf = (name: string): Buffer => Buffer.from(`code of ${name}`, 'latin1');

function snapshot(cached: readonly string[], end = Buffer.alloc(0)): Buffer {
  return Buffer.concat([
    number(0x0143da19, 4),
    Buffer.from('heap '.repeat(1_000), 'latin1'),
    vector(inHeap.map(text)),
    Buffer.from('more '.repeat(100), 'latin1'),
    vector(cached.map((name) => Buffer.concat([text(name), sized(codeOf(name))]))),
    end,
  ]);
}

/** The program's blob between other bytes, among them the magic number of blobs in the code that looks for it. */
function binary(blob: Buffer): Buffer {
  const magic = number(0x0143da20, 4);
  return Buffer.concat([
    Buffer.from('program '.repeat(100), 'latin1'),
    magic,
    Buffer.alloc(64, 0xff),
    magic,
    number(0x13, 4),
    number(0, 1),
    number(0, 1),
    text('/build/main.cjs'),
    sized(blob),
    Buffer.from('the end', 'latin1'),
  ]);
}

test('all of it goes, and everything else stays where it is', () => {
  const bytes = binary(snapshot(modules));
  const dropped = dropCodeCache(bytes);
  expect(dropped).toBeGreaterThan(modules.length * 32);
  expect(bytes.equals(binary(snapshot([], Buffer.alloc(dropped - 8))))).toBe(true);
});

describe('a layout that is not known is refused', () => {
  test('without a blob', () => {
    expect(() => dropCodeCache(Buffer.alloc(1_000))).toThrow('no snapshot');
  });

  test('with something after the code', () => {
    const bytes = binary(snapshot(modules, Buffer.from('something else', 'latin1')));
    expect(() => dropCodeCache(bytes)).toThrow('another way');
  });
});
