/** Runs scripts/recover.py, which was written from docs/format.md alone. */
import path from 'node:path';
import { runProgram, type Ended } from './binary-vault.ts';
import { debianPackages } from './debian-packages.ts';

const python = '/usr/bin/python3';
const script = path.resolve(import.meta.dirname, '../../scripts/recover.py');
const many = path.resolve(import.meta.dirname, 'recover_many.py');
const env = { PATH: process.env['PATH'] };

const missing = await debianPackages({
  'python3-cryptography': [python, '-c', 'import cryptography'],
  'python3-argon2': [python, '-c', 'import argon2'],
});

/** For `describe.skipIf`, and for its title. */
export const cannotRecover = missing !== null;
export const recoverTitle = `scripts/recover.py${missing === null ? '' : ` (SKIPPED: ${missing})`}`;

/** How somebody unlocks: arguments, and what goes in. */
export type Unlocking = readonly [args: readonly string[], input: string];

/** @param input what unlocks */
export async function recover(file: string, args: readonly string[], input: string): Promise<Ended> {
  return runProgram(python, [script, file, ...args], { env, cwd: path.dirname(file), input });
}

/** Everything that a credential opens: value by name by environment. */
export async function recovered(file: string, [args, input]: Unlocking): Promise<unknown> {
  const { status, stdout, stderr } = await recover(file, ['--export', ...args], input);
  if (status !== 0) throw new Error(`recover.py: ${stderr}`);
  const { environments } = JSON.parse(stdout.toString('utf8')) as {
    environments: Record<string, Record<string, { readonly value: string }>>;
  };
  const values = (of: Record<string, { readonly value: string }>): Record<string, string> =>
    Object.fromEntries(Object.entries(of).map(([name, { value }]) => [name, value]));
  return Object.fromEntries(Object.entries(environments).map(([name, of]) => [name, values(of)]));
}

export interface Verdict {
  readonly status: number;
  readonly written: number;
  readonly stderr: string;
}

/** Many runs in one process. */
export async function recoverMany(runs: readonly Unlocking[]): Promise<Verdict[]> {
  const input = runs.map((run) => `${JSON.stringify(run)}\n`).join('');
  const { status, stdout, stderr } = await runProgram(python, [many, script], { env, input });
  if (status !== 0) throw new Error(`recover_many.py: ${stderr}`);
  const lines = stdout.toString('utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [code, written, said] = JSON.parse(line) as [number, number, string];
    return { status: code, written, stderr: said };
  });
}
