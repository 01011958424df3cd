/** Processes that a hook has started, known by the numbers that it writes to `pids`, a line each. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { BinaryVault } from './binary-vault.ts';

/** Once there are so many. */
export async function processes(vault: BinaryVault, count: number): Promise<string[]> {
  const file = vault.in('pids');
  const end = Date.now() + 15_000;
  while (Date.now() < end) {
    const found = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
    if (found.length === count) return found;
    await pause(20);
  }
  throw new Error('the hook did not begin');
}

/** Whether a process runs. One that has ended and that nobody has asked for does not. */
export function isAlive(pid: string): boolean {
  const file = `/proc/${pid.trim()}/stat`;
  return existsSync(file) && !/\) Z /u.test(readFileSync(file, 'latin1'));
}
