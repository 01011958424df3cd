import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSecretFiles } from '../../src/exec/secret-files.ts';

const value = Buffer.from('canary\0\n');
const TMPFS_MAGIC = 0x01021994;
const linux = process.platform === 'linux';
let folder = '';

beforeEach(() => {
  // On disk: the checkout is.
  folder = mkdtempSync(path.join(import.meta.dirname, '.files-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function mode(file: string): string {
  return (statSync(file).mode & 0o777).toString(8);
}

describe('secret files', () => {
  test('hold the values, for nobody else, and are gone afterwards', () => {
    const files = createSecretFiles(
      [
        { variable: 'KEY', value },
        { variable: 'EMPTY', value: Buffer.from('') },
      ],
      {},
    );
    const file = files.paths.get('KEY') ?? '';
    const inside = path.dirname(file);
    expect(readFileSync(file)).toEqual(value);
    expect([...files.paths.keys()]).toEqual(['KEY', 'EMPTY']);
    expect([mode(file), mode(inside)]).toEqual(['600', '700']);
    writeFileSync(path.join(inside, 'made-by-the-child'), '');
    files.remove();
    expect(existsSync(inside)).toBe(false);
    files.remove();
  });

  test.runIf(linux)('are in memory where they can be', () => {
    const files = createSecretFiles([{ variable: 'KEY', value }], {});
    const type = statfsSync(files.paths.get('KEY') ?? '').type;
    files.remove();
    expect(files.inMemory).toBe(type === TMPFS_MAGIC);
    expect(type === TMPFS_MAGIC || statfsSync('/dev/shm').type !== TMPFS_MAGIC).toBe(true);
  });

  test.runIf(linux)('are not put where XDG_RUNTIME_DIR is on a disk', () => {
    const files = createSecretFiles([{ variable: 'KEY', value }], { XDG_RUNTIME_DIR: folder });
    files.remove();
    expect(files.paths.get('KEY')?.startsWith(folder)).toBe(false);
  });

  test.runIf(linux)('prefer XDG_RUNTIME_DIR, if it is in memory', () => {
    const runtime = mkdtempSync('/dev/shm/vault-test-');
    const files = createSecretFiles([{ variable: 'KEY', value }], { XDG_RUNTIME_DIR: runtime });
    const file = files.paths.get('KEY') ?? '';
    files.remove();
    const left = readdirSync(runtime);
    rmSync(runtime, { recursive: true });
    expect(file.startsWith(`${runtime}/`)).toBe(true);
    expect(left).toEqual([]);
  });

  test.each(['../KEY', 'a/b', '', '.', 'A=B'])('are not made for the variable %j', (variable) => {
    expect(() => createSecretFiles([{ variable, value }], {})).toThrow('cannot be a variable');
  });

  test('leave nothing when one of them fails', () => {
    const before = process.listenerCount('SIGTERM');
    const runtime = linux ? mkdtempSync('/dev/shm/vault-test-') : folder;
    const two = [
      { variable: 'KEY', value },
      { variable: 'KEY', value },
    ];
    expect(() => createSecretFiles(two, { XDG_RUNTIME_DIR: runtime })).toThrow('two files');
    const left = readdirSync(runtime);
    if (linux) rmSync(runtime, { recursive: true });
    expect(left).toEqual([]);
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'are removed by %s, which still ends the process',
    async (signal) => {
      const module = path.resolve(import.meta.dirname, '../../src/exec/secret-files.ts');
      const program = `
      const { createSecretFiles } = await import(${JSON.stringify(module)});
      const files = createSecretFiles([{ variable: 'KEY', value: Buffer.from('x') }], {});
      console.log(files.paths.get('KEY'));
      setInterval(() => {}, 1000);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = (await Promise.race([once(child.stdout, 'data'), once(child.stdout, 'end')])) as [
        Buffer,
      ];
      const file = line.toString().trim();
      expect(existsSync(file)).toBe(true);
      child.kill(signal);
      const [, endedBy] = (await once(child, 'exit')) as [number | null, string | null];
      expect(endedBy).toBe(signal);
      expect(existsSync(path.dirname(file))).toBe(false);
    },
  );

  test('are removed at the latest when the process ends', async () => {
    const module = path.resolve(import.meta.dirname, '../../src/exec/secret-files.ts');
    const program = `
      const { createSecretFiles } = await import(${JSON.stringify(module)});
      console.log(createSecretFiles([{ variable: 'KEY', value: Buffer.from('x') }], {}).paths.get('KEY'));
      throw new Error('on the way');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    await once(child, 'close');
    expect(path.basename(line.toString().trim())).toBe('KEY');
    expect(existsSync(path.dirname(line.toString().trim()))).toBe(false);
  });

  test('on a disk are overwritten before they are removed', async () => {
    // Linked by another name, the file shows what was done to it.
    const module = path.resolve(import.meta.dirname, '../../src/exec/secret-files.ts');
    const program = `
      import fs from 'node:fs';
      Object.defineProperty(process, 'platform', { value: 'sunos' });
      const { createSecretFiles } = await import(${JSON.stringify(module)});
      const files = createSecretFiles([{ variable: 'KEY', value: Buffer.from('canary') }], {});
      fs.linkSync(files.paths.get('KEY'), 'kept');
      files.remove();
      console.log(files.inMemory, fs.existsSync(files.paths.get('KEY')), JSON.stringify(fs.readFileSync('kept', 'latin1')));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: folder,
      env: { TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [output] = (await Promise.race([once(child.stdout, 'data'), once(child.stdout, 'end')])) as [
      Buffer,
    ];
    expect(output.toString()).toBe(`false false ${JSON.stringify('\0'.repeat(6))}\n`);
  });
});
