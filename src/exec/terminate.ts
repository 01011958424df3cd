/**
 * Ending a child whose time is up: SIGTERM, and SIGKILL after five seconds for whoever is still there.
 *
 * The child shares our process group, and a script's, so the group cannot be signalled. Instead it is the child and its
 * descendants, one by one: `sh -c 'server; cleanup'` does not leave a server with secrets behind. Known limits: who has left
 * the child's tree (a daemon) is not found, and without /proc (macOS, Windows) only the child is.
 */
import type { ChildProcess } from 'node:child_process';
import { after } from './deadline.ts';
import { descendants, isRunning } from './process-table.ts';

/** Between SIGTERM and SIGKILL. */
const graceMs = 5_000;
const pollMs = 20;

/** Resolves when the child and the descendants that it had have ended, or were sent SIGKILL. */
export async function terminate(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  const others = child.pid === undefined ? [] : descendants(child.pid);
  const running = (): typeof others => others.filter(isRunning);
  const signalAll = (signal: NodeJS.Signals): void => {
    child.kill(signal);
    for (const { pid } of running()) signalOther(pid, signal);
  };
  signalAll('SIGTERM');
  // Who is stopped gets SIGTERM when it goes on.
  if (process.platform !== 'win32') signalAll('SIGCONT');

  const cancel = after(graceMs, () => signalAll('SIGKILL'));
  await ended;
  for (let waited = 0; waited < graceMs && running().length > 0; waited += pollMs) {
    await new Promise<void>((resolve) => after(pollMs, resolve));
  }
  cancel();
}

function signalOther(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended in between, or belongs to somebody else now.
  }
}
