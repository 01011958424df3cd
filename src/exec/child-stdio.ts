/** What a supervised child has for descriptors: the caller's own, or pipes of which we hold the other ends. */
import { closeSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { MaskStream, type Needles } from './mask.ts';
import { openInMemory } from './memory-storage.ts';
import { makePipes } from './pipes.ts';

export interface ChildStdio {
  /** The `stdio` of spawn. */
  readonly slots: readonly Slot[];
  /** Starts our work at the pipes. @returns What the child writes, if that is captured: standard output and error. */
  attach(child: ChildProcess): readonly Readable[];
  /** The child's ends, as far as they are ours to close: whether it has started or not, they are of no more use here. */
  closeChildEnds(): void;
  /** Our own ends, when there is no child. */
  discard(): void;
}

type Slot = 'inherit' | 'ignore' | 'pipe' | number;

export interface ChildStdioOptions {
  /** What the child reads on its standard input, instead of ours. */
  readonly input: Uint8Array | null;
  /** Whether we read what it writes. */
  readonly capture: boolean;
  /** Descriptors of the caller that it gets under their own numbers. */
  readonly descriptors: readonly number[];
  /** Says where the user's memory-backed folder is. */
  readonly environment: Readonly<Record<string, string>>;
}

export async function openStdio(options: ChildStdioOptions): Promise<ChildStdio> {
  const { Socket } = await import('node:net');
  const { input, capture } = options;
  const pipes = capture ? await makePipes(2) : null;
  // A file, rather than a pipe: it can be read by a path (/dev/stdin), and more than once.
  const file = input === null ? null : openInMemory(input, options.environment);
  const [output, error] = pipes ?? [];
  const slots = [
    file ?? (input === null ? 'inherit' : 'pipe'),
    output?.write ?? (capture ? 'pipe' : 'inherit'),
    error?.write ?? (capture ? 'pipe' : 'inherit'),
  ] satisfies Slot[];
  const sockets = (pipes ?? []).map(({ read }) => new Socket({ fd: read, readable: true, writable: false }));
  return {
    slots: withDescriptors(slots, options.descriptors),
    attach: (child) => {
      if (input !== null && child.stdin !== null) {
        // A child that does not read it all is none of our business.
        child.stdin.on('error', () => undefined);
        child.stdin.end(input);
      }
      return pipes === null ? [child.stdout, child.stderr].filter((stream) => stream !== null) : sockets;
    },
    closeChildEnds: () => {
      for (const end of [file, output?.write, error?.write]) if (typeof end === 'number') closeSync(end);
    },
    discard: () => sockets.forEach((socket) => socket.destroy()),
  };
}

function withDescriptors(slots: readonly Slot[], descriptors: readonly number[]): Slot[] {
  const all = [...slots];
  for (const descriptor of descriptors) {
    // "Ignored" above 2 is left as it is.
    while (all.length <= descriptor) all.push('ignore');
    all[descriptor] = descriptor;
  }
  return all;
}

/** Takes bytes of a masked stream; resolves when it is ready for more. */
export type Write = (bytes: Uint8Array) => Promise<void>;

/**
 * Passes on, masked, all that comes until the stream ends or is destroyed.
 *
 * If nobody reads us any more, the child's pipe is closed, as the shell's would be. @returns Any other failure to write.
 */
export async function drainMasked(stream: Readable, needles: Needles, write: Write): Promise<unknown> {
  const mask = new MaskStream(needles);
  let failure: unknown = null;
  const pass = async (bytes: Uint8Array): Promise<void> => {
    if (bytes.length === 0 || failure !== null) return;
    try {
      await write(bytes);
    } catch (error) {
      failure = error;
      stream.destroy();
    }
  };
  try {
    for await (const chunk of stream) await pass(mask.push(chunk as Uint8Array));
  } catch {
    // Destroyed: by us, or by whoever decided not to wait any longer. What is held back is still due.
  }
  await pass(mask.end());
  return failure instanceof Error && 'code' in failure && failure.code === 'EPIPE' ? null : failure;
}
