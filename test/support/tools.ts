/** Programs of the system that fault tests need. In CI what is missing is installed, or the run fails; elsewhere tests skip aloud. */
import { spawnSync } from 'node:child_process';
import { install } from './debian-packages.ts';

const packages = {
  strace: 'strace',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  prlimit: 'util-linux',
  openssl: 'openssl',
  python3: 'python3',
} as const;

export type Tool = keyof typeof packages;

function has(tool: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;
}

/** Why tests that need these tools cannot run here; `''` if they can. */
export function lacking(...tools: readonly Tool[]): string {
  if (process.platform !== 'linux') return `they are for Linux, not ${process.platform}`;
  const missing = tools.filter((tool) => !has(tool));
  if (missing.length === 0) return '';
  if (process.env['CI'] === undefined) return `missing: ${missing.join(', ')}`;
  install([...new Set(missing.map((tool) => packages[tool]))]);
  return '';
}

/** For the title of a suite: says aloud why it is skipped. */
export function skipped(reason: string): string {
  return reason === '' ? '' : ` (SKIPPED: ${reason})`;
}
