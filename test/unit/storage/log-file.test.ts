/** The audit log as a file: its end, its appends, and appends that fail. docs/format.md section 9. */
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { utf8, type Bytes } from '../../../src/crypto/bytes.ts';
import { AuditError, IntegrityError } from '../../../src/errors.ts';
import { realFileSystem, type FileSystem } from '../../../src/storage/file-system.ts';
import { createLog, openLog, openLogReader, splitTail, type LogFile } from '../../../src/storage/log-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { diskError, failingOnce, watchedFileSystem, type Step } from '../../support/watched-file-system.ts';

const newPath = (): string => path.join(temporaryFolder(), 'team.vault.audit.jsonl');
const text = (lines: readonly Bytes[]): string[] => lines.map((line) => Buffer.from(line).toString());

function logWith(content: string, fs: FileSystem = realFileSystem): { at: string; log: LogFile } {
  const at = newPath();
  writeFileSync(at, content);
  const log = openLog(fs, at);
  if (log === null) throw new Error('it is there');
  return { at, log };
}

describe('the end of the log', () => {
  test('of an empty one', () => {
    const { log } = logWith('');
    expect(log.tail()).toEqual({ lines: [], complete: true, torn: 0 });
  });

  test('whole lines, without their LFs, oldest first', () => {
    const { log } = logWith('one\ntwo\n\nfour\n');
    const { lines, complete, torn } = log.tail();
    expect(text(lines)).toEqual(['one', 'two', '', 'four']);
    expect({ complete, torn }).toEqual({ complete: true, torn: 0 });
  });

  test('an unfinished last line is counted, and no line', () => {
    const { log } = logWith('one\ntwo\n{"half');
    const { lines, torn } = log.tail();
    expect(text(lines)).toEqual(['one', 'two']);
    expect(torn).toBe(6);
  });

  test('nothing but an unfinished line', () => {
    const { log } = logWith('{"half');
    expect(log.tail()).toEqual({ lines: [], complete: true, torn: 6 });
  });

  test('of a long log, only what is needed is read, and no piece of a line is taken for one', () => {
    const line = (number: number): string => `${number}`.padStart(1_000, '.');
    const all = Array.from({ length: 1_000 }, (_, number) => line(number));
    const read: number[] = [];
    const fs = {
      ...realFileSystem,
      readSync: ((...args: Parameters<typeof realFileSystem.readSync>) => {
        const count = realFileSystem.readSync(...args);
        read.push(count);
        return count;
      }) as typeof realFileSystem.readSync,
    };
    const { log } = logWith(`${all.join('\n')}\n`, fs);
    const { lines, complete } = log.tail();
    expect(complete).toBe(false);
    expect(text(lines)).toEqual(all.slice(-lines.length));
    expect(read.reduce((sum, count) => sum + count, 0)).toBeLessThan(200_000);
    const wanted = log.tail((found) => found.length >= 500);
    expect(wanted.lines.length).toBeGreaterThanOrEqual(500);
    expect(text(wanted.lines)).toEqual(all.slice(-wanted.lines.length));
    const whole = log.tail(() => false);
    expect(whole.complete).toBe(true);
    expect(text(whole.lines)).toEqual(all);
  });

  test('a line longer than the first read is found whole', () => {
    const long = 'x'.repeat(300_000);
    const { log } = logWith(`first\n${long}\n`);
    expect(text(log.tail().lines).at(-1)).toBe(long);
  });

  test('splitting is what it says', () => {
    expect(splitTail(utf8(''))).toEqual({ lines: [], torn: 0 });
    expect(splitTail(utf8('a\nb'))).toEqual({ lines: [utf8('a')], torn: 1 });
  });
});

test('cutting removes the unfinished line and flushes', () => {
  const calls: Step[] = [];
  const fs = watchedFileSystem((step) => calls.push(step));
  const { at, log } = logWith('one\n{"half', fs);
  log.cut(log.tail().torn);
  expect(readFileSync(at, 'utf8')).toBe('one\n');
  expect(log.size).toBe(4);
  expect(calls.map(({ call }) => call).slice(-2)).toEqual(['ftruncateSync', 'fsyncSync']);
  log.append(utf8('two\n'));
  expect(readFileSync(at, 'utf8')).toBe('one\ntwo\n');
});

