/** What may end or stop the program while it has the terminal. The terminal is given back first, whatever it is. */
import { setTimeout as pause } from 'node:timers/promises';

const ending = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export interface Guarded {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  /** Give the terminal back, at once. */
  readonly restore: () => void;
  /** End what runs for us. A second signal does not wait for it. */
  readonly endChildren: () => Promise<void>;
  /** Nobody is there any more. */
  readonly leave: () => void;
  /** Somebody else wants the program to stop for a while, as a person does with Ctrl-Z. */
  readonly stop: () => void;
  /** The program goes on after it was stopped, perhaps without having been told, and somebody else may have used the terminal. */
  readonly resumed: () => void;
}

/** Within this time a process that was told to stop has stopped. */
const stopMs = 50;

/** Stop, with all that is in the foreground beside us, as any program at Ctrl-Z. @returns when a shell has brought it back */
export async function stopHere(): Promise<void> {
  const handlers = process.listeners('SIGTSTP');
  for (const handler of handlers) process.off('SIGTSTP', handler);
  process.kill(0, 'SIGTSTP');
  await pause(stopMs);
  for (const handler of handlers) process.on('SIGTSTP', handler);
}

/**
 * Signals end the program as they would have without us, what runs for us as well; errors that nobody caught are reported by whoever reports them, each once the
 * terminal is as it was.
 * @returns how to end this
 */
export function guard({ input, output, restore, endChildren, leave, stop, resumed }: Guarded): () => void {
  let isEnding = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    restore();
    // Until then this listens on: the terminal library ends the program as soon as nobody else does.
    const end = (): void => {
      for (const other of ending) process.off(other, onSignal);
      process.kill(process.pid, signal);
    };
    if (isEnding) end();
    else void endChildren().finally(end);
    isEnding = true;
  };
  const closed = [
    [input, 'end'],
    [input, 'error'],
    [output, 'error'],
  ] as const;
  for (const signal of ending) process.on(signal, onSignal);
  process.on('SIGTSTP', stop);
  process.on('SIGCONT', resumed);
  // Before whoever writes to the terminal what happened.
  process.prependListener('uncaughtException', restore);
  process.prependListener('unhandledRejection', restore);
  for (const [stream, event] of closed) stream.on(event, leave);
  return () => {
    for (const signal of ending) process.off(signal, onSignal);
    process.off('SIGTSTP', stop);
    process.off('SIGCONT', resumed);
    process.off('uncaughtException', restore);
    process.off('unhandledRejection', restore);
    for (const [stream, event] of closed) stream.off(event, leave);
  };
}
