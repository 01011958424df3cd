import { existsSync, readFileSync } from 'node:fs';

/** Whether a process runs. One that has ended and that nobody has asked for does not. */
export function isAlive(pid: string): boolean {
  const file = `/proc/${pid.trim()}/stat`;
  return existsSync(file) && !/\) Z /u.test(readFileSync(file, 'latin1'));
}
