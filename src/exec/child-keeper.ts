/**
 * Children of a program that has the terminal for itself, and ends when a person says so. They have a session of their own, so that neither
 * their standard streams nor /dev/tty lead to our terminal, and nothing of them outlives us: they are ended as a group.
 *
 * Known limits: on Windows they share our console, and only the shell is ended; nobody can end them for us after SIGKILL.
 */
import type { ChildProcess } from 'node:child_process';
import { InterruptedError } from '../errors.ts';
import { after } from './deadline.ts';
import { signalGroup, terminate } from './terminate.ts';

/** How long output is awaited from whom a child that was ended has left behind. */
const drainMs = 1_000;

export class ChildKeeper {
  readonly #children = new Map<ChildProcess, Promise<unknown>>();
  #isEnding = false;
  readonly #leave = (): void => {
    for (const child of this.#children.keys()) signalGroup(child, 'SIGTERM');
  };

  /** Whether they are to have sessions of their own. */
  readonly detached = process.platform !== 'win32';

  /** @throws InterruptedError once they were ended: no other begins, and how one has ended says nothing */
  check(): void {
    if (this.#isEnding) throw new InterruptedError();
  }

  /** @param exited settles when it has ended. @returns what to call when its output has ended as well */
  keep(child: ChildProcess, exited: Promise<unknown>): () => void {
    if (this.#children.size === 0) process.on('exit', this.#leave);
    this.#children.set(child, exited);
    return () => {
      this.#children.delete(child);
      if (this.#children.size === 0) process.off('exit', this.#leave);
    };
  }

  /** Ends all of them: SIGTERM, and SIGKILL after some seconds. Resolves when they have ended. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(
      Array.from(this.#children, async ([child, exited]) => {
        await terminate(child, exited, this.detached);
        after(drainMs, () => {
          for (const stream of [child.stdout, child.stderr]) stream?.destroy();
        });
      }),
    );
  }
}
