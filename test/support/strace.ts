/** The binary under strace: which system calls it makes on the vault's files, and what happens if one of them fails or is its last. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { binary } from '../binary-is-built.ts';
import type { BinaryVault, Ended, RunOptions } from './binary-vault.ts';

const storageCalls = 'openat,pwrite64,write,fsync,fdatasync,rename,link,unlink,ftruncate,fcntl,mkdir';

export interface Call {
  readonly name: string;
  /** Which call of this name it is, from 1. */
  readonly nth: number;
  /** As strace shows it. */
  readonly text: string;
}

/** Files of a vault and of what the machine remembers: whatever is written when it changes. */
function paths(vault: BinaryVault): string[] {
  const beside = ['', '.new', '.lock', '.lock-journal', '.lock-holder', '.audit.jsonl'].map(
    (end) => `${vault.file}${end}`,
  );
  const state = path.join(vault.state, 'vault');
  let files: string[];
  try {
    files = readdirSync(state, { recursive: true }).map((name) => path.join(state, String(name)));
  } catch {
    files = [];
  }
  return [...beside, path.dirname(vault.file), state, ...files, ...files.map((file) => `${file}.new`)];
}

/** Files that count besides those of the vault. */
export interface Traced extends RunOptions {
  readonly files?: readonly string[];
}

function traceArgs(vault: BinaryVault, { files = [] }: Traced, expressions: readonly string[]): string[] {
  const trace = vault.in('trace');
  const only = [...paths(vault), ...files].flatMap((file) => ['-P', file]);
  return ['-f', '-qq', '-s', '16', '-o', trace, ...only, '-e', `trace=${storageCalls}`, ...expressions];
}

/** What a command does on the vault's files, in order. */
export async function callsOf(
  vault: BinaryVault,
  args: readonly string[],
  options: Traced = {},
): Promise<Call[]> {
  await vault.runWith('strace', [...traceArgs(vault, options, []), binary, ...args], options);
  const counts = new Map<string, number>();
  return readFileSync(vault.in('trace'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, name] = /^\d+ +(\w+)\(/u.exec(line) ?? [];
      if (name === undefined) return [];
      const nth = (counts.get(name) ?? 0) + 1;
      counts.set(name, nth);
      return [{ name, nth, text: line.replace(/^\d+ +/u, '').replaceAll(vault.folder, '') }];
    });
}

export type Fault = `error=${string}` | `signal=${string}` | `delay_enter=${string}`;

/** A command, one of whose calls meets a fault. */
export async function withFault(
  vault: BinaryVault,
  { name, nth }: { readonly name: string; readonly nth: number | 'all' },
  fault: Fault,
  args: readonly string[],
  options: Traced = {},
): Promise<Ended> {
  const when = nth === 'all' ? '' : `:when=${nth}`;
  const inject = ['-e', `inject=${name}:${fault}${when}`];
  return vault.runWith('strace', [...traceArgs(vault, options, inject), binary, ...args], options);
}
