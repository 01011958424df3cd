/** Backups taken by the built binary, and runs of their commands for test/e2e/json-output.test.ts. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { SignedRecord } from '../../src/format/audit-record.ts';
import { records } from './audit-records.ts';
import type { BinaryVault, RunOptions } from './binary-vault.ts';
import type { Run } from './json-run.ts';

export const logOf = (file: string): string => `${file}.audit.jsonl`;

/** A name as the program gives it. */
export const named = /^secrets-\d{8}T\d{9}Z-g(\d+)\.backup$/u;

/** Take one. @returns its path, as the program prints it */
export async function take(
  vault: BinaryVault,
  words: readonly string[] = [],
  options: RunOptions = {},
): Promise<string> {
  const { stdout } = await vault.ok(['backup', ...words], options);
  const [file = '', ...more] = stdout.toString('utf8').split('\n');
  expect(more, 'one line on standard output').toEqual(['']);
  return file;
}

/** Names in a folder, sorted. */
export const namesIn = (folder: string): string[] => readdirSync(folder).sort();

/** The folder where a vault's backups go if nobody says otherwise. */
export const folderOf = (vault: BinaryVault): string => `${vault.file}.backups`;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Every file below a folder and a hash of its bytes, to see that nothing has changed. */
export function contentsOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  return Object.fromEntries(files.sort().map((file) => [file, sha256(readFileSync(file))]));
}

/** Records of these operations in a log, oldest first: operation, and the error code of one that failed. */
export function recorded(log: string, ...operations: readonly string[]): string[] {
  return signedRecords(log)
    .filter(({ op }) => operations.includes(op))
    .map(({ op, code }) => (code === '' ? op : `${op} ${code}`));
}

export function signedRecords(log: string): SignedRecord[] {
  return records({ audit: { type: 'file', path: log } });
}

export const backupRuns: Readonly<Record<string, readonly Run[]>> = {
  backup: [
    { args: ['backup'], like: { secrets: 1, removed: [], warnings: [] } },
    { args: ['backup', '--keep', '1'], like: { removed: [expect.any(String) as unknown] } },
    { args: ['backup', 'file'], like: { path: expect.stringMatching(/\/file$/u) as unknown } },
  ],
  'backup-verify': [{ args: async (vault) => ['backup', 'verify', await take(vault)], like: { secrets: 1 } }],
  'backup-restore': [
    {
      args: async (vault) => ['backup', 'restore', await take(vault), '--yes'],
      like: { generation: 2, kept: [expect.any(String) as unknown] },
    },
  ],
};
