/**
 * About how many bits somebody has to guess for a value: a rule of thumb, from below, that finds what people make up and lets pass what a
 * generator made. docs/decisions/0015-health.md. It works on bytes, so that no text of a value is left behind, and it looks at the first 256.
 *
 * A character counts by the kinds of characters in the value; a common word, a year, what continues a row (`aaa`, `123`, `cba`) or repeats
 * what came before counts less; what could be a word of some language counts as one.
 */
import { isUtf8 } from 'node:buffer';
import type { Bytes } from '../crypto/bytes.ts';
import { commonWords } from './common-words.ts';

const mostLooked = 256;
/** One of some two hundred, in one of the usual places. */
const commonWordBits = 9;
/** A capital at the start, or a digit for a letter. */
const variationBits = 2;
const yearBits = 7;
/** Text of a natural language, by the letter; beside a start. */
const letterBits = 2.2;
const firstLetterBits = 4;
const longestWord = 9;
/** A sign after a word. */
const separatorBits = 3;

const code = (text: string): number => text.charCodeAt(0);
const isDigit = (byte: number): boolean => byte >= code('0') && byte <= code('9');
const isLower = (byte: number): boolean => byte >= code('a') && byte <= code('z');
const isUpper = (byte: number): boolean => byte >= code('A') && byte <= code('Z');
const isLetter = (byte: number): boolean => isLower(byte) || isUpper(byte);
const asLower = (byte: number): number => (isUpper(byte) ? byte + 32 : byte);

/** Signs that stand for letters. */
const standIns = new Map(
  ['4a', '@a', '8b', '3e', '1i', '!i', '0o', '5s', '$s', '7t'].map((pair) => [
    pair.charCodeAt(0),
    pair.charCodeAt(1),
  ]),
);

/** Words by their first byte, the longest first. */
const wordsByStart = new Map<number, Uint8Array[]>();
for (const word of [...commonWords].sort((a, b) => b.length - a.length)) {
  const bytes = Uint8Array.from(word, code);
  const start = code(word);
  wordsByStart.set(start, [...(wordsByStart.get(start) ?? []), bytes]);
}

/** Bits, never more than there are. */
export function estimateBits(value: Bytes): number {
  const looked = value.subarray(0, mostLooked);
  if (looked.length === 0) return 0;
  const period = periodOf(looked);
  const once = looked.subarray(0, period);
  return (isUtf8(looked) ? textBits(once) : binaryBits(once)) + Math.log2(looked.length / period);
}

/** Length of what is repeated to the end; all of it where nothing is. */
function periodOf(bytes: Uint8Array): number {
  const borders = [0];
  for (let at = 1, border = 0; at < bytes.length; at++) {
    while (border > 0 && bytes[at] !== bytes[border]) border = borders[border - 1] ?? 0;
    if (bytes[at] === bytes[border]) border += 1;
    borders.push(border);
  }
  const period = bytes.length - (borders.at(-1) ?? 0);
  return period * 2 <= bytes.length ? period : bytes.length;
}

function alphabetOf(bytes: Uint8Array): number {
  const all = [...bytes];
  const letters = all.filter(isLetter);
  const hex = letters.every((byte) => asLower(byte) <= code('f'));
  const oneCase = letters.every(isLower) || letters.every(isUpper);
  if (hex && oneCase && all.every((byte) => isLetter(byte) || isDigit(byte) || byte === code('-')))
    return letters.length === 0 ? 10 : 16;
  const isOther = (byte: number): boolean => byte < 0x20 || byte >= 0x7f;
  const kinds: readonly (readonly [boolean, number])[] = [
    [all.some(isLower), 26],
    [all.some(isUpper), 26],
    [all.some(isDigit), 10],
    [all.some((byte) => !isLetter(byte) && !isDigit(byte) && !isOther(byte)), 33],
    [all.some(isOther), 161],
  ];
  return kinds.reduce((sum, [there, size]) => sum + (there ? size : 0), 0);
}

function binaryBits(bytes: Uint8Array): number {
  return bytes.reduce((bits, _, at) => bits + characterAt(bytes, at, 8).bits, 0);
}

function textBits(bytes: Uint8Array): number {
  const each = Math.log2(Math.max(2, alphabetOf(bytes)));
  let bits = 0;
  let afterWord = false;
  for (let at = 0; at < bytes.length;) {
    const word = commonWordAt(bytes, at) ?? yearAt(bytes, at) ?? wordAt(bytes, at, each);
    const separates = afterWord && !isLetter(bytes[at] ?? 0) && !isDigit(bytes[at] ?? 0);
    const piece = word ?? characterAt(bytes, at, separates ? Math.min(each, separatorBits) : each);
    bits += piece.bits;
    at += piece.length;
    afterWord = word !== null;
  }
  return bits;
}

interface Piece {
  readonly length: number;
  readonly bits: number;
}

function commonWordAt(bytes: Uint8Array, at: number): Piece | null {
  const plain = (byte: number): number => standIns.get(byte) ?? byte;
  const first = asLower(bytes[at] ?? 0);
  for (const start of new Set([first, plain(first)])) {
    for (const word of wordsByStart.get(start) ?? []) {
      const found = bytes.subarray(at, at + word.length);
      const fits = (wanted: number, index: number): boolean => {
        const byte = found[index] ?? 0;
        return asLower(byte) === wanted || plain(byte) === wanted;
      };
      if (!word.every(fits)) continue;
      const isVaried = word.some((wanted, index) => found[index] !== wanted);
      return { length: word.length, bits: commonWordBits + (isVaried ? variationBits : 0) };
    }
  }
  return null;
}

function yearAt(bytes: Uint8Array, at: number): Piece | null {
  const isYear = /^(?:19|20)\d\d$/u.test(String.fromCharCode(...bytes.subarray(at, at + 4)));
  const alone = !isDigit(bytes[at + 4] ?? 0) && !isDigit(bytes[at - 1] ?? 0);
  return isYear && alone ? { length: 4, bits: yearBits } : null;
}

const vowels = new Set(Array.from('aeiouy', code));

/** A few letters that can be spoken, in small or capital letters or with a capital in front. A common word in it ends it. */
function wordAt(bytes: Uint8Array, at: number, each: number): Piece | null {
  if (isLetter(bytes[at - 1] ?? 0)) return null;
  let end = at;
  while (isLetter(bytes[end] ?? 0)) end += 1;
  const letters = [...bytes.subarray(at, end)];
  const rest = letters.slice(1);
  const cased = rest.every(isLower) || letters.every(isUpper);
  let silent = 0;
  const spoken = letters.every((letter) => {
    silent = vowels.has(asLower(letter)) ? 0 : silent + 1;
    return silent <= 3;
  });
  const length = letters.length;
  if (length < 3 || length > longestWord || !cased || !spoken) return null;
  if (!letters.some((letter) => vowels.has(asLower(letter)))) return null;
  if (rest.some((_, index) => commonWordAt(bytes, at + index + 1) !== null)) return null;
  return { length, bits: Math.min(length * each, firstLetterBits + length * letterBits) };
}

/** One character; the third of a row is worth one bit. */
function characterAt(bytes: Uint8Array, at: number, each: number): Piece {
  const [before = -9, last = -9, here = 0] = [bytes[at - 2], bytes[at - 1], bytes[at]];
  const step = here - last;
  const inRow = at >= 2 && Math.abs(step) <= 1 && step === last - before;
  return { length: 1, bits: inRow ? 1 : each };
}
