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

/** Of one child. */
interface Turn {
  /** @param exited settles when it has ended */
  keep(child: ChildProcess, exited: Promise<unknown>): void;
  /** Its output has ended as well, or it never began. */
  release(): void;
}

export class ChildKeeper {
  /** Whether they are to have sessions of their own. */
  readonly detached: boolean;
  readonly #hasSignals: boolean;
  readonly #children = new Map<ChildProcess, Promise<unknown>>();
  #turns = 0;
  #ending: Promise<unknown> | null = null;
  #isWatching = false;
  readonly #leave = (): void => {
    for (const child of this.#children.keys()) {
      if (this.detached) signalGroup(child, 'SIGTERM');
      else child.kill();
    }
  };
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#turns > 0) {
      void this.end();
      return;
    }
    // No child: it ends us as it would have.
    for (const one of endingSignals) process.off(one, this.#onSignal);
    process.kill(process.pid, signal);
  };

  /** @param sharing whether they share our terminal, and a signal that would end us while one runs ends them: `end` is called for it */
  constructor(sharing: 'terminal' | 'nothing') {
    this.#hasSignals = sharing === 'terminal';
    this.detached = !this.#hasSignals && process.platform !== 'win32';
  }

  /** Whether they may use our standard streams. */
  get apart(): boolean {
    return !this.#hasSignals;
  }

  /** @throws InterruptedError once they were ended: how one has ended says nothing then */
  check(): void {
    if (this.#ending !== null) throw new InterruptedError();
  }

  /**
   * Called before a child begins, so that no signal comes between.
   * @throws InterruptedError once they were ended: no other begins
   */
  begin(): Turn {
    this.check();
    this.#watch();
    this.#turns += 1;
    let own: ChildProcess | null = null;
    return {
      keep: (child, exited) => {
        own = child;
        this.#children.set(child, exited);
      },
      release: () => {
        if (own !== null) this.#children.delete(own);
        this.#turns -= 1;
      },
    };
  }

  /**
   * Once a child has ended: whether that says anything. A signal that came at the same time is heard first.
   * @param signal that ended it, or `null`: Ctrl-C at the terminal that it shares with us is meant for both
   * @throws InterruptedError when all have ended, if they were told to
   */
  async settle(signal: NodeJS.Signals | null): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#hasSignals && (signal === 'SIGINT' || signal === 'SIGHUP')) void this.end();
    await this.#ending;
    this.check();
  }

  /** From the first child on, to our end: a signal between two of them must not be lost either. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    process.on('exit', this.#leave);
    if (this.#hasSignals) for (const signal of endingSignals) process.on(signal, this.#onSignal);
  }

  /** Ends all of them: SIGTERM, and SIGKILL after some seconds. Resolves when they have ended. */
  async end(): Promise<void> {
    this.#ending ??= Promise.all(
      Array.from(this.#children, async ([child, exited]) => this.#endOne(child, exited)),
    );
    await this.#ending;
  }

  async #endOne(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
    await terminate(child, exited, this.detached);
    after(drainMs, () => {
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
    });
  }
}
