/**
 * Launching the program that `exec` was asked to run: in our place where nothing has to be watched, beside us where
 * something has. Statuses are a shell's: 127 not found, 126 found but cannot run, 128 + N ended by a signal; 124 timed out.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { BackendError, UsageError } from '../errors.ts';
import { batchArguments, isBatchFile } from './batch-file.ts';
import type { Write } from './child-stdio.ts';
import { findProgram } from './find-program.ts';
import { Needles } from './mask.ts';
import { canReplace, replaceProcess } from './replace.ts';
import type { SecretFiles } from './secret-files.ts';
import { supervise, type Ending, type Supervision } from './supervise.ts';

export interface LaunchOptions {
  /** As typed: a name to look for in the child's PATH, or a path. */
  readonly command: string;
  readonly args: readonly string[];
  /** All of the child's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly cwd: string;
  /** Run it beside us even if nothing below asks for it: `launch` then returns when it has ended. */
  readonly watch: boolean;
  /** What the child reads on its standard input, instead of ours. Borrowed until `beforeStart`. */
  readonly stdin: Uint8Array | null;
  readonly timeoutMs: number | null;
  /** Values to mask in its output. Borrowed until `beforeStart`. */
  readonly mask: readonly Uint8Array[] | null;
  /** Removed when the child has ended, or has not started. */
  readonly secretFiles: SecretFiles | null;
  /** Take masked output. */
  readonly writeStdout: Write;
  readonly writeStderr: Write;
  /**
   * Called at most once, after the program was found and right before it starts, whether in our place or beside us: to
   * close the vault, wipe keys, and undo what the child must not inherit. The start may still fail after it.
   */
  readonly beforeStart: (place: 'ours' | 'beside') => void;
  /** Told why the status is not the program's own: it was not found, cannot run, or ran out of time. */
  readonly report: (message: string) => void;
}

/**
 * Runs the program. Where it takes our place, this returns only if that failed.
 *
 * @returns The status to exit with.
 * @throws UsageError for a working folder that is none, and an environment that is too large for the system; BackendError
 *   if the system could not start the program for reasons of its own, or masked output could not be written.
 */
export async function launch(options: LaunchOptions): Promise<number> {
  try {
    return await run(options);
  } finally {
    options.secretFiles?.remove();
  }
}

async function run(options: LaunchOptions): Promise<number> {
  const { command, environment, cwd } = options;
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new UsageError(`${JSON.stringify(cwd)} is not a folder to run a program in`);
  }
  const found = findProgram(command, environment, cwd);
  if (found.path === null) {
    options.report(found.reason);
    return found.status;
  }
  const descriptors = namedDescriptors(options.args);
  const watched =
    options.watch ||
    options.stdin !== null ||
    options.timeoutMs !== null ||
    options.mask !== null ||
    options.secretFiles !== null ||
    descriptors.length > 0;
  if (!watched && canReplace()) return couldNotStart(options, replace(options, found.path));

  const ending = await runBeside(options, found.path, descriptors);
  if (ending.status === null) return couldNotStart(options, ending.code);
  if (ending.timedOut) options.report(`${JSON.stringify(command)} ran out of time`);
  return ending.status;
}

/** @returns The system's code, if we are still here. */
function replace({ command, args, environment, cwd, beforeStart }: LaunchOptions, file: string): string {
  const ours = process.cwd();
  beforeStart('ours');
  if (cwd !== ours) process.chdir(cwd);
  const code = replaceProcess({ path: file, args: [command, ...args], environment });
  // What execvp does: a script that names no interpreter is one for the shell.
  const again =
    code === 'ENOEXEC' && isText(file)
      ? replaceProcess({ path: '/bin/sh', args: ['sh', shellOperand(file), ...args], environment })
      : code;
  if (cwd !== ours) process.chdir(ours);
  return again;
}

async function runBeside(
  options: LaunchOptions,
  file: string,
  descriptors: readonly number[],
): Promise<Ending> {
  const { mask, stdin } = options;
  const batch = process.platform === 'win32' && isBatchFile(file);
  const args = batch ? batchArguments(file, options.args) : options.args;
  if (args === null) {
    throw new UsageError(
      `an argument for the batch file ${JSON.stringify(file)} could mean something to cmd.exe`,
      {
        hint: 'run it through cmd /c, or what it calls directly',
      },
    );
  }
  const needles = mask === null ? null : new Needles(mask);
  // A copy: the callback may wipe the caller's.
  const input = stdin === null ? null : Uint8Array.from(stdin);
  const supervision: Supervision = {
    ...options,
    beforeStart: () => {
      options.beforeStart('beside');
    },
    path: batch ? (options.environment['ComSpec'] ?? 'cmd.exe') : file,
    command: batch ? 'cmd.exe' : options.command,
    args,
    verbatim: batch,
    descriptors,
    stdin: input,
    mask: needles,
  };
  try {
    const ending = await supervise(supervision);
    if (ending.status !== null || ending.code !== 'ENOEXEC' || !isText(file)) return ending;
    return await supervise({
      ...supervision,
      path: '/bin/sh',
      command: 'sh',
      args: [shellOperand(file), ...args],
      beforeStart: () => undefined,
    });
  } finally {
    needles?.wipe();
    input?.fill(0);
  }
}

/** A shell's status for a program that was found and did not start. */
function couldNotStart({ command, report }: LaunchOptions, code: string): number {
  const quoted = JSON.stringify(command);
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      report(`${quoted}: the interpreter that it names was not found`);
      return 127;
    case 'EACCES':
    case 'EPERM':
      report(`${quoted}: permission denied`);
      return 126;
    case 'ENOEXEC':
    case 'ELIBBAD':
    case 'EISDIR':
    case 'ELOOP':
    case 'EINVAL':
      report(`${quoted} is not a program for this system`);
      return 126;
    case 'ETXTBSY':
      report(`${quoted} is open for writing`);
      return 126;
    case 'E2BIG':
      throw new UsageError('the environment and the arguments are too large for the system', {
        hint: 'select fewer secrets with --only, or hand large ones over with --file VAR=NAME',
      });
    default:
      throw new BackendError(`cannot start ${quoted}: failed with ${code}`);
  }
}

/** Whether a file without `#!` may be a shell script: no NUL before the end of its first line, as POSIX suggests. */
function isText(file: string): boolean {
  const beginning = new Uint8Array(256);
  let length: number;
  try {
    const descriptor = openSync(file, 'r');
    try {
      length = readSync(descriptor, beginning);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return false;
  }
  const line = beginning.subarray(0, length);
  const end = line.indexOf(0x0a);
  return !line.subarray(0, end === -1 ? length : end).includes(0);
}

/** Not to be taken for an option. */
function shellOperand(file: string): string {
  return file.startsWith('/') ? file : `./${file}`;
}

/**
 * Descriptors above 2 that arguments name, as a shell's `<(…)` does. Node's start closes some of them on execve, so a child
 * that needs them runs beside us.
 */
function namedDescriptors(args: readonly string[]): number[] {
  const named = args.flatMap((arg) => [...arg.matchAll(/\/(?:dev|proc\/self)\/fd\/(\d{1,4})(?!\d)/gu)]);
  const numbers = new Set(named.map(([, digits]) => Number(digits)));
  return [...numbers].filter((number) => number > 2 && isOpen(number)).sort((a, b) => a - b);
}

function isOpen(descriptor: number): boolean {
  try {
    fstatSync(descriptor);
    return true;
  } catch {
    return false;
  }
}
