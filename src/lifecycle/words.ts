/**
 * Words in bytes: common ones, what could be one of some language, and what stands where a value is still to be filled in. No text is made
 * of the bytes.
 */
import { commonWords, emptyWords, placeholders, shortWords } from './common-words.ts';

/** What an estimate is made of. */
export interface Piece {
  /** In bytes. */
  readonly length: number;
  readonly bits: number;
}

/** One of some two hundred, in one of the usual places. */
const commonWordBits = 9;
const shortWordBits = 5;
/** A capital at the start, or a digit for a letter. */
const variationBits = 2;
/** Text of a natural language, by the letter; beside a start. */
const letterBits = 2.2;
const firstLetterBits = 4;
/** That a word begins at a capital, as a sign between two would say, or after a digit, where hardly any does. */
const capitalBits = 3;
const afterDigitBits = 6;
/** Letters beyond are worth more, and the whole has to look more like a language: it may be chance. */
const longestWord = 9;
const moreBits = 1;
/** Of the pairs of letters in a word, so many are usual ones. */
const usualPairsOf = { short: 0.65, long: 0.85 } as const;

const code = (text: string): number => text.charCodeAt(0);
export const isDigit = (byte: number): boolean => byte >= code('0') && byte <= code('9');
export const isLower = (byte: number): boolean => byte >= code('a') && byte <= code('z');
export const isUpper = (byte: number): boolean => byte >= code('A') && byte <= code('Z');
export const isLetter = (byte: number): boolean => isLower(byte) || isUpper(byte);
export const asLower = (byte: number): number => (isUpper(byte) ? byte + 32 : byte);

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, code);

/** Signs that stand for letters. */
const standIns = new Map(
  ['4a', '@a', '8b', '3e', '1i', '!i', '0o', '5s', '$s', '7t'].map((pair) => [
    pair.charCodeAt(0),
    pair.charCodeAt(1),
  ]),
);

