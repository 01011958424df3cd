/** A mount namespace of its own: file systems that are full or read-only, seen by nobody else and gone with it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { afterAll } from 'vitest';
import { lacking } from './tools.ts';

const asRoot = process.getuid?.() === 0;
/** Who is not root becomes it in a user namespace. */
const user = asRoot ? [] : ['-U', '-r'];

/** Why there can be none here; `''` if there can. */
export function namespacesLacking(): string {
  const reason = lacking('unshare', 'nsenter');
  if (reason !== '') return reason;
  const { status } = spawnSync('unshare', [...user, '-m', 'sh', '-c', 'mount -t tmpfs none /mnt']);
  return status === 0 ? '' : 'no right to mount, not even with unshare -Urm';
}

/** Runs a command in a process namespace of its own, as containers have them: arguments for `unshare`. */
export function inContainer(command: readonly string[]): string[] {
  return [...user, '-m', '-p', '-f', '--mount-proc', '--kill-child', ...command];
}

const keepers: Writable[] = [];

// The namespace goes with the process that keeps it, and that one at the end of its input.
afterAll(() => {
  for (const input of keepers.splice(0)) input.end();
});

export class MountNamespace {
  readonly #keeper: ChildProcess;

  private constructor(keeper: ChildProcess) {
    this.#keeper = keeper;
  }

  static async open(): Promise<MountNamespace> {
    const keeper = spawn(
      'unshare',
      [...user, '-m', '--propagation', 'private', 'sh', '-c', 'echo ready; read line'],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    keepers.push(keeper.stdin);
    await once(keeper.stdout, 'data');
    return new MountNamespace(keeper);
  }

  /** Arguments for `nsenter` that run this inside. */
  inside(command: readonly string[]): string[] {
    const enter = asRoot ? [] : ['-U', '--preserve-credentials'];
    return ['-t', String(this.#keeper.pid), ...enter, '-m', '--', ...command];
  }

  /** Must succeed. */
  shell(line: string): string {
    const { status, stdout, stderr } = spawnSync('nsenter', this.inside(['sh', '-c', line]), {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${line}: ${stderr}`);
    return stdout;
  }
}
