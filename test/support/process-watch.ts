/** Which processes of this machine show a value while something runs: in their arguments, which everybody sees, or in their environment. */
import { readFileSync, readdirSync } from 'node:fs';
import type { Canary } from './canary.ts';

interface Shown {
  /** Command lines. */
  readonly arguments: ReadonlySet<string>;
  /** Command lines of those that have it in their environment. */
  readonly environment: ReadonlySet<string>;
}

const everyMs = 10;

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // The process has ended, or is somebody else's.
    return '';
  }
}

export async function whoShows(canary: Canary, work: () => Promise<unknown>): Promise<Shown> {
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
  const watch = setInterval(look, everyMs);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  return shown;
}
