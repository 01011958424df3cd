/** What a supervised child has for descriptors: the caller's own, or pipes of which we hold the other ends. */
import { closeSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { MaskStream, type Needles } from './mask.ts';
import { makePipes } from './pipes.ts';

export interface ChildStdio {
  /** The `stdio` of spawn. */
  readonly slots: readonly ('inherit' | 'ignore' | 'pipe' | number)[];
  /** Our ends, once the child has started. */
  streams(child: ChildProcess): { readonly input: Writable | null; readonly outputs: readonly Readable[] };
  /** The child's ends, as far as they are ours to close: whether it has started or not, they are of no more use here. */
  closeChildEnds(): void;
  /** Our own ends, when there is no child. */
  discard(): void;
}

export interface StdioOptions {
  /** Whether we write what the child reads on its standard input. */
  readonly feed: boolean;
  /** Whether we read what it writes. */
  readonly capture: boolean;
  /** Descriptors of the caller that it gets under their own numbers. */
  readonly descriptors: readonly number[];
}

export async function openStdio({ feed, capture, descriptors }: StdioOptions): Promise<ChildStdio> {
  const { Socket } = await import('node:net');
  const pipes = await makePipes((feed ? 1 : 0) + (capture ? 2 : 0));
  const captured = pipes?.slice(feed ? 1 : 0) ?? [];
  const fed = feed ? (pipes?.[0] ?? null) : null;

  const otherwise = (ours: boolean): 'pipe' | 'inherit' => (ours ? 'pipe' : 'inherit');
  const slots: ('inherit' | 'ignore' | 'pipe' | number)[] = [
    fed?.read ?? otherwise(feed),
    captured[0]?.write ?? otherwise(capture),
    captured[1]?.write ?? otherwise(capture),
  ];
  for (const descriptor of descriptors) {
    while (slots.length <= descriptor) slots.push('ignore');
    slots[descriptor] = descriptor;
  }
  const input = fed === null ? null : new Socket({ fd: fed.write, readable: false, writable: true });
  const outputs = captured.map(({ read }) => new Socket({ fd: read, readable: true, writable: false }));
  return {
    slots,
    streams: (child) => ({
      input: input ?? child.stdin,
      outputs:
        outputs.length > 0 ? outputs : [child.stdout, child.stderr].filter((stream) => stream !== null),
    }),
    closeChildEnds: () => {
      for (const end of [fed?.read, ...captured.map(({ write }) => write)])
        if (end !== undefined) closeSync(end);
    },
    discard: () => [input, ...outputs].forEach((stream) => stream?.destroy()),
  };
}

/** Gives the child its input, and then its end. A child that does not read it all is none of our business. */
export function feedInput(stream: Writable, input: Uint8Array): void {
  stream.on('error', () => undefined);
  stream.end(input);
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