interface KnownWord {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** Words by their first byte, the longest first. */
const wordsByStart = new Map<number, KnownWord[]>();
for (const word of [...commonWords].sort((a, b) => b.length - a.length)) {
  const known = { bytes: bytesOf(word), bits: emptyWords.has(word) ? 0 : commonWordBits };
  const same = wordsByStart.get(code(word));
  if (same === undefined) wordsByStart.set(code(word), [known]);
  else same.push(known);
}

export function commonWordAt(bytes: Uint8Array, at: number): Piece | null {
  const plain = (byte: number): number => standIns.get(byte) ?? byte;
  const first = asLower(bytes[at] ?? 0);
  for (const start of new Set([first, plain(first)])) {
    for (const { bytes: word, bits } of wordsByStart.get(start) ?? []) {
      const found = bytes.subarray(at, at + word.length);
      const fits = (wanted: number, index: number): boolean => {
        const byte = found[index] ?? 0;
        return asLower(byte) === wanted || plain(byte) === wanted;
      };
      if (!word.every(fits)) continue;
      const isVaried = bits > 0 && word.some((wanted, index) => found[index] !== wanted);
      return { length: word.length, bits: bits + (isVaried ? variationBits : 0) };
    }
  }
  return null;
}

const shorts = shortWords.map(bytesOf);

/** Whether bytes are this word, in small or capital letters. */
function isWord(bytes: Uint8Array, word: Uint8Array): boolean {
  return bytes.length === word.length && word.every((wanted, index) => asLower(bytes[index] ?? 0) === wanted);
}

const isShort = (letters: Uint8Array): boolean => shorts.some((word) => isWord(letters, word));

const vowels = new Set(bytesOf('aeiouy'));

/** The pairs of letters that make up 95 % of the words of English, French, Italian, Portuguese and Spanish: first letter, then second ones. */
const usualPairs = new Map(
  (
    'abcdfgiklmnprstuvwyz baeilorsu cacehiklorstu dadeilorsu eabcdefgilmnoprstuvwxyz faefilorstu gaehilnorsu haeioru ' +
    'iabcdefgklmnoprstvxz jaeou kaeios lacdehilmostuy mabeimopsuy nacdefghiklnostuvz oabcdefgiklmnoprstuvwxy paehiloprstuy ' +
    'qu rabcdefgiklmnoprstuvy sacefhiklmopstuwy tacefhilmoprstuwy uabcdefgilmnprstx vaeio waeio xeipt yaenps zaeio'
  )
    .split(' ')
    .map((line): [number, ReadonlySet<number>] => [code(line), new Set(bytesOf(line.slice(1)))]),
);

/** The share of pairs that are usual. */
function usualShare(letters: Uint8Array): number {
  let pairs = 0;
  let usual = 0;
  for (const [index, letter] of letters.subarray(1).entries()) {
    const before = letters[index] ?? 0;
    // Another word begins.
    if (isLower(before) && isUpper(letter)) continue;
    pairs += 1;
    if (usualPairs.get(asLower(before))?.has(asLower(letter)) === true) usual += 1;
  }
  return usual / Math.max(1, pairs);
}

/** Whether letters can be spoken: a vowel, and never more than a few consonants in a row. */
function isSpoken(letters: Uint8Array, mostSilent: number): boolean {
  let silent = 0;
  let voiced = false;
  for (const letter of letters) {
    silent = vowels.has(asLower(letter)) ? 0 : silent + 1;
    voiced ||= silent === 0;
    if (silent > mostSilent) return false;
  }
  return voiced;
}

/** How many words letters are by their capitals: `word`, `Word`, `WORD`, `SomeWords`; `null` where one has a single letter. */
function countByCapitals(letters: Uint8Array): number | null {
  if (letters.every(isUpper)) return 1;
  let count = 1;
  let length = 1;
  for (const letter of letters.subarray(1)) {
    if (isLower(letter)) {
      length += 1;
      continue;
    }
    if (length < 2) return null;
    count += 1;
    length = 1;
  }
  return length < 2 ? null : count;
}

/**
 * Letters that could be words of some language, up to where a common one begins; none in the middle of other letters.
 * @param each bits of a character that is none of a word
 * @param isStart whether whatever is before ends there
 */
export function wordAt(bytes: Uint8Array, at: number, each: number, isStart: boolean): Piece | null {
  if (!isStart) return null;
  let end = at;
  while (isLetter(bytes[end] ?? 0) && (end === at || commonWordAt(bytes, end) === null)) end += 1;
  const letters = bytes.subarray(at, end);
  const { length } = letters;
  if (isShort(letters) && !isLetter(bytes[end] ?? 0))
    return { length, bits: Math.min(length * each, shortWordBits) };
  const count = countByCapitals(letters);
  if (length < 3 || count === null) return null;
  const isLong = count > 1 || length > longestWord;
  if (!isSpoken(letters, isLong ? 5 : 3)) return null;
  if (usualShare(letters) < usualPairsOf[isLong ? 'long' : 'short']) return null;
  const beyond = Math.max(0, length - count * longestWord);
  const capitals = (count - 1) * capitalBits;
  const starts = count * firstLetterBits + capitals + (isDigit(bytes[at - 1] ?? 0) ? afterDigitBits : 0);
  const bits = starts + length * letterBits + beyond * moreBits;
  return { length, bits: Math.min(length * each, bits) };
}

const separators = new Set(bytesOf('-_. '));
const isSeparator = (byte: number): boolean => separators.has(byte);

const leastWords = 4;
/** With the sign beside it. */
const passphraseWordBits = 12.5;

/**
 * Bits of what a generator of passphrases made: four words or more, in small letters, with one sign between them, and hardly any of them a common
 * one. Ours draws from 2,048 words: four are 44 bits, which is enough against guessing online. `null` for anything else.
 */
export function passphraseBits(bytes: Uint8Array): number | null {
  const separator = bytes.find((byte) => !isLower(byte)) ?? 0;
  if (!isSeparator(separator)) return null;
  let count = 0;
  let common = 0;
  for (let at = 0; at <= bytes.length;) {
    const end = bytes.indexOf(separator, at);
    const word = bytes.subarray(at, end < 0 ? bytes.length : end);
    if (word.length < 3 || word.length > 8 || !word.every(isLower)) return null;
    count += 1;
    if (commonWordAt(word, 0)?.length === word.length) common += 1;
    at += word.length + 1;
  }
  return count >= leastWords && common * 2 <= count ? count * passphraseWordBits : null;
}

const phrases = placeholders.map(bytesOf);
const optional = code('~');
const documented = bytesOf('EXAMPLE');
const your = bytesOf('your');

/** Where a phrase that begins here ends, or -1. */
function endOfPhrase(bytes: Uint8Array, at: number, phrase: Uint8Array): number {
  let end = at;
  for (const wanted of phrase) {
    if (wanted === optional) {
      if (isSeparator(bytes[end] ?? 0)) end += 1;
    } else if (asLower(bytes[end] ?? 0) === wanted) end += 1;
    else return -1;
  }
  return end;
}

/** Whether a value says that one is to come: `change-me`, `YOUR_TOKEN`, the `…EXAMPLE` of documents. */
export function isPlaceholder(bytes: Uint8Array): boolean {
  for (const at of bytes.keys()) {
    if (documented.every((wanted, index) => bytes[at + index] === wanted)) return true;
    if (isLetter(bytes[at - 1] ?? 0)) continue;
    if (isSeparator(bytes[endOfPhrase(bytes, at, your)] ?? 0)) return true;
    const ends = phrases.map((phrase) => endOfPhrase(bytes, at, phrase));
    if (ends.some((end) => end >= 0 && !isLetter(bytes[end] ?? 0))) return true;
  }
  return false;
}
