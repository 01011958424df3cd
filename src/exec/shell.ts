/** A line for the shell, or a program, run to its end while we do other things. */
import { once } from 'node:events';
import { constants } from 'node:os';
import type { ChildProcess } from 'node:child_process';
import type { ChildKeeper } from './child-keeper.ts';
import { signalGroup } from './terminate.ts';

export interface ShellOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdio: readonly ('inherit' | 'ignore' | 'pipe' | number)[];
  /** The folder that it runs in; ours, if there is none. */
  readonly cwd?: string | undefined;
  /** `null`: it shares our session and process group, and with them the terminal and its keys. */
  readonly keeper: ChildKeeper | null;
}

const windowsShell = 'cmd.exe';

/** How `sh -c` (`cmd /c` on Windows) is called for a command. */
export function shellCall(command: string): readonly [string, readonly string[]] {
  return process.platform === 'win32' ? [windowsShell, ['/c', command]] : ['/bin/sh', ['-c', command]];
}

/** As `runProgram`. */
export async function runShell(
  command: string,
  options: ShellOptions,
  work: (child: ChildProcess) => readonly Promise<unknown>[],
): Promise<number> {
  return runProgram(shellCall(command), options, work);
}

/**
 * @param work on its pipes, with which this ends as well
 * @returns its exit status, 128 + N where signal N ended it
 * @throws InterruptedError if its keeper was told to end it, whatever has become of it; the system's error if it cannot be started
 */
export async function runProgram(
  [file, words]: readonly [string, readonly string[]],
  { environment, stdio, keeper, cwd }: ShellOptions,
  work: (child: ChildProcess) => readonly Promise<unknown>[],
): Promise<number> {
  const { spawn } = await import('node:child_process');
  const turn = keeper?.begin();
  try {
    const child = spawn(file, words, {
      env: { ...environment },
      cwd,
      stdio: [...stdio],
      detached: keeper?.detached === true,
      // A line for cmd.exe is one already.
      windowsVerbatimArguments: file === windowsShell,
    });
    const exited = new Promise((resolve) => {
      child.once('exit', resolve);
      child.once('error', resolve);
    });
    turn?.keep(child, exited);
    return await untilEnded(child, keeper, work);
  } finally {
    turn?.release();
  }
}

async function untilEnded(
  child: ChildProcess,
  keeper: ChildKeeper | null,
  work: (child: ChildProcess) => readonly Promise<unknown>[],
): Promise<number> {
  let signal: NodeJS.Signals | null;
  let code: number | null;
  try {
    const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    [[code, signal]] = await Promise.all([closed, ...work(child)]);
  } catch (error) {
    // Nobody takes what it says.
    if (keeper?.detached === true) signalGroup(child, 'SIGTERM');
    else child.kill();
    await keeper?.settle(null);
    throw error;
  }
  await keeper?.settle(signal);
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}
