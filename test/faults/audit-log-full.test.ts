/** Nothing can be recorded: then nothing is handed out and nothing is changed, by any command. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { BinaryVault, type RunOptions } from '../support/binary-vault.ts';
import { lacking, skipped } from '../support/tools.ts';

const reason = lacking('strace');

interface Case {
  readonly args: readonly string[];
  readonly options?: RunOptions;
  /** Where it is not 10. */
  readonly status?: number;
}

const cases: readonly Case[] = [
  { args: ['get', 'canary'] },
  { args: ['get', 'canary', '--json'] },
  { args: ['get', 'canary', '--version', '1'] },
  { args: ['exec', '--', 'sh', '-c', 'touch ran; printenv'], status: 125 },
  { args: ['exec', '--only', 'canary', '--', 'sh', '-c', 'touch ran; printenv'], status: 125 },
  { args: ['put', 'canary', '--exact'], options: { input: 'other' } },
  { args: ['put', 'new', '--generate'] },
  { args: ['rotate', 'canary'] },
  { args: ['rollback', 'canary', '--to', '1'] },
  { args: ['import', 'file.env'] },
  { args: ['cp', 'canary', 'copy'] },
  { args: ['mv', 'canary', 'moved'] },
  { args: ['rm', 'canary'] },
  { args: ['rm', 'canary', '--purge', '--yes'] },
  { args: ['ls'] },
  { args: ['show', 'canary'] },
  { args: ['access', 'add', 'ci', '--can', 'read', '--env', 'development', '--token'] },
  { args: ['rekey'] },
  { args: ['verify'] },
  { args: ['audit'] },
  { args: ['audit', 'verify'] },
  { args: ['audit', 'checkpoint'] },
  { args: ['audit', 'checkpoint', '--out', 'ran'] },
  { args: ['audit', 'who-saw', 'canary'] },
  { args: ['audit', 'prune', '--yes', '--archive', 'ran'] },
];

describe.skipIf(reason !== '')(`a log on a full disk${skipped(reason)}`, () => {
  test.concurrent.each(cases)('$args', async ({ args, options = {}, status: wanted = 10 }) => {
    const vault = await BinaryVault.make();
    await vault.put('canary', `${vault.canary.value} too`);
    writeFileSync(vault.in('file.env'), 'NEW=value\n');
    const before = [vault.file, vault.log].map((file) => readFileSync(file));
    const full = ['-f', '-o', vault.in('trace'), '-P', vault.log, '-e', 'inject=write:error=ENOSPC'];
    const run = ['strace', [...full, binary, ...args], options] as const;
    const { status, stdout, stderr } = await vault.runWith(...run);
    expect(readFileSync(vault.in('trace'), 'utf8')).toContain('(INJECTED)');
    expect([status, stdout.toString()], stderr).toEqual([wanted, '']);
    expect(stderr).toMatch(/cannot write the audit log .*: no space left on the disk/u);
    expect([vault.file, vault.log].map((file) => readFileSync(file))).toEqual(before);
    expect(existsSync(vault.in('ran'))).toBe(false);
    expect(vault.leftovers()).toEqual([]);
    await vault.ok(['verify']);
    expect(await vault.text('canary', '--version', '1')).toBe(vault.canary.value);
    vault.expectNoLeak();
  });
});
