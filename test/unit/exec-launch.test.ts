/**
 * A driver calls `launch` in a process of its own, so that it can be replaced; its descriptors, signals and terminal are
 * the ones that the test gives it.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { after } from '../../src/exec/deadline.ts';

/** As in the binary. */
const node = [process.execPath, '--disable-warning=ExperimentalWarning'] as const;
const sources = path.resolve(import.meta.dirname, '../../src/exec');

/** Reads what to do from its arguments; says how it went on standard error, after `ours:`. */
const driver = `
import fs from 'node:fs';
const { launch } = await import(${JSON.stringify(`${sources}/launch.ts`)});
const { createSecretFiles } = await import(${JSON.stringify(`${sources}/secret-files.ts`)});
const { before, files, touchStreams, slow, ...options } = JSON.parse(process.env.LAUNCH ?? fs.readFileSync(process.argv[2]));
const say = (text) => fs.writeSync(2, 'ours: ' + text + '\\n');
const write = (fd) => async (bytes) => { for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at); };
const bytes = (text) => Buffer.from(text);
if (touchStreams) {
  process.stdin.on('data', () => {});
  process.stdin.pause();
  process.stdout.write('');
  process.stderr.write('');
}
if (slow) process.on('SIGINT', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300));
const secretFiles = files ? createSecretFiles([{ variable: 'KEY', value: bytes('file-canary') }], options.environment ?? {}) : null;
const environment = { PATH: process.env.PATH, ...options.environment, ...Object.fromEntries(secretFiles?.paths ?? []) };
const mask = options.mask?.map(bytes) ?? null;
const stdin = options.stdin === undefined ? null : bytes(options.stdin);
try {
  process.exitCode = await launch({
    watch: false, timeoutMs: null, cwd: process.cwd(), args: [], ...options,
    environment, mask, stdin, secretFiles,
    writeStdout: write(1), writeStderr: write(2),
    beforeStart: () => {
      mask?.forEach((value) => value.fill(0));
      stdin?.fill(0);
      if (before) say(before);
    },
    report: say,
  });
} catch (error) {
  say('thrown ' + error.code + ': ' + error.message + ' / ' + error.hint);
  process.exitCode = 125;
}
`;

interface Launch {
  readonly command: string;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly watch?: boolean;
  readonly stdin?: string;
  readonly timeoutMs?: number;
  readonly mask?: readonly string[];
  /** Said before the start. */
  readonly before?: string;
  /** Whether there is a secret file, at $KEY. */
  readonly files?: boolean;
  /** Whether the driver uses Node's standard streams first. */
  readonly touchStreams?: boolean;
  /** Whether the driver takes its time over SIGINT: signals that are pending at the same time become one. */
  readonly slow?: boolean;
}

let folder = '';
let driverFile = '';

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'vault-test-'));
  driverFile = path.join(folder, 'driver.mjs');
  writeFileSync(driverFile, driver);
});

afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array, mode = 0o755): string {
  const place = path.join(folder, name);
  writeFileSync(place, content);
  chmodSync(place, mode);
  return place;
}

