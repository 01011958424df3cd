/** Parts of the console's screen: values as lines, what fits, keys as the library tells them, the seconds of a value. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Key } from 'ink';
import { Countdown } from '../../../src/terminal/console/countdown.ts';
import { keysOf } from '../../../src/terminal/console/keys.ts';
import { columnsFor, firstRow, layoutFor } from '../../../src/terminal/console/layout.ts';
import { valueText } from '../../../src/terminal/console/value-text.ts';

const text = (value: string, columns = 20, most = 5) => valueText(Buffer.from(value), columns, most);

/** Columns on a terminal: of these letters, marks and ideographs. */
const widthOf = (line: string): number =>
  Array.from(line.replaceAll(/\p{M}/gu, '').replaceAll(/\p{Script=Han}/gu, 'xx')).length;

describe('a value as lines', () => {
  test('is itself, without its last newline', () => {
    expect(text('hunter2')).toEqual({ lines: ['hunter2'], isCut: false, kind: 'text' });
    expect(text('a\nb\r\n\nc\n').lines).toEqual(['a', 'b', '', 'c']);
    expect(text('  two  blanks ').lines).toEqual(['  two  blanks ']);
    expect(text('a\tb').lines).toEqual(['a    b']);
  });

  test('is cut at the width and at the number of lines, and says so', () => {
    expect(text('0123456789'.repeat(3), 20)).toEqual({
      lines: ['01234567890123456789', '0123456789'],
      isCut: false,
      kind: 'text',
    });
    expect(text('x'.repeat(101), 20)).toMatchObject({ lines: Array(5).fill('x'.repeat(20)), isCut: true });
    expect(text('1\n2\n3\n4\n5')).toMatchObject({ isCut: false });
    expect(text('1\n2\n3\n4\n5\n6')).toMatchObject({ lines: ['1', '2', '3', '4', '5'], isCut: true });
  });

  test('is never wider than there is room, whatever it is written in', () => {
    for (const value of ['値'.repeat(50), 'e\u0301'.repeat(50), 'ab値'.repeat(20), '\u001b'.repeat(40)])
      for (const columns of [7, 20])
        for (const line of text(value, columns, 50).lines)
          expect([value, widthOf(line) <= columns]).toEqual([value, true]);
  });

  test('commands nothing', () => {
    const { lines } = text('\u001b[31m\u001b]0;x\u0007\u009b2J\u202e\rz', 200);
    expect(lines).toEqual(['\\u001b[31m\\u001b]0;x\\u0007\\u009b2J\\u202e\\u000dz']);
  });

  test('of bytes is hexadecimal, of nothing says so', () => {
    expect(valueText(Uint8Array.of(0xff, 0, 0x10), 20, 5)).toEqual({
      lines: ['ff 00 10'],
      isCut: false,
      kind: 'binary',
    });
    expect(valueText(Buffer.from('a\0b'), 20, 5).kind).toBe('binary');
    const long = valueText(new Uint8Array(100), 20, 5);
    expect([long.lines.length, long.isCut]).toEqual([5, true]);
    for (const line of long.lines) expect(line.length).toBeLessThanOrEqual(20);
    expect(valueText(new Uint8Array(), 20, 5)).toEqual({ lines: ['(empty)'], isCut: false, kind: 'empty' });
  });

  test('of 16 MiB in one line is laid out as far as it is seen', () => {
    const begin = performance.now();
    expect(text('x'.repeat(16 * 1024 ** 2), 80, 24).isCut).toBe(true);
    expect(performance.now() - begin).toBeLessThan(2_000);
  });
});

const usual = { value: 1, status: 1 };

