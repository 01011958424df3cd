/** A value as lines of a screen: nothing in it commands the terminal, and no line is wider than there is room. */
import wrapAnsi from 'wrap-ansi';
import { safeText } from '../safe-text.ts';

export interface ValueText {
  readonly lines: readonly string[];
  /** Whether there is more of it than these lines. */
  readonly isCut: boolean;
  readonly kind: 'text' | 'binary' | 'empty';
}

const tab = '    ';
const narrowestDump = 3;

/** Bytes (borrowed) as at most so many lines of so many columns. Text as it is; what is no text, or has a zero byte, in hexadecimal. */
export function valueText(bytes: Uint8Array, columns: number, most: number): ValueText {
  if (bytes.length === 0) return { lines: ['(empty)'], isCut: false, kind: 'empty' };
  const text = textOf(bytes);
  const width = Math.max(columns, narrowestDump);
  const all = text === null ? dump(bytes, width, most) : wrap(text, width, most);
  return { lines: all.slice(0, most), isCut: all.length > most, kind: text === null ? 'binary' : 'text' };
}

/** Safe text as lines of a screen, between words where that is possible. */
export function wrapLines(text: string, columns: number): string[] {
  return wrapAnsi(text, columns, { hard: true }).split('\n');
}

function textOf(bytes: Uint8Array): string | null {
  if (bytes.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** One line more than is wanted, where there are more. */
function wrap(text: string, columns: number, most: number): string[] {
  const lines: string[] = [];
  for (const line of text.replace(/\r?\n$/u, '').split(/\r?\n/u)) {
    // A character takes at least a column, or belongs to one that does; what will not be seen need not be laid out.
    const head = line.slice(0, columns * (most + 1) * 8);
    const safe = safeText(head.replaceAll('\t', tab));
    lines.push(...wrapAnsi(safe, columns, { hard: true, trim: false, wordWrap: false }).split('\n'));
    if (lines.length > most) break;
  }
  return lines;
}

function dump(bytes: Uint8Array, columns: number, most: number): string[] {
  const perLine = Math.max(1, Math.min(16, Math.floor((columns + 1) / 3)));
  const lines: string[] = [];
  for (let at = 0; at < bytes.length && lines.length <= most; at += perLine) {
    const part = bytes.subarray(at, at + perLine);
    lines.push(Array.from(part, (byte) => byte.toString(16).padStart(2, '0')).join(' '));
  }
  return lines;
}
