/**
 * Standard streams. Data goes to standard output and nothing else does; everything else goes to standard error with the program's
 * name in front, lower case, no full stop. Exact bytes where standard output is not a terminal.
 *
 * Writes are synchronous: a value is out before the process ends, and a closed pipe is known at once.
 */
import { fstatSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { BackendError } from '../errors.ts';

const standardInput = 0;
const standardOutput = 1;
const standardError = 2;

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
}

/** Write everything. Returns false if whoever read it has gone: that is no error of ours. @throws on other failures */
function writeAll(descriptor: number, bytes: Uint8Array): boolean {
  for (let offset = 0; offset < bytes.length;) {
    try {
      offset += writeSync(descriptor, bytes, offset, bytes.length - offset);
    } catch (error) {
      if (codeOf(error) === 'EPIPE') return false;
      if (codeOf(error) !== 'EAGAIN') throw error;
      pause();
    }
  }
  return true;
}

/** @returns false if whoever read it has gone. @throws BackendError if it cannot be written */
export function writeOutput(data: string | Uint8Array): boolean {
  try {
    return writeAll(standardOutput, typeof data === 'string' ? Buffer.from(data, 'utf8') : data);
  } catch (cause) {
    const code = codeOf(cause);
    const reason = code === 'ENOSPC' ? 'no space left' : `failed with ${String(code)}`;
    throw new BackendError(`cannot write to standard output: ${reason}`, {
      cause,
      hint: 'see where the output goes',
    });
  }
}

/** Best effort: a message that cannot be shown must not become another failure. */
export function writeError(data: string | Uint8Array): void {
  try {
    writeAll(standardError, typeof data === 'string' ? Buffer.from(data, 'utf8') : data);
  } catch {
    // Standard error is closed or full.
  }
}

/** One message for the person: `vault: …`. */
export function say(message: string): void {
  writeError(`vault: ${message}\n`);
}

/** /dev/null of Linux. */
const nullDevice = 0x103;

/** Most things are told from a terminal by their kind, without node:tty, which brings sockets and streams along. */
function isTerminal(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor);
    if (process.platform === 'linux' && (!stat.isCharacterDevice() || stat.rdev === nullDevice)) return false;
  } catch {
    return false;
  }
  return isatty(descriptor);
}

export const inputIsTerminal = (): boolean => isTerminal(standardInput);
export const outputIsTerminal = (): boolean => isTerminal(standardOutput);
export const errorIsTerminal = (): boolean => isTerminal(standardError);

export const usualWidth = 80;

/** Columns of the terminal that standard output is, or the usual number where it is none. */
export const outputWidth = (): number => (outputIsTerminal() ? process.stdout.columns : usualWidth);

/** Standard input counts only if it is a pipe, a file or a socket: cron and CI hand out /dev/null. */
export function inputIsData(): boolean {
  try {
    const stat = fstatSync(0);
    return stat.isFIFO() || stat.isFile() || stat.isSocket();
  } catch {
    return false;
  }
}
