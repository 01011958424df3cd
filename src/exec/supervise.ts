/**
 * Running the child beside us, for what has to be watched: a timeout, masked output, a secret on its standard input, files
 * to remove when it has ended. Signals: see forwarding.ts. Everything that is not masked or fed is the caller's own.
 *
 * Known limit: masked streams are pipes, so that the child does not see a terminal on them.
 */
import os from 'node:os';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { BackendError } from '../errors.ts';
import { drainMasked, openStdio, type Write } from './child-stdio.ts';
import { after } from './deadline.ts';
import { takeSignals } from './forwarding.ts';
import type { Needles } from './mask.ts';
import type { SecretFiles } from './secret-files.ts';
import { systemCode } from './system-code.ts';
import { terminate } from './terminate.ts';

export interface Supervision {
  readonly path: string;
  /** Name of the program for itself. */
  readonly command: string;
  readonly args: readonly string[];
  /** Whether Windows gets the arguments as they stand. */
  readonly verbatim: boolean;
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** The caller's descriptors above 2 that the child gets. */
  readonly descriptors: readonly number[];
  /** What the child reads on its standard input, instead of ours. Ours to wipe. */
  readonly stdin: Uint8Array | null;
  readonly timeoutMs: number | null;
  readonly mask: Needles | null;
  readonly writeStdout: Write;
  readonly writeStderr: Write;
  readonly secretFiles: Pick<SecretFiles, 'unguard'> | null;
  /** Called right before the start. */
  readonly beforeStart: () => void;
}

export type Ending =
  { readonly status: number; readonly timedOut: boolean } | { readonly status: null; readonly code: string };

/** How long output is awaited from whom a child that was timed out has left behind. */
const drainMs = 1_000;
const timeoutStatus = 124;

/**
 * Runs the child to its end.
 *
 * @returns Its status, 128 + N if a signal ended it, 124 if the timeout did; or the system's code, if it could not start.
 * @throws BackendError if masked output could not be written (a closed pipe aside, which the child gets to know).
 */
export async function supervise(supervision: Supervision): Promise<Ending> {
  const state: State = { running: null, early: [], exited: false, terminating: null };
  const release = takeSignals((signal, childHasIt) => passOn(signal, childHasIt, state));
  supervision.secretFiles?.unguard();
  try {
    const running = await start(supervision);
    if (typeof running === 'string') return { status: null, code: running };
    state.running = running;
    for (const signal of state.early) running.child.kill(signal);
    return await toTheEnd(running, state, supervision);
  } finally {
    release();
  }
}

interface State {
  running: Running | null;
  /** Signals that came before there was a child to have them. */
  readonly early: NodeJS.Signals[];
  exited: boolean;
  terminating: Promise<void> | null;
}

function passOn(signal: NodeJS.Signals, childHasIt: boolean, { running, early, exited }: State): void {
  if (running === null) early.push(signal);
  // When only somebody whom the child left behind keeps its output open, whoever asks us to end is right.
  else if (exited) stopDraining(running);
  else if (!childHasIt) running.child.kill(signal);
}

function stopDraining(running: Running): void {
  for (const stream of running.outputs) stream.destroy();
}

async function toTheEnd(running: Running, state: State, supervision: Supervision): Promise<Ending> {
  const { timeoutMs, mask } = supervision;
  const onTimeout = (): void => {
    if (state.exited) stopDraining(running);
    else state.terminating = terminate(running.child, running.ended);
  };
  const timers = timeoutMs === null ? [] : [after(timeoutMs, onTimeout)];
  try {
    const writers = [supervision.writeStdout, supervision.writeStderr];
    const draining = writers.map(async (write, index) => {
      const stream = running.outputs[index];
      return stream === undefined || mask === null ? null : drainMasked(stream, mask, write);
    });
    const status = await running.ended;
    state.exited = true;
    if (state.terminating !== null) {
      await state.terminating;
      timers.push(after(drainMs, () => stopDraining(running)));
    }
    const failure = (await Promise.all(draining)).find((one) => one !== null);
    if (failure !== undefined)
      throw new BackendError('cannot write the output of the program', { cause: failure });
    return state.terminating === null
      ? { status, timedOut: false }
      : { status: timeoutStatus, timedOut: true };
  } finally {
    for (const cancel of timers) cancel();
  }
}

interface Running {
  readonly child: ChildProcess;
  /** Its status. */
  readonly ended: Promise<number>;
  /** Standard output and standard error, if they are masked. */
  readonly outputs: readonly Readable[];
}

/** The running child, or the system's code. */
async function start(supervision: Supervision): Promise<Running | string> {
  const { spawn } = await import('node:child_process');
  const { stdin, descriptors, cwd, environment } = supervision;
  const stdio = await openStdio({
    input: stdin,
    capture: supervision.mask !== null,
    descriptors,
    environment,
  });
  let child: ChildProcess;
  try {
    supervision.beforeStart();
  } catch (error) {
    stdio.closeChildEnds();
    stdio.discard();
    throw error;
  }
  try {
    child = spawn(supervision.path, supervision.args, {
      argv0: supervision.command,
      cwd,
      env: environment,
      stdio: [...stdio.slots],
      windowsVerbatimArguments: supervision.verbatim,
    });
  } catch (error) {
    stdio.discard();
    return systemCode(error);
  } finally {
    stdio.closeChildEnds();
  }
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : os.constants.signals[signal]));
    });
  });
  const problem = await new Promise<unknown>((resolve) => {
    child.once('spawn', () => resolve(null));
    // It stays: a signal that could not be delivered is reported here, too.
    child.on('error', resolve);
  });
  if (problem !== null) {
    stdio.discard();
    return systemCode(problem);
  }
  return { child, ended, outputs: stdio.attach(child) };
}
