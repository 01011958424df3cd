/** The built binary in a folder of its own, run as people and scripts run it, and watched for values nobody asked for. */
import { spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { Canary } from './canary.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const passphrase = 'correct horse battery staple';
/** The least work that the format allows: these tests unlock a thousand times. */
export const fastKdf = ['--kdf', 'pbkdf2', '--iterations', '100000'] as const;

export type Variables = Readonly<Record<string, string | undefined>>;

export interface RunOptions {
  /** What comes in on a pipe; without it standard input is /dev/null, as cron and CI hand out. */
  readonly input?: string | Uint8Array | undefined;
  /** Added to the clean environment; `undefined` takes a variable away. */
  readonly env?: Variables | undefined;
  readonly cwd?: string | undefined;
  /** The canary was asked for. */
  readonly shows?: boolean | undefined;
  /** Instead of a pipe for each. */
  readonly stdio?: StdioOptions | undefined;
  /** An internal error is what is looked at. */
  readonly mayCrash?: boolean | undefined;
}

export interface Ended {
  /** Exit status as a shell has it: 128 + N where signal N ended it. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly pid: number;
}

async function collected(stream: Readable | null | undefined): Promise<Buffer> {
  if (stream === null || stream === undefined) return Buffer.alloc(0);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Any program, to its end. */
export async function runProgram(
  file: string,
  args: readonly string[],
  { env, cwd, input, stdio }: Omit<RunOptions, 'shows' | 'mayCrash'>,
): Promise<Ended> {
  const child = spawn(file, args, {
    env,
    cwd,
    stdio: stdio ?? [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  const outputs = Promise.all([collected(child.stdout), collected(child.stderr)]);
  // A program may end without reading what it is given.
  child.stdin?.on('error', () => undefined).end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  const [stdout, stderr] = await outputs;
  const status = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  return { status, stdout, stderr: stderr.toString('utf8'), pid: child.pid ?? 0 };
}

export class BinaryVault {
  readonly folder: string;
  readonly canary = new Canary();
  /** Added to the environment of every run. */
  readonly #variables: Variables;
  readonly #leaks: string[] = [];
  /** Files that a test asked the canary to be written to, or wrote it to. */
  readonly #asked = new Set<string>();

  constructor(variables: Variables = {}) {
    this.folder = temporaryFolder();
    this.#variables = variables;
  }

  /** A vault in `.vault/secrets.vault` with the canary stored as `canary`. */
  static async make(variables?: Variables): Promise<BinaryVault> {
    const vault = new BinaryVault(variables);
    await vault.ok(['init', ...fastKdf, '--no-recovery']);
    await vault.put('canary', vault.canary.value);
    return vault;
  }

  get file(): string {
    return path.join(this.folder, '.vault', 'secrets.vault');
  }

  get log(): string {
    return `${this.file}.audit.jsonl`;
  }

  get state(): string {
    return path.join(this.folder, 'state');
  }

  in(...names: readonly string[]): string {
    return path.join(this.folder, ...names);
  }

  environment(more: Variables = {}): Variables {
    return {
      PATH: process.env['PATH'],
      HOME: this.folder,
      XDG_STATE_HOME: this.state,
      VAULT_KDF_ENGINE: 'native',
      VAULT_PASSPHRASE: passphrase,
      ...this.#variables,
      ...more,
    };
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return this.runWith(binary, args, options);
  }

  /** A line of bash, with the binary as `$VAULT`. */
  async shell(line: string, options: RunOptions = {}): Promise<Ended> {
    const env = { VAULT: binary, ...options.env };
    return this.runWith('/bin/bash', ['-o', 'pipefail', '-c', line], { ...options, env });
  }

  /** Another program around the binary, such as strace. */
  async runWith(file: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const { env, cwd = this.folder, shows = false, mayCrash = false } = options;
    const ended = await runProgram(file, args, { ...options, cwd, env: this.environment(env) });
    const line = args.join(' ');
    if (!shows && (this.canary.isIn(ended.stdout) || this.canary.isIn(ended.stderr))) {
      this.#leaks.push(`output of ${line}`);
    }
    if (!mayCrash) {
      expect(ended.stderr, `a stack trace from ${line}`).not.toMatch(/^\s+at |node:internal/mu);
      expect(ended.stderr, `a crash of ${line}`).not.toContain('internal error');
    }
    return ended;
  }

  /** Must succeed. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const ended = await this.run(args, options);
    expect(ended, `vault ${args.join(' ')}: ${ended.stderr}`).toMatchObject({ status: 0 });
    return ended;
  }

  /** Must fail with this status, say why on standard error only, and show no value. */
  async fails(status: number, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const ended = await this.run(args, options);
    expect(ended, `vault ${args.join(' ')}: ${ended.stderr}`).toMatchObject({ status });
    expect(ended.stdout.toString(), 'standard output').toBe('');
    expect(ended.stderr).toMatch(/^(vault: |\{)/u);
    return ended.stderr;
  }

  async put(name: string, value: string | Uint8Array, ...flags: readonly string[]): Promise<Ended> {
    return this.ok(['put', ...flags, '--exact', '--', name], { input: value });
  }

  async get(name: string, ...flags: readonly string[]): Promise<Buffer> {
    const { stdout } = await this.ok(['get', ...flags, '--', name], { shows: true });
    return stdout;
  }

  async text(name: string, ...flags: readonly string[]): Promise<string> {
    return (await this.get(name, ...flags)).toString('utf8');
  }

  async json(args: readonly string[], options: RunOptions = {}): Promise<unknown> {
    const { stdout } = await this.ok([...args, '--json'], options);
    return JSON.parse(stdout.toString('utf8')) as unknown;
  }

  /** From now on this is to be nowhere either: a token, a passphrase, an invitation. */
  watch(secret: string): string {
    this.canary.watch(secret);
    return secret;
  }

  /** A file with a credential, for a command that takes one. */
  credentialFile(name: string, secret: string): string {
    writeFileSync(this.asked(this.in(name)), `${this.watch(secret)}\n`);
    return name;
  }

  /** A file that may hold the canary. */
  asked(file: string): string {
    this.#asked.add(file);
    return file;
  }

  expectNoLeak(): void {
    const files = this.canary.filesBelow(this.folder).filter((file) => !this.#asked.has(file));
    expect([...this.#leaks, ...files], 'places where the canary is and nobody asked for it').toEqual([]);
  }

  /** Files that a write leaves beside the vault if it goes wrong. */
  leftovers(): string[] {
    const kept = /^secrets\.vault(\.lock|\.lock-holder|\.audit\.jsonl)?$/u;
    return readdirSync(path.dirname(this.file)).filter((name) => !kept.test(name));
  }

  /** Put vault and memory aside. @returns what brings them back as they were */
  keep(): () => void {
    const folders = ['.vault', 'state'].filter((name) => existsSync(this.in(name)));
    for (const name of folders) cpSync(this.in(name), this.in('kept', name), { recursive: true });
    return () => {
      for (const name of folders) {
        rmSync(this.in(name), { recursive: true, force: true });
        cpSync(this.in('kept', name), this.in(name), { recursive: true });
      }
    };
  }

  /** Forget what this machine remembers. */
  forget(): void {
    rmSync(this.state, { recursive: true, force: true });
  }
}

/** A test with a vault of its own, beside the others of its file, after which the canary must be nowhere. */
export function scenario(title: string, body: (vault: BinaryVault) => Promise<void>, timeout?: number): void {
  test.concurrent(
    // oxlint-disable-next-line vitest/valid-title -- the caller's
    title,
    async () => {
      const vault = await BinaryVault.make();
      await body(vault);
      vault.expectNoLeak();
    },
    timeout,
  );
}
