/**
 * Becoming the child: execve(2) puts its program in our place, under our process number, so that there is nobody between
 * it and the caller: signals, job control, exit status and the terminal are the child's own.
 *
 * What a process hands on through execve is put back into the state in which the caller gave it to us: blocking standard
 * descriptors, and SIGPIPE and SIGXFSZ as they are by default (Node ignores both, and an ignored signal stays ignored).
 *
 * Known limits, all of Node's own start-up: signals that the caller ignores (nohup) are back at their defaults, so it is
 * `vault exec -- nohup CMD`; the soft limit of open files is raised to the hard one; of the caller's descriptors above 2
 * those from 3 to 15 or so are closed (`launch` passes on the ones that an argument names).
 */
import { readFileSync } from 'node:fs';
import { systemCode } from './system-code.ts';

export interface Replacement {
  /** File to run; its name for the program is the first of `args`. */
  readonly path: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Whether this platform can. */
export function canReplace(): boolean {
  return process.execve !== undefined;
}

/**
 * Does not return unless it failed.
 *
 * @returns The system's code, such as ENOEXEC or E2BIG; we are then still what we were.
 */
export function replaceProcess({ path, args, environment }: Replacement): string {
  if (process.execve === undefined) return 'ENOSYS';
  restoreBlocking();
  const restored = ['SIGPIPE', 'SIGXFSZ'] as const;
  // A signal with a handler is at its default after execve.
  const ignore = (): void => undefined;
  for (const signal of restored) process.on(signal, ignore);
  try {
    return process.execve(path, args, environment);
  } catch (error) {
    return systemCode(error);
  } finally {
    for (const signal of restored) process.off(signal, ignore);
  }
}

/**
 * Streams of Node make pipes and terminals non-blocking; at exit it would undo that, at execve it does not. A program that
 * does not expect it fails with "resource temporarily unavailable".
 */
function restoreBlocking(): void {
  const streams = ['stdin', 'stdout', 'stderr'] as const;
  for (const [descriptor, name] of streams.entries()) {
    if (!mayBeNonBlocking(descriptor)) continue;
    // Not public, and the only way to a descriptor's flags.
    const stream = process[name] as { readonly _handle?: { setBlocking?: (blocking: boolean) => void } };
    stream._handle?.setBlocking?.(true);
  }
}

function mayBeNonBlocking(descriptor: number): boolean {
  let info: string;
  try {
    info = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1');
  } catch {
    // Closed; or no /proc, and then it is better to be sure.
    return process.platform !== 'linux';
  }
  const flags = /^flags:\s*([0-7]+)/mu.exec(info)?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & nonBlocking) !== 0;
}

/** O_NONBLOCK of Linux, which is the only one to have the file that it is compared with. */
const nonBlocking = 0o4000;
