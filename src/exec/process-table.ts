/** What Linux says in /proc about processes: who is in the terminal's foreground, and who descends from whom. */
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';

/** A process; its number alone may belong to another one by the next look. */
export interface Process {
  readonly pid: number;
  /** Clock ticks between the start of the machine and that of the process. */
  readonly started: string;
  readonly group: number;
}

interface Row extends Process {
  readonly parent: number;
  /** Group that the terminal's keys are meant for; -1 without a terminal. */
  readonly foreground: number;
}

/**
 * Whether we belong to the group of processes that the terminal's keys reach: then Ctrl-C has reached our child as well.
 * Where there is no /proc to ask, having a terminal counts as being in its foreground.
 */
export function isInForeground(): boolean {
  if (process.platform === 'win32') return true;
  const self = row('self');
  if (self !== null) return self.group === self.foreground;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/**
 * All that these processes have started, and what those have started, as far as they are still its descendants: who outlives its
 * parent belongs to someone else. Empty where there is no /proc.
 */
export function descendants(pids: readonly number[]): Process[] {
  const children = new Map<number, Row[]>();
  for (const entry of allRows()) children.set(entry.parent, [...(children.get(entry.parent) ?? []), entry]);
  const found: Process[] = [];
  const pending = [...pids];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const child of children.get(next) ?? []) {
      found.push({ pid: child.pid, started: child.started, group: child.group });
      pending.push(child.pid);
    }
  }
  return found;
}

/** Whether it still runs: not ended, and its number not given to another. */
export function isRunning(it: Process): boolean {
  return row(String(it.pid))?.started === it.started;
}

function allRows(): Row[] {
  let entries: string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return [];
  }
  return entries
    .filter((entry) => /^\d+$/u.test(entry))
    .map(row)
    .filter((entry) => entry !== null);
}

/** See proc_pid_stat(5). `null` for a process that has ended, waited for or not. */
function row(entry: string): Row | null {
  let line: string;
  try {
    line = readFileSync(`/proc/${entry}/stat`, 'latin1');
  } catch {
    return null;
  }
  // The second field is the program's name in brackets, with whatever it likes between them.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, , , foreground] = fields;
  const started = fields[19];
  if (state === undefined || started === undefined || 'ZX'.includes(state)) return null;
  return {
    pid: Number.parseInt(line, 10),
    started,
    parent: Number(parent),
    group: Number(group),
    foreground: Number(foreground),
  };
}
