/**
 * Children that do not outlive us. Those of a program that has the terminal for itself have a session of their own, so that neither
 * their standard streams nor /dev/tty lead to our terminal, and are ended as a group. Others share our terminal, and are ended with what
 * they have started when a signal ends us.
 *
 * Known limits: on Windows they share our console, and only the shell is ended; nobody can end them for us after SIGKILL.
 */
import type { ChildProcess } from 'node:child_process';
import { InterruptedError } from '../errors.ts';
import { after } from './deadline.ts';
import { signalGroup, terminate } from './terminate.ts';

/** How long output is awaited from whom a child that was ended has left behind. */
const drainMs = 1_000;

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class ChildKeeper {
  /** Whether they are to have sessions of their own. */
  readonly detached: boolean;
  readonly #hasSignals: boolean;
  readonly #children = new Map<ChildProcess, Promise<unknown>>();
  #isEnding = false;
  readonly #leave = (): void => {
    for (const child of this.#children.keys()) {
      if (this.detached) signalGroup(child, 'SIGTERM');
      else child.kill();
    }
  };
  readonly #onSignal = (): void => void this.end();

  /** @param sharing whether they share our terminal, and a signal that would end us while one runs ends them: `end` is called for it */
  constructor(sharing: 'terminal' | 'nothing') {
    this.#hasSignals = sharing === 'terminal';
    this.detached = !this.#hasSignals && process.platform !== 'win32';
  }

  /** Whether they may use our standard streams. */
  get apart(): boolean {
    return !this.#hasSignals;
  }

  /** @throws InterruptedError once they were ended: no other begins, and how one has ended says nothing */
  check(): void {
    if (this.#isEnding) throw new InterruptedError();
  }

  /** @param exited settles when it has ended. @returns what to call when its output has ended as well */
  keep(child: ChildProcess, exited: Promise<unknown>): () => void {
    if (this.#children.size === 0) this.#watch();
    this.#children.set(child, exited);
    return () => {
      this.#children.delete(child);
      if (this.#children.size > 0) return;
      process.off('exit', this.#leave);
      for (const signal of endingSignals) process.off(signal, this.#onSignal);
    };
  }

  #watch(): void {
    process.on('exit', this.#leave);
    if (this.#hasSignals) for (const signal of endingSignals) process.on(signal, this.#onSignal);
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
