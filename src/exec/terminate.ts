/**
 * Ending a child whose time is up: SIGTERM, and SIGKILL after five seconds for whoever is still there.
 *
 * Where the child shares our process group, and a script's, the group cannot be signalled. Instead it is the child and its
 * descendants, one by one: `sh -c 'server; cleanup'` does not leave a server with secrets behind. Of a child that leads a group
 * it is the group, and descendants that have left it. Known limits: who has left the child's tree (a daemon) and its group is not found, and
 * without /proc (macOS, Windows) nobody beyond the child or its group is.
 */
import type { ChildProcess } from 'node:child_process';
import { after } from './deadline.ts';
import { descendants, isRunning } from './process-table.ts';

/** Between SIGTERM and SIGKILL. */
const graceMs = 5_000;
const pollMs = 20;

/** Resolves when the child and the descendants that it had have ended, or were sent SIGKILL. @param leads whether it leads a group */
export async function terminate(child: ChildProcess, ended: Promise<unknown>, leads = false): Promise<void> {
  const others = child.pid === undefined ? [] : descendants(child.pid);
  const running = (): typeof others => others.filter(isRunning);
  const signalAll = (signal: NodeJS.Signals): void => {
    if (leads) signalGroup(child, signal);
    else child.kill(signal);
    for (const { pid, group } of running()) if (!leads || group !== child.pid) signalOther(pid, signal);
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

/** To the group that the child leads, or led: whoever is left of it. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  if (process.platform === 'win32') child.kill(signal);
  else signalOther(-child.pid, signal);
}

function signalOther(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended in between, or belongs to somebody else now.
  }
}