interface Driver {
  readonly process: ChildProcess;
  /** Everything so far on both streams. */
  readonly output: () => string;
  /** Waits for a text in the output. */
  readonly says: (text: string | RegExp) => Promise<string>;
  readonly ends: () => Promise<End>;
}

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param shell A script of bash that starts the driver as `"$@"`. */
function begin(
  options: Launch,
  stdio: StdioOptions = ['ignore', 'pipe', 'pipe'],
  shell = 'exec "$@"',
): Driver {
  const child = spawn('bash', ['-c', shell, 'bash', ...node, driverFile], {
    env: { PATH: process.env['PATH'], SHELL: '/bin/sh', LAUNCH: JSON.stringify(options) },
    stdio,
    // A session of its own: without a terminal, whatever the tests were started from.
    detached: true,
  });
  const text = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text.stderr += chunk.toString()));
  const closed = once(child, 'close') as Promise<[number | null, string | null]>;
  const output = (): string => text.stdout + text.stderr;
  return {
    process: child,
    output,
    says: async (wanted) => {
      const said = (): boolean =>
        typeof wanted === 'string' ? output().includes(wanted) : wanted.test(output());
      while (!said()) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended: ${output()}`);
        await delay(5);
      }
      return output();
    },
    ends: async () => {
      const [code, signal] = await closed;
      return { code, signal, ...text };
    },
  };
}

const run = (options: Launch, stdio?: StdioOptions, shell?: string): Promise<End> =>
  begin(options, stdio, shell).ends();

const sh = (script: string, more: Omit<Launch, 'command'> = {}): Launch => ({
  command: 'sh',
  args: ['-c', script],
  ...more,
});

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/u.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** The child beside us or in our place: what the two have in common. */
describe.each([
  ['in our place', {}],
  ['beside us', { watch: true }],
])('a program %s', (_how, more: Partial<Launch>) => {
  test('has its arguments, its environment and its working folder', async () => {
    const { stdout, code } = await run({
      ...sh('printf "%s|" "$0" "$@"; pwd; env', more),
      args: ['-c', 'printf "%s|" "$0" "$@"; pwd; env', 'zero', '', 'a b', 'é'],
      environment: { SECRET: 'x=y\nz', __proto___: '1' },
      cwd: folder,
    });
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toBe(`zero||a b|é|${folder}`);
    const lines = stdout.split('\n').slice(1);
    expect(lines).toContain('SECRET=x=y');
    expect(lines.filter((line) => /^(?:LAUNCH|NODE)/u.test(line))).toEqual([]);
  });

  test('knows itself by the name that was typed', async () => {
    const place = file('named', '#!/bin/sh\necho "$0"');
    const environment = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    expect((await run({ ...more, command: 'named', environment })).stdout).toBe(`${place}\n`);
    expect((await run({ ...more, command: './named', cwd: folder })).stdout).toBe('./named\n');
    expect((await run({ ...more, command: 'cat', args: ['/proc/self/cmdline'] })).stdout).toBe(
      'cat\0/proc/self/cmdline\0',
    );
  });

  test('decides the status', async () => {
    expect(await run(sh('exit 42', more))).toMatchObject({ code: 42, stderr: '' });
  });

  test('has no signal ignored or blocked, and no descriptor that is not its own', async () => {
    const { stdout } = await run({
      ...more,
      command: 'sh',
      args: ['-c', 'ls /proc/self/fd; exec cat /proc/self/status'],
    });
    expect(/SigIgn:\s*(\w+)/u.exec(stdout)?.[1]).toMatch(/^0+$/u);
    expect(/SigBlk:\s*(\w+)/u.exec(stdout)?.[1]).toMatch(/^0+$/u);
    const descriptors = stdout.split('\n').slice(
      0,
      stdout.split('\n').findIndex((line) => !/^\d+$/u.test(line)),
    );
    // 3 is the folder that ls reads. What the tests were started with and left open may be there as well.
    const theirs = await descriptorsOfAnyChild();
    expect(descriptors.filter((number) => !theirs.includes(number))).toEqual([]);
  });

  test('ends when its reader has gone', async () => {
    const pipe = '"$@" | head -n 1; echo "${PIPESTATUS[0]}"';
    expect((await run({ ...more, command: 'yes' }, undefined, pipe)).stdout).toBe('y\n141\n');
  });

  test('gets blocking descriptors, whatever Node did to them', async () => {
    const driven = begin(
      { ...sh('for i in 0 1 2; do grep flags /proc/$$/fdinfo/$i; done', more), touchStreams: true },
      ['pipe', 'pipe', 'pipe'],
    );
    const { stdout } = await driven.ends();
    const flags = [...stdout.matchAll(/(\d+)$/gmu)].map(([octal]) => Number.parseInt(octal, 8) & 0o4000);
    expect(flags).toEqual([0, 0, 0]);
  });

  test.each([
    ['no-such-program', 127, 'not found'],
    ['/', 126, 'folder'],
    ['./text', 126, 'permission denied'],
    ['./no-interpreter', 127, 'interpreter'],
  ])('%s: %i', async (command, status, reason) => {
    file('text', 'echo', 0o644);
    file('no-interpreter', '#!/no/such/sh\n');
    const { code, stderr } = await run({ ...more, command, cwd: folder });
    expect(code).toBe(status);
    expect(stderr).toMatch(new RegExp(`^ours: .*${reason}.*\n$`, 'u'));
  });

  test('that is a script without an interpreter is one for the shell', async () => {
    file('-script', 'echo "$0 $1"; exit 3');
    const { stdout, code } = await run({
      ...more,
      command: '-script',
      args: ['x'],
      environment: { PATH: folder },
    });
    expect([stdout, code]).toEqual([`${folder}/-script x\n`, 3]);
  });

  test('with too large an environment does not start, and says why', async () => {
    const environment = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`V${index}`, 'x'.repeat(100_000)]),
    );
    // It does not fit into the driver's environment either.
    const place = file('launch.json', JSON.stringify({ ...more, command: 'true', environment }));
    const { code, stderr } = await run({ command: '' }, undefined, `unset LAUNCH; "$@" '${place}'`);
    expect(code).toBe(125);
    expect(stderr).toMatch(/^ours: thrown USAGE: the environment .* too large .*--only/u);
  });

  test('starts in a folder, or not at all', async () => {
    expect(await run({ ...sh('echo ran', more), cwd: `${folder}/nowhere` })).toMatchObject({
      code: 125,
      stdout: '',
      stderr: expect.stringContaining('is not a folder') as string,
    });
  });

  test('starts after what has to happen before', async () => {
    expect((await run(sh('echo then >&2', { ...more, before: 'first' }))).stderr).toBe('ours: first\nthen\n');
    const missing = await run({ ...more, command: 'no-such-program', before: 'first' });
    expect(missing.stderr).not.toContain('first');
  });

  test('has the descriptors that its arguments name', async () => {
    const place = file('nine', 'number nine\n');
    const other = { ...more, command: 'cat', args: ['/dev/fd/9', '/dev/fd/5'] };
    expect((await run(other, undefined, `exec "$@" 9<'${place}' 5< <(echo five)`)).stdout).toBe(
      'number nine\nfive\n',
    );
  });
});

/** Descriptors that any child of this process gets, through no fault of ours. */
async function descriptorsOfAnyChild(): Promise<string[]> {
  const child = spawn('ls', ['/proc/self/fd'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = (await once(child.stdout, 'data')) as [Buffer];
  return output.toString().trim().split('\n');
}

describe('a program in our place', () => {
  test('must be one for this system', async () => {
    // Beside us, the C library hands it to the shell before we are asked.
    file('binary', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 1, 2));
    const { code, stderr } = await run({ command: './binary', cwd: folder });
    expect(code).toBe(126);
    expect(stderr).toContain('is not a program for this system');
  });

  test('has our process number, and ends by its own signal', async () => {
    const driven = begin(sh('echo pid $$; kill -USR1 $$'));
    const { stdout, signal } = await driven.ends();
    expect(stdout).toBe(`pid ${driven.process.pid}\n`);
    expect(signal).toBe('SIGUSR1');
  });
});

describe('a program beside us', () => {
  test('that a signal ended has 128 and its number', async () => {
    expect((await run(sh('kill -USR1 $$', { watch: true }))).code).toBe(128 + os.constants.signals.SIGUSR1);
    expect((await run(sh('kill -KILL $$', { watch: true }))).code).toBe(137);
  });

  test.each(['TERM', 'HUP', 'USR1', 'USR2', 'INT', 'QUIT'])('gets SIG%s that we get', async (signal) => {
    const script = `trap 'echo got ${signal}; exit 7' ${signal}; echo ready; while :; do sleep 0.05; done`;
    const driven = begin({ command: 'bash', args: ['-c', script], watch: true });
    await driven.says('ready');
    driven.process.kill(`SIG${signal}` as NodeJS.Signals);
    expect(await driven.ends()).toMatchObject({ code: 7, stdout: `ready\ngot ${signal}\n` });
  });

  test('that ends by a signal that we passed on', async () => {
    const driven = begin(sh('echo ready; exec sleep 60', { watch: true }));
    await driven.says('ready');
    driven.process.kill('SIGTERM');
    expect((await driven.ends()).code).toBe(143);
  });

  test('in a terminal gets Ctrl-C once', async () => {
    // SIGUSR1 comes after it, the way that a second SIGINT would: when it is there, that one has been, too.
    const script = `
      let times = 0;
      process.on('SIGINT', () => { times++; console.log('caught'); });
      process.on('SIGUSR1', () => { console.log('count', times); process.exit(5); });
      console.log('vault', process.ppid);
      setInterval(() => {}, 1000);`;
    const driven = begin(
      { command: process.execPath, args: ['-e', script], watch: true, slow: true },
      ['pipe', 'pipe', 'pipe'],
      'exec script -qec "exec $*" /dev/null',
    );
    const vault = Number(/vault (\d+)/u.exec(await driven.says(/vault \d+\r/u))?.[1]);
    driven.process.stdin?.write('\u0003');
    await driven.says('caught');
    process.kill(vault, 'SIGUSR1');
    const { code, stdout } = await driven.ends();
    expect(stdout).toContain('count 1\r\n');
    expect(code).toBe(5);
  });
});

describe('a timeout', () => {
  test('ends the program and what it has started, with 124', async () => {
    const driven = begin(sh('sleep 60 & echo other $!; sleep 60; echo unreachable', { timeoutMs: 1_500 }));
    await driven.says(/other \d+\n/u);
    const other = Number(/other (\d+)/u.exec(driven.output())?.[1]);
    const { code, stdout, stderr } = await driven.ends();
    expect(code).toBe(124);
    expect(stdout).not.toContain('unreachable');
    expect(stderr).toBe('ours: "sh" ran out of time\n');
    expect(isRunning(other)).toBe(false);
  });

  test('lets a program end that is in time', async () => {
    expect(await run(sh('exit 3', { timeoutMs: 60_000 }))).toMatchObject({ code: 3, stderr: '' });
  });

  test('is 124 even if the program ends in peace', async () => {
    const script = "trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done";
    expect(await run({ command: 'bash', args: ['-c', script], timeoutMs: 1_000 })).toMatchObject({
      code: 124,
      stdout: 'bye\n',
    });
  });

  test('kills what does not listen, after five seconds', { timeout: 20_000 }, async () => {
    const begun = performance.now();
    const script = "trap '' TERM; echo deaf $$; while :; do sleep 0.05; done";
    const { code, stdout } = await run({ command: 'bash', args: ['-c', script], timeoutMs: 1_000 });
    expect(code).toBe(124);
    expect(performance.now() - begun).toBeGreaterThan(5_000);
    expect(isRunning(Number(/deaf (\d+)/u.exec(stdout)?.[1]))).toBe(false);
  });

  test('ends a program that is stopped', async () => {
    const script = "trap 'echo bye; exit 0' TERM; kill -STOP $$; while :; do sleep 0.05; done";
    expect(await run({ command: 'bash', args: ['-c', script], timeoutMs: 1_000 })).toMatchObject({
      code: 124,
      stdout: 'bye\n',
    });
  });

  test('may be longer than a timer of Node can be', () => {
    vi.useFakeTimers();
    let times = 0;
    const month = 30 * 24 * 3600 * 1000;
    after(month, () => times++);
    vi.advanceTimersByTime(month - 1);
    expect(times).toBe(0);
    vi.advanceTimersByTime(1);
    expect(times).toBe(1);
    const cancel = after(month, () => times++);
    vi.advanceTimersByTime(month - 1);
    cancel();
    vi.advanceTimersByTime(month);
    expect(times).toBe(1);
    vi.useRealTimers();
  });
});

describe('masked output', () => {
  const mask = ['hunter2!', 'multi\nsecond line'];

  test('has no secret, on either stream, and all of the rest in order', async () => {
    const script =
      'i=0; while [ $i -lt 3000 ]; do echo "$i hunter2! end"; i=$((i+1)); done; echo e=second line >&2';
    const { stdout, stderr, code } = await run(sh(script, { mask }));
    expect(stdout).toBe(Array.from({ length: 3000 }, (_, index) => `${index} ******** end\n`).join(''));
    expect(stderr).toBe('e=********\n');
    expect(code).toBe(0);
  });

  test('does not keep a program from opening its streams by path', async () => {
    expect(await run(sh('echo out > /dev/stdout; echo err > /dev/stderr', { mask }))).toMatchObject({
      stdout: 'out\n',
      stderr: 'err\n',
      code: 0,
    });
  });

  test('lets a prompt through at once', async () => {
    const driven = begin(sh('printf "name? "; read name; echo "hello $name"', { mask }), [
      'pipe',
      'pipe',
      'pipe',
    ]);
    await driven.says('name? ');
    driven.process.stdin?.end('you\n');
    expect((await driven.ends()).stdout).toBe('name? hello you\n');
  });

  test('has what is held back, when the program has ended', async () => {
    expect((await run(sh('printf "go hunt"', { mask }))).stdout).toBe('go hunt');
  });

  test('is awaited beyond the end of the program', async () => {
    expect((await run(sh('(sleep 0.2; echo late hunter2!) & echo early', { mask }))).stdout).toBe(
      'early\nlate ********\n',
    );
  });

  test('of someone left behind is given up when we are asked to end', async () => {
    const driven = begin(sh('setsid sleep 60 & echo left $!', { mask, before: 'start' }));
    await driven.says(/left \d+/u);
    const left = Number(/left (\d+)/u.exec(driven.output())?.[1]);
    const closed = driven.ends();
    // The program may still be about to end: then the first signal is for it.
    while (driven.process.exitCode === null && driven.process.signalCode === null) {
      driven.process.kill('SIGTERM');
      await delay(20);
    }
    expect((await closed).stdout).toBe(`left ${left}\n`);
    process.kill(left, 'SIGKILL');
  });

  test('that nobody reads any more ends the program', async () => {
    const pipe = '"$@" | head -n 1; echo "${PIPESTATUS[0]}"';
    expect((await run({ command: 'yes', mask }, undefined, pipe)).stdout).toBe('y\n141\n');
  });

  test('that cannot be written is an error', async () => {
    const full = openSync('/dev/full', 'w');
    const { code, stderr } = await run(sh('echo x', { mask }), ['ignore', full, 'pipe']);
    closeSync(full);
    expect(code).toBe(125);
    expect(stderr).toContain('thrown BACKEND: cannot write the output');
  });
});

describe('a secret on standard input', () => {
  test('is all that there is', async () => {
    expect((await run({ command: 'cat', stdin: 'canary\n' })).stdout).toBe('canary\n');
    const twice = { command: 'cat', args: ['/dev/stdin', '/dev/stdin'], stdin: 'canary;' };
    expect((await run(twice)).stdout).toBe('canary;canary;');
    expect((await run({ command: 'wc', args: ['-c'], stdin: 'x'.repeat(100_000) })).stdout.trim()).toBe(
      '100000',
    );
    expect((await run({ command: 'cat', stdin: '' })).stdout).toBe('');
  });

  test('need not be read', async () => {
    expect((await run({ command: 'false', stdin: 'x'.repeat(100_000) })).code).toBe(1);
  });
});

describe('secret files', () => {
  const where = (output: string): string => path.dirname(/at (\S+)/u.exec(output)?.[1] ?? '');

  test('are there for the program and gone when it has ended', async () => {
    const { stdout, code } = await run(sh('cat "$KEY"; echo; echo at "$KEY"; exit 9', { files: true }));
    expect(stdout).toContain('file-canary\n');
    expect(code).toBe(9);
    expect(existsSync(path.dirname(where(stdout)))).toBe(true);
    expect(existsSync(where(stdout))).toBe(false);
  });

  test('are there until the program has ended, even if we were asked to end', async () => {
    const script = 'trap \'cat "$KEY"; exit 0\' TERM; echo at "$KEY"; while :; do sleep 0.05; done';
    const driven = begin({ command: 'bash', args: ['-c', script], files: true });
    await driven.says(/at .*\n/u);
    driven.process.kill('SIGTERM');
    const { stdout } = await driven.ends();
    expect(stdout).toContain('file-canary');
    expect(existsSync(where(stdout))).toBe(false);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'are gone when %s has ended the program',
    async (signal) => {
      const driven = begin(sh('echo at "$KEY"; exec sleep 60', { files: true }));
      await driven.says('at /');
      const { length } = where(driven.output());
      expect(length).toBeGreaterThan(1);
      driven.process.kill(signal);
      const { stdout, code } = await driven.ends();
      expect(code).toBe(128 + os.constants.signals[signal]);
      expect(existsSync(where(stdout))).toBe(false);
    },
  );

  test.each(['no-such-program', './no-interpreter'])(
    'are gone when the program does not start: %s',
    async (command) => {
      file('no-interpreter', '#!/no/such/sh\n');
      const runtime = mkdtempSync('/dev/shm/vault-test-');
      const environment = { XDG_RUNTIME_DIR: runtime };
      const { code } = await run({ command, environment, files: true, cwd: folder, before: 'start' });
      const left = readdirSync(runtime);
      rmSync(runtime, { recursive: true });
      expect(code).toBe(127);
      expect(left).toEqual([]);
    },
  );
});
