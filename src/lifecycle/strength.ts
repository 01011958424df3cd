/**
 * About how many bits somebody has to guess for a value: a rule of thumb, from below, that finds what people make up and lets pass what a
 * generator made. docs/decisions/0015-health.md. It works on bytes alone, so that no text of a value is left behind, and it looks at the first 256.
 *
 * A character counts by the kinds of characters in the value; a common word, a year, what continues a row (`aaa`, `123`, `cba`) or repeats
 * what came before counts less; what could be a word of some language counts as one. However it is put together, a value is worth no more
 * than by how often each of its characters occurs.
 */
import { isUtf8 } from 'node:buffer';
import type { Bytes } from '../crypto/bytes.ts';
import {
  asLower,
  commonWordAt,
  isDigit,
  isLetter,
  isLower,
  isPlaceholder,
  isUpper,
  passphraseBits,
  wordAt,
  type Piece,
} from './words.ts';

const mostLooked = 256;
const yearBits = 7;
/** A sign beside a word. */
const signBits = 3;
const digitBits = Math.log2(10);
/** So many characters that are no letters belong to the word before them: `Word12!`. */
const mostAfterWord = 4;

const dash = 0x2d;

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

const isOther = (byte: number): boolean => byte < 0x20 || byte >= 0x7f;
const isSign = (byte: number): boolean => !isLetter(byte) && !isDigit(byte) && !isOther(byte);
const isHex = (byte: number): boolean => isDigit(byte) || (asLower(byte) >= 0x61 && asLower(byte) <= 0x66);

/** Digits, or hexadecimal ones in one case, and dashes among them. */
function isNumber(bytes: Uint8Array): boolean {
  const mixed = bytes.some(isLower) && bytes.some(isUpper);
  return !mixed && bytes.every((byte) => isHex(byte) || byte === dash);
}

function alphabetOf(bytes: Uint8Array): number {
  if (isNumber(bytes)) return bytes.some(isLetter) ? 16 : 10;
  const kinds: readonly (readonly [boolean, number])[] = [
    [bytes.some(isLower), 26],
    [bytes.some(isUpper), 26],
    [bytes.some(isDigit), 10],
    [bytes.some(isSign), 33],
    [bytes.some(isOther), 161],
  ];
  return kinds.reduce((sum, [there, size]) => sum + (there ? size : 0), 0);
}

/**
 * What bytes take when each is told by how often it has occurred before (the estimator of Krichevsky and Trofimov). No code makes more than one in 2^k
 * random values shorter by k bits, so that this finds no weakness in what a generator made.
 */
function countedBits(bytes: Uint8Array, alphabet: number): number {
  const counts = new Uint16Array(256);
  let bits = 0;
  for (const [index, byte] of bytes.entries()) {
    const before = counts[byte] ?? 0;
    bits += Math.log2((index + alphabet / 2) / (before + 0.5));
    counts[byte] = before + 1;
  }
  return bits;
}

function binaryBits(bytes: Uint8Array): number {
  const bits = bytes.reduce((sum, _, at) => sum + characterAt(bytes, at, 8).bits, 0);
  return Math.min(bits, countedBits(bytes, 256));
}

function textBits(bytes: Uint8Array): number {
  if (isPlaceholder(bytes)) return 0;
  const passphrase = passphraseBits(bytes);
  const alphabet = Math.max(2, alphabetOf(bytes));
  const bits = Math.min(piecesBits(bytes, Math.log2(alphabet)), countedBits(bytes, alphabet));
  return passphrase === null ? bits : Math.max(passphrase, bits);
}

function piecesBits(bytes: Uint8Array, each: number): number {
  const dashBits = isNumber(bytes) ? 0 : each;
  let bits = 0;
  /** Since the last word. */
  let after = mostAfterWord;
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at] ?? 0;
    const isStart = after === 0 || !isLetter(bytes[at - 1] ?? 0);
    const word = commonWordAt(bytes, at) ?? yearAt(bytes, at) ?? wordAt(bytes, at, each, isStart);
    const belongs = after < mostAfterWord && !isLetter(byte);
    const alone = byte === dash ? dashBits : each;
    const most = belongs ? Math.min(alone, isDigit(byte) ? digitBits : signBits) : alone;
    const piece = word ?? characterAt(bytes, at, most);
    bits += piece.bits;
    at += piece.length;
    after = word === null ? (isLetter(byte) ? mostAfterWord : after + 1) : 0;
  }
  return bits;
}

function yearAt(bytes: Uint8Array, at: number): Piece | null {
  const [first = 0, second = 0] = bytes.subarray(at, at + 2);
  const isCentury = (first === 0x31 && second === 0x39) || (first === 0x32 && second === 0x30);
  const rest = bytes.subarray(at + 2, at + 4);
  if (!isCentury || rest.length < 2 || !rest.every(isDigit)) return null;
  const isAlone = !isDigit(bytes[at + 4] ?? 0) && !isDigit(bytes[at - 1] ?? 0);
  return isAlone ? { length: 4, bits: yearBits } : null;
}

/** One character; the third of a row is worth one bit. */
function characterAt(bytes: Uint8Array, at: number, each: number): Piece {
  const [before = -9, last = -9, here = 0] = [bytes[at - 2], bytes[at - 1], bytes[at]];
  const step = here - last;
  const inRow = at >= 2 && Math.abs(step) <= 1 && step === last - before;
  return { length: 1, bits: inRow ? Math.min(each, 1) : each };
}
