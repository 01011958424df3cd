/** Shell commands for what they print: passphrase commands, generators. */
import type { Readable } from 'node:stream';
import { BackendError, InterruptedError } from '../errors.ts';
import type { ChildKeeper } from './child-keeper.ts';
import { drainMasked, type Write } from './child-stdio.ts';
import { Needles } from './mask.ts';
import { runShell, shellCall } from './shell.ts';

export interface CommandOutput {
  readonly status: number;
  /** Caller wipes. */
  readonly output: Uint8Array<ArrayBuffer>;
}

/** Who ends a command in time. */
export interface Kept {
  /** Takes what it prints on standard error, where it is kept from the terminal. */
  readonly report: Write;
  readonly keeper: ChildKeeper;
}

type Environment = Readonly<Record<string, string | undefined>>;

const mostOutput = 16 * 1024 ** 2;
const cannotRun = 'cannot run the command';

/**
 * Before there is anything else to do: nothing happens here until it has ended. It may ask at the terminal.
 * @throws BackendError if it cannot be started or prints too much
 */
export async function runForOutput(command: string, environment: Environment): Promise<CommandOutput> {
  const { spawnSync } = await import('node:child_process');
  const [shell, words] = shellCall(command);
  const result = spawnSync(shell, words, {
    env: { ...environment },
    stdio: ['inherit', 'pipe', 'inherit'],
    maxBuffer: mostOutput,
  });
  if (result.error !== undefined) throw new BackendError(cannotRun, { cause: result.error });
  const output = Uint8Array.from(result.stdout);
  result.stdout.fill(0);
  return { status: result.status ?? 128, output };
}

/**
 * While other things go on.
 * @param kept `null`, or by a keeper who shares our terminal: our standard input and error are its own, so that it may ask there; else it
 *   reads nothing
 * @throws BackendError as above; InterruptedError if it was ended
 */
export async function awaitOutput(
  command: string,
  environment: Environment,
  kept: Kept | null,
  cwd?: string,
): Promise<CommandOutput> {
  const chunks: Uint8Array[] = [];
  const keeper = kept?.keeper ?? null;
  const apart = kept?.keeper.apart === true ? kept : null;
  const stdio =
    apart === null ? (['inherit', 'pipe', 'inherit'] as const) : (['ignore', 'pipe', 'pipe'] as const);
  try {
    const status = await runShell(command, { environment, stdio, keeper, cwd }, ({ stdout, stderr }) => [
      ...(stdout === null ? [] : [collect(stdout, chunks)]),
      ...(stderr === null || apart === null ? [] : [drainMasked(stderr, new Needles([]), apart.report)]),
    ]);
    return { status, output: joined(chunks) };
  } catch (cause) {
    if (cause instanceof InterruptedError) throw cause;
    throw new BackendError(cannotRun, { cause });
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** @throws RangeError if it is too much: whoever writes it finds the pipe closed */
async function collect(stream: Readable, chunks: Uint8Array[]): Promise<void> {
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > mostOutput) throw new RangeError('too much output');
  }
}
