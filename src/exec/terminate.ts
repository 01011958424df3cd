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
import { descendants, isRunning, type Process } from './process-table.ts';

/** Between SIGTERM and SIGKILL. */
const graceMs = 5_000;
const pollMs = 20;

/** How often it is looked whether those who are left have started others meanwhile. */
const lookMs = 100;

/** Resolves when the child and all descendants that were found have ended, or were sent SIGKILL. @param leads whether it leads a group */
export async function terminate(child: ChildProcess, ended: Promise<unknown>, leads = false): Promise<void> {
  const known: Process[] = [];
  const running = (): Process[] => known.filter(isRunning);
  /** Those that were not known before, once in the list. */
  const look = (): Process[] => {
    if (child.pid === undefined) return [];
    const isKnown = ({ pid, started }: Process): boolean =>
      known.some((one) => one.pid === pid && one.started === started);
    const found = descendants([child.pid, ...running().map(({ pid }) => pid)]);
    const others = found.filter(
      (one, index) => !isKnown(one) && found.findIndex(({ pid }) => pid === one.pid) === index,
    );
    known.push(...others);
    return others;
  };
  const signalEach = (them: readonly Process[], signal: NodeJS.Signals): void => {
    for (const { pid, group } of them) if (!leads || group !== child.pid) signalOther(pid, signal);
  };
  const signalAll = (signal: NodeJS.Signals): void => {
    if (leads) signalGroup(child, signal);
    else child.kill(signal);
    signalEach(running(), signal);
  };
  let signal: NodeJS.Signals = 'SIGTERM';
  look();
  signalAll(signal);
  // Who is stopped gets SIGTERM when it goes on.
  if (process.platform !== 'win32') signalAll('SIGCONT');

  const cancel = after(graceMs, () => {
    look();
    signal = 'SIGKILL';
    signalAll(signal);
  });
  const state = { hasEnded: false };
  const noted = ended.then(() => {
    state.hasEnded = true;
  });
  for (
    let waited = 0;
    waited < 2 * graceMs && !(state.hasEnded && running().length === 0);
    waited += pollMs
  ) {
    if (waited % lookMs === 0) signalEach(look(), signal);
    const pause = new Promise<void>((resolve) => after(pollMs, resolve));
    await (state.hasEnded ? pause : Promise.race([noted, pause]));
  }
  await ended;
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