describe('a screen', () => {
  test('is never more than there are rows, and always has a list and a status line', () => {
    for (let rows = 1; rows <= 80; rows += 1)
      for (const wanted of [1, 3, 200]) {
        const { list, value, status, trail, ...has } = layoutFor(rows, 80, { value: wanted, status: 1 });
        const lines = Object.values(has).filter((part) => part === true).length;
        const used = list + value + (trail === 0 ? 0 : trail + 1) + lines + status;
        expect([rows, wanted, used]).toEqual([rows, wanted, Math.max(rows, 2)]);
        expect(list).toBeGreaterThanOrEqual(1);
        expect(value).toBeLessThanOrEqual(wanted);
      }
  });

  test('has all parts at 24 rows, and the value before other comforts', () => {
    const all = { hasTitle: true, hasTabs: true, hasHeading: true, hasDetails: true, hasKeys: true };
    expect(layoutFor(24, 80, usual)).toMatchObject({ ...all, value: 1 });
    expect(layoutFor(24, 80, usual).trail).toBeGreaterThanOrEqual(3);
    expect(layoutFor(10, 40, usual)).toMatchObject({ ...all, trail: 0 });
    expect(layoutFor(3, 40, usual)).toMatchObject({ value: 1, hasTabs: false, hasKeys: false });
  });

  test('has the columns that fit, and no more', () => {
    for (let width = 1; width <= 200; width += 1) {
      const columns = columnsFor(width);
      const used = columns.reduce((sum, column) => sum + column.width, columns.length - 1);
      expect([width, used <= Math.max(width, 1)]).toEqual([width, true]);
      expect(columns[0]?.field).toBe('name');
    }
    const fields = (width: number): string[] => columnsFor(width).map(({ field }) => field);
    expect(fields(20)).toEqual(['name']);
    expect(fields(38)).toEqual(['name', 'due']);
    expect(fields(120)).toHaveLength(8);
  });

  test('shows the chosen one, wherever it is', () => {
    for (let index = 0; index < 50; index += 1) {
      const first = firstRow(index, 50, 7);
      expect([index, index >= first && index < first + 7 && first <= 43]).toEqual([index, true]);
    }
    expect(firstRow(0, 3, 7)).toBe(0);
    expect(firstRow(0, 0, 7)).toBe(0);
  });
});

describe('keys', () => {
  const none = Object.fromEntries(
    ['upArrow', 'downArrow', 'tab', 'shift', 'ctrl', 'meta', 'escape', 'return', 'backspace'].map((name) => [
      name,
      false,
    ]),
  ) as unknown as Key;
  const keys = (input: string, more: Partial<Key> = {}) => keysOf(input, { ...none, ...more });

  test('have names, characters are themselves', () => {
    expect(keys('', { upArrow: true })).toEqual(['<up>']);
    expect(keys('', { return: true })).toEqual(['<enter>']);
    expect(keys('', { tab: true, shift: true })).toEqual(['<backtab>']);
    expect(keys('c', { ctrl: true })).toEqual(['<ctrl-c>']);
    expect(keys('値')).toEqual(['値']);
    expect(keys('<')).toEqual(['<']);
  });

  test('that come at once are as many keys', () => {
    expect(keys('jj\rx\u007f\u0003')).toEqual(['j', 'j', '<enter>', 'x', '<backspace>', '<ctrl-c>']);
    expect(keys('q', { meta: true })).toEqual(['<escape>', 'q']);
    expect(keys('\u0001\u009b')).toEqual([]);
  });
});

describe('the seconds of a value', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  function counting(): { told: number[]; pass: (ms: number, slept?: number) => void; countdown: Countdown } {
    vi.useFakeTimers();
    let [monotonic, wall] = [0, 1_000_000];
    const told: number[] = [];
    const countdown = new Countdown({ monotonic: () => monotonic, wallClock: () => wall });
    countdown.start(10, (left) => told.push(left));
    const pass = (ms: number, slept = 0): void => {
      monotonic += ms;
      wall += ms + slept;
      vi.advanceTimersByTime(200);
    };
    return { told, pass, countdown };
  }

  test('are told as they pass, down to none', () => {
    const { told, pass } = counting();
    for (let tick = 0; tick < 100; tick += 1) pass(200);
    expect(told).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  });

  test('pass while the machine sleeps, and whatever the clock is set to', () => {
    const slept = counting();
    slept.pass(200, 60_000);
    expect(slept.told).toEqual([0]);
    const setBack = counting();
    for (let tick = 0; tick < 60; tick += 1) setBack.pass(200, -10_000);
    expect(setBack.told.at(-1)).toBe(0);
  });

  test('end when they are stopped', () => {
    const { told, pass, countdown } = counting();
    countdown.stop();
    pass(20_000);
    expect(told).toEqual([]);
  });
});