describe('appending', () => {
  test('adds at the end and flushes before it returns', () => {
    const calls: string[] = [];
    const fs = watchedFileSystem(({ call }) => calls.push(call));
    const { at, log } = logWith('one\n', fs);
    log.append(utf8('two\n'));
    expect(readFileSync(at, 'utf8')).toBe('one\ntwo\n');
    expect(calls.slice(-2)).toEqual(['writeSync', 'fsyncSync']);
    expect(log.size).toBe(8);
  });

  test('of a new log flushes its folder too', () => {
    const calls: Step[] = [];
    const fs = watchedFileSystem((step) => calls.push(step));
    const at = newPath();
    createLog(fs, at).append(utf8('one\n'));
    expect(calls.slice(-3).map(({ call, path: of }) => [call, of])).toEqual([
      ['openSync', path.dirname(at)],
      ['fsyncSync', path.dirname(at)],
      ['closeSync', path.dirname(at)],
    ]);
    expect(statSync(at).mode & 0o777).toBe(0o600);
  });

  test('goes on after a short write', () => {
    const fs = {
      ...realFileSystem,
      writeSync: ((descriptor: number, bytes: Uint8Array, offset: number, length: number) =>
        realFileSystem.writeSync(
          descriptor,
          bytes,
          offset,
          Math.min(length, 3),
        )) as typeof realFileSystem.writeSync,
    };
    const { at, log } = logWith('one\n', fs);
    log.append(utf8('a longer line\n'));
    expect(readFileSync(at, 'utf8')).toBe('one\na longer line\n');
  });

  test.each(['writeSync', 'fsyncSync'] as const)('that fails at %s leaves the log as it was', (failing) => {
    const { at, log } = logWith(
      'one\n',
      failingOnce(({ call }) => call === failing, 'ENOSPC'),
    );
    const append = (): void => log.append(utf8('two\n'));
    expect(append).toThrow(AuditError);
    expect(readFileSync(at, 'utf8')).toBe('one\n');
    expect(log.size).toBe(4);
    log.append(utf8('three\n'));
    expect(readFileSync(at, 'utf8')).toBe('one\nthree\n');
  });

  test('that fails half-way leaves the log as it was', () => {
    let writes = 0;
    const fs = {
      ...realFileSystem,
      writeSync: ((descriptor: number, bytes: Uint8Array, offset: number) => {
        writes += 1;
        if (writes > 1) throw diskError('ENOSPC');
        return realFileSystem.writeSync(descriptor, bytes, offset, 2);
      }) as typeof realFileSystem.writeSync,
    };
    const { at, log } = logWith('one\n', fs);
    expect(() => log.append(utf8('two\n'))).toThrow(/no space left on the disk/);
    expect(readFileSync(at, 'utf8')).toBe('one\n');
  });

  test('where even the cut fails, the unfinished line is there for the next to cut', () => {
    let writes = 0;
    const fs = {
      ...realFileSystem,
      writeSync: ((descriptor: number, bytes: Uint8Array, offset: number) => {
        writes += 1;
        if (writes > 1) throw diskError('EIO');
        return realFileSystem.writeSync(descriptor, bytes, offset, 2);
      }) as typeof realFileSystem.writeSync,
      ftruncateSync: () => {
        throw diskError('EIO');
      },
    };
    const { at, log } = logWith('one\n', fs);
    expect(() => log.append(utf8('two\n'))).toThrow(AuditError);
    expect(readFileSync(at, 'utf8')).toBe('one\ntw');
    const next = openLog(realFileSystem, at);
    expect(next?.tail().torn).toBe(2);
  });

  test('that cannot flush the folder of a new log leaves it empty', () => {
    const at = newPath();
    const log = createLog(
      failingOnce(({ call, path: of }) => call === 'fsyncSync' && of === path.dirname(at)),
      at,
    );
    expect(() => log.append(utf8('one\n'))).toThrow(AuditError);
    expect(readFileSync(at, 'utf8')).toBe('');
  });
});

describe('opening', () => {
  test('what is not there is null', () => {
    expect(openLog(realFileSystem, newPath())).toBeNull();
    expect(openLogReader(realFileSystem, newPath())).toBeNull();
  });

  test('a link is refused, whatever it points to', () => {
    const at = newPath();
    writeFileSync(`${at}-target`, 'precious');
    symlinkSync(`${at}-target`, at);
    for (const opening of [openLog, openLogReader]) {
      expect(() => opening(realFileSystem, at)).toThrow(
        expect.objectContaining({ code: 'UNSAFE_PATH' }) as Error,
      );
    }
    expect(() => createLog(realFileSystem, at)).toThrow(AuditError);
    expect(readFileSync(`${at}-target`, 'utf8')).toBe('precious');
  });

  test('a folder is refused', () => {
    const at = newPath();
    mkdirSync(at);
    expect(() => openLogReader(realFileSystem, at)).toThrow(IntegrityError);
  });

  test('making a log never writes over one', () => {
    const { at } = logWith('one\n');
    expect(() => createLog(realFileSystem, at)).toThrow(AuditError);
    expect(readFileSync(at, 'utf8')).toBe('one\n');
  });

  test('a disk that fails is an audit error, exit 10', () => {
    const { at } = logWith('one\n');
    const failing = (call: Step['call']): FileSystem => failingOnce((step) => step.call === call);
    const error = expect.objectContaining({ exitCode: 10 }) as Error;
    expect(() => openLogReader(failing('readSync'), at)?.read(0, 1)).toThrow(error);
    expect(() => openLog(failing('readSync'), at)?.tail()).toThrow(error);
  });
});
