/** A log read along in chunks: every whole line once, wherever chunks end. docs/format.md section 9. */
import { appendFileSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { AuditError, IntegrityError } from '../../../src/errors.ts';
import { realFileSystem, type FileSystem } from '../../../src/storage/file-system.ts';
import { openLogScan, type LogScan } from '../../../src/storage/log-scan.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failingOnce } from '../../support/watched-file-system.ts';

const chunk = 256 * 1024;
const newPath = (): string => path.join(temporaryFolder(), 'log');

function scanOf(content: string, fs: FileSystem = realFileSystem): { at: string; scan: LogScan } {
  const at = newPath();
  writeFileSync(at, content);
  const scan = openLogScan(fs, at);
  if (scan === null) throw new Error('it is there');
  return { at, scan };
}

interface Seen {
  /** How the line begins. */
  readonly begins: string;
  readonly offset: number;
  readonly length: number;
}

function linesOf(scan: LogScan, from = 0): Seen[] {
  const seen: Seen[] = [];
  scan.lines(from, (text, at, offset, length) => {
    seen.push({ begins: text.slice(at, at + Math.min(length, 8)), offset, length });
  });
  return seen;
}

describe('lines', () => {
  test('of an empty log: none', () => {
    expect(linesOf(scanOf('').scan)).toEqual([]);
  });

  test('each with its place; an unfinished last one is none', () => {
    const { scan } = scanOf('one\n\nthree\nhalf');
    expect(linesOf(scan)).toEqual([
      { begins: 'one', offset: 0, length: 3 },
      { begins: '', offset: 4, length: 0 },
      { begins: 'three', offset: 5, length: 5 },
    ]);
    expect(linesOf(scan, 5)).toEqual([{ begins: 'three', offset: 5, length: 5 }]);
    expect(linesOf(scan, 11)).toEqual([]);
    expect(scan.size).toBe(15);
  });

  test('one character a byte', () => {
    expect(linesOf(scanOf('é\nx\n').scan)).toEqual([
      { begins: 'Ã©', offset: 0, length: 2 },
      { begins: 'x', offset: 3, length: 1 },
    ]);
  });

  test('wherever a chunk ends: within a line, before its LF, after it', () => {
    for (const first of [chunk - 2, chunk - 1, chunk, chunk + 1, 2 * chunk - 1, 2 * chunk, 3 * chunk + 7]) {
      const lines = ['a'.repeat(first), 'second', 'c'.repeat(chunk), 'last'];
      const seen = linesOf(scanOf(`${lines.join('\n')}\n`).scan);
      let offset = 0;
      const expected = lines.map((line) => {
        const place = { begins: line.slice(0, 8), offset, length: line.length };
        offset += line.length + 1;
        return place;
      });
      expect([first, seen]).toEqual([first, expected]);
    }
  });

  test('a long unfinished line is none', () => {
    expect(linesOf(scanOf(`x\n${'a'.repeat(3 * chunk)}`).scan)).toHaveLength(1);
  });

  test('what is appended later is not there yet; what was cut is not there any more', () => {
    const { at, scan } = scanOf('one\ntwo\n');
    appendFileSync(at, 'three\n');
    expect(linesOf(scan)).toHaveLength(2);
    truncateSync(at, 4);
    expect(linesOf(scan)).toHaveLength(1);
  });
});

describe('bytes', () => {
  test('at an offset; null where the log has become shorter', () => {
    const { at, scan } = scanOf('one\ntwo\n');
    expect(Buffer.from(scan.read(4, 3) ?? []).toString()).toBe('two');
    expect(scan.read(4, 5)).toBeNull();
    truncateSync(at, 6);
    expect(scan.read(4, 3)).toBeNull();
  });
});

test('there may be no log', () => {
  expect(openLogScan(realFileSystem, newPath())).toBeNull();
});

test('links and folders are refused', () => {
  const target = newPath();
  writeFileSync(target, 'x\n');
  const link = newPath();
  symlinkSync(target, link);
  expect(() => openLogScan(realFileSystem, link)).toThrow(IntegrityError);
  const folder = newPath();
  mkdirSync(folder);
  expect(() => openLogScan(realFileSystem, folder)).toThrow(IntegrityError);
});

test('an error of the disk is one of the audit log', () => {
  const fs = failingOnce(({ call }) => call === 'readSync');
  const { scan } = scanOf('one\n', fs);
  expect(() => linesOf(scan)).toThrow(AuditError);
});
