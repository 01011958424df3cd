// oxlint-disable unicorn/require-post-message-target-origin -- to a thread, not to a window
/** Which processes of this machine show a value while something runs: in their arguments, which everybody sees, or in their environment. */
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Canary } from './canary.ts';

interface Shown {
  /** Command lines. */
  readonly arguments: ReadonlySet<string>;
  /** Command lines of those that have it in their environment. */
  readonly environment: ReadonlySet<string>;
}

const everyMs = 10;

/** Looked at by a thread of its own: tests beside this one keep theirs busy. */
export async function whoShows(canary: Canary, work: () => Promise<unknown>): Promise<Shown> {
  const watcher = new Worker(new URL(import.meta.url), { workerData: canary.value });
  try {
    await once(watcher, 'message');
    await work();
    watcher.postMessage('enough');
    const [shown] = (await once(watcher, 'message')) as [Shown];
    return shown;
  } finally {
    await watcher.terminate();
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // The process has ended, or is somebody else's.
    return '';
  }
}

function watch(canary: Canary): void {
  const shown = { arguments: new Set<string>(), environment: new Set<string>() };
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/u.test(name))) {
      // The environment first: a process that is just becoming another program then has the new one's arguments already.
      const inEnvironment = canary.isIn(Buffer.from(read(`/proc/${pid}/environ`), 'latin1'));
      const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
      if (canary.isIn(Buffer.from(command, 'latin1'))) shown.arguments.add(command);
      if (inEnvironment && command !== '') shown.environment.add(command);
    }
  };
  setInterval(look, everyMs);
  parentPort?.on('message', () => parentPort?.postMessage(shown));
  parentPort?.postMessage('watching');
}

if (!isMainThread && typeof workerData === 'string') watch(new Canary(workerData));
