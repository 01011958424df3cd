import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchArguments } from '../../src/exec/batch-file.ts';
import { findProgram } from '../../src/exec/find-program.ts';

let root = '';

beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'vault-test-'));
  for (const folder of ['one', 'two', 'one/folder']) mkdirSync(path.join(root, folder));
  const file = (name: string, mode: number): void => {
    writeFileSync(path.join(root, name), '');
    chmodSync(path.join(root, name), mode);
  };
  file('one/both', 0o755);
  file('two/both', 0o755);
  file('one/later', 0o644);
  file('two/later', 0o755);
  file('one/plain', 0o644);
  file('two/folder', 0o755);
  file('here', 0o755);
  file('one/tool.cmd', 0o755);
  symlinkSync('nowhere', path.join(root, 'one/broken'));
  mkdirSync(path.join(root, 'one/only-folder'));
});

afterAll(() => rmSync(root, { recursive: true }));

describe('findProgram', () => {
  const find = (command: string, PATH?: string) =>
    findProgram(command, PATH === undefined ? {} : { PATH }, root, 'linux');
  const both = (): string => `${root}/one:${root}/two`;

  test('takes the first in PATH that can run', () => {
    expect(find('both', both())).toEqual({ path: `${root}/one/both` });
    expect(find('later', both())).toEqual({ path: `${root}/two/later` });
    expect(find('folder', both())).toEqual({ path: `${root}/two/folder` });
  });

  test('takes relative parts of PATH, an empty one too, from the working folder', () => {
    expect(find('both', 'two')).toEqual({ path: 'two/both' });
    expect(find('here', `${root}/one:`)).toEqual({ path: './here' });
    expect(find('here', '')).toEqual({ path: './here' });
  });

  test('does not look in PATH for a path', () => {
    expect(find('one/both', '/nowhere')).toEqual({ path: 'one/both' });
    expect(find('./both', both())).toMatchObject({ path: null, status: 127 });
    expect(find(`${root}/here`, '/nowhere')).toEqual({ path: `${root}/here` });
  });

  test('without PATH there is the system’s', () => expect(find('sh')).toEqual({ path: '/bin/sh' }));

  test.each([
    ['nothing-of-the-kind', 127, 'not found'],
    ['broken', 127, 'not found'],
    ['plain', 126, 'permission denied'],
    ['only-folder', 126, 'is a folder'],
    ['', 127, 'empty'],
    ['./one', 126, 'is a folder'],
    ['one/plain', 126, 'permission denied'],
    ['here/', 127, 'not found'],
  ])('%s: %i', (command, status, reason) => {
    expect(find(command, both())).toEqual({
      path: null,
      status,
      reason: expect.stringContaining(reason) as string,
    });
  });
});

describe('batch files of Windows', () => {
  test('get quoted words, or nothing', () => {
    expect(batchArguments(String.raw`C:\Program Files\npm.cmd`, ['run', 'a b'])).toEqual([
      '/d',
      '/s',
      '/c',
      String.raw`""C:\Program Files\npm.cmd" "run" "a b""`,
    ]);
    for (const bad of ['%PATH%', 'a"b', 'a&b', '^', 'x\n', '!x!', '|', '<', 'ends\\', 'é%']) {
      expect(batchArguments('npm.cmd', [bad])).toBeNull();
    }
  });
});
