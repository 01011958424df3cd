/**
 * A console from its first screen to its last: keys in, frames out, and in between what the model wants done.
 *
 * Invariants: whatever ends it, the terminal is as it was before anything else is written to it, and no value is left. A value is
 * masked by the clock that came further, so that neither a machine that slept nor a clock that was set keeps it on the screen.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { openScreen, type Screen } from './app.ts';
import type { ConsoleActions, ConsoleData, SecretRow } from './data.ts';
import { begin, revealSeconds, update, type Effect, type Happening, type State } from './model.ts';
import { pageOf, viewOf, type Size } from './view.ts';

export interface SessionOptions {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  readonly colours: boolean;
  /** Milliseconds: of a clock that never goes back, and of the day. */
  readonly monotonic: () => number;
  readonly wallClock: () => number;
  /** Told where messages go while the console has the terminal; `null` gives them back. */
  readonly divert: (tell: ((message: string) => void) | null) => void;
}

const ending = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
const trailDelayMs = 100;
/** Within this time a process that was told to stop has stopped. */
const stopMs = 50;
const tickMs = 200;

/**
 * Show the console until somebody leaves it. What was begun by then is finished before this returns.
 * @throws what an action throws and cannot explain, with the terminal restored
 */
export async function runSession(
  data: ConsoleData,
  actions: ConsoleActions,
  options: SessionOptions,
): Promise<void> {
  const session = new Session(data, actions, options);
  await session.run();
}

class Session {
  readonly #actions: ConsoleActions;
  readonly #options: SessionOptions;
  #state: State;
  #screen: Screen | null = null;
  #pending: readonly Effect[];
  /** What is being done, one after the other. */
  #work: Promise<void> = Promise.resolve();
  #left = Promise.withResolvers<null>();
  #isLeaving = false;
  /** What went wrong when the terminal had been given back already. */
  #late: { readonly error: unknown } | null = null;
  #counting: NodeJS.Timeout | undefined;
  #trailTimer: NodeJS.Timeout | undefined;

  constructor(data: ConsoleData, actions: ConsoleActions, options: SessionOptions) {
    this.#actions = actions;
    this.#options = options;
    const { state, effects } = begin(data);
    this.#state = state;
    this.#pending = effects;
  }

  async run(): Promise<void> {
    const { input, output, divert } = this.#options;
    const listener = {
      key: (key: string) => {
        this.#happen({ type: 'key', key });
      },
      paste: (text: string) => {
        this.#happen({ type: 'paste', text });
      },
    };
    const resized = (): void => {
      this.#draw(true);
    };
    const gone = (): void => {
      this.#leave();
    };
    const crashed = (): void => {
      this.#restore();
    };
    const stopped = (): void => {
      this.#happen({ type: 'key', key: '<ctrl-z>' });
    };
    for (const signal of ending) process.on(signal, this.#onSignal);
    // Before whoever reports it writes to the terminal.
    process.prependListener('uncaughtException', crashed);
    process.prependListener('unhandledRejection', crashed);
    process.on('SIGTSTP', stopped);
    output.on('resize', resized);
    input.on('end', gone);
    input.on('error', gone);
    output.on('error', gone);
    divert((message) => {
      this.#happen({ type: 'told', message, isError: false });
    });
    try {
      this.#screen = await openScreen(input, output, listener, () => this.#view());
      if (this.#isLeaving) this.#screen.restore();
      this.#carryOut(this.#pending);
      this.#draw();
      await this.#left.promise;
    } finally {
      this.#restore();
      divert(null);
      for (const signal of ending) process.off(signal, this.#onSignal);
      process.off('uncaughtException', crashed);
      process.off('unhandledRejection', crashed);
      process.off('SIGTSTP', stopped);
      output.off('resize', resized);
      input.off('end', gone);
      input.off('error', gone);
      await this.#work;
    }
    if (this.#late !== null) throw this.#late.error;
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.#restore();
    for (const other of ending) process.off(other, this.#onSignal);
    process.kill(process.pid, signal);
  };

  #size(): Size {
    const { rows, columns } = this.#options.output;
    return { rows: rows > 0 ? rows : 24, columns: columns > 0 ? columns : 80 };
  }

  #view(): ReturnType<typeof viewOf> {
    return viewOf(this.#state, this.#size(), this.#options.colours);
  }

  #happen(happening: Happening): void {
    if (this.#isLeaving) {
      if (happening.type === 'revealed') happening.value.wipe();
      return;
    }
    const { state, effects } = update(this.#state, happening);
    this.#state = state;
    this.#carryOut(effects);
    this.#draw();
  }

  #draw(anew = false): void {
    if (this.#screen === null || this.#isLeaving) return;
    try {
      const rows = pageOf(this.#state, this.#size());
      if (rows !== this.#state.page) this.#state = update(this.#state, { type: 'page', rows }).state;
      if (anew) this.#screen.drawAnew(this.#view());
      else this.#screen.draw(this.#view());
    } catch (error) {
      this.#fail(error);
    }
  }

  #carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) this.#carryOutOne(effect);
  }

  #carryOutOne(effect: Effect): void {
    switch (effect.type) {
      case 'wipe':
        clearInterval(this.#counting);
        effect.value.wipe();
        return;
      case 'count':
        this.#count();
        return;
      case 'quit':
        this.#leave();
        return;
      case 'suspend':
        void this.#suspend().catch((error: unknown) => {
          this.#fail(error);
        });
        return;
      case 'trail':
        this.#askTrail(effect.secret);
        return;
      default:
        this.#do(async () => {
          try {
            await this.#act(effect);
          } finally {
            this.#happen({ type: 'ended' });
          }
        });
    }
  }

  async #act(
    effect: Exclude<Effect, { type: 'wipe' | 'count' | 'quit' | 'suspend' | 'trail' }>,
  ): Promise<void> {
    const actions = this.#actions;
    if (effect.type === 'load') {
      this.#happen({ type: 'loaded', data: await actions.load(effect.asked) });
      if (effect.asked) this.#happen({ type: 'told', message: 'read again', isError: false });
      return;
    }
    const { secret } = effect;
    if (effect.type === 'reveal') {
      this.#happen({ type: 'revealed', key: secret.key, value: await actions.reveal(secret) });
      return;
    }
    const message = await (effect.type === 'copy' ? actions.copy(secret) : actions.rotate(secret));
    this.#happen({ type: 'told', message, isError: false });
    this.#happen({ type: 'loaded', data: await actions.load(false) });
  }

  /** One thing after the other. What can be explained is told; anything else ends the console. */
  #do(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#isLeaving) return;
      try {
        await work();
      } catch (error) {
        this.#failed(error);
      }
    });
  }

  #failed(error: unknown): void {
    const message = this.#actions.explain(error);
    if (this.#isLeaving) this.#late = { error };
    else if (message === null) this.#fail(error);
    else this.#happen({ type: 'told', message, isError: true });
  }

  /** Soon, and only of the last one that was passed on the way. */
  #askTrail(secret: SecretRow | null): void {
    clearTimeout(this.#trailTimer);
    this.#trailTimer = setTimeout(() => {
      this.#do(async () => {
        const rows = await this.#actions.trail(secret);
        this.#happen({ type: 'trail', key: secret?.key ?? null, rows });
      });
    }, trailDelayMs);
  }

  #count(): void {
    const { monotonic, wallClock } = this.#options;
    const [since, sinceByDay] = [monotonic(), wallClock()];
    clearInterval(this.#counting);
    this.#counting = setInterval(() => {
      const passed = Math.max(monotonic() - since, wallClock() - sinceByDay);
      const left = Math.ceil(revealSeconds - passed / 1_000);
      if (left !== this.#state.shown?.secondsLeft) this.#happen({ type: 'seconds', left });
    }, tickMs);
  }

  /** To the shell, as any other program at Ctrl-Z, until it brings us back. */
  async #suspend(): Promise<void> {
    this.#draw();
    await this.#screen?.suspend(async () => {
      const handlers = process.listeners('SIGTSTP');
      for (const handler of handlers) process.off('SIGTSTP', handler);
      process.kill(0, 'SIGTSTP');
      await pause(stopMs);
      for (const handler of handlers) process.on('SIGTSTP', handler);
    });
    this.#draw();
  }

  #leave(): void {
    this.#restore();
    this.#left.resolve(null);
  }

  #fail(error: unknown): void {
    this.#restore();
    this.#left.reject(error);
  }

  #restore(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    clearInterval(this.#counting);
    clearTimeout(this.#trailTimer);
    const { shown } = this.#state;
    this.#state = { ...this.#state, shown: null };
    shown?.value.wipe();
    // Some terminals can be asked for the other screen again.
    if (shown !== null) this.#screen?.draw(this.#view());
    this.#screen?.restore();
  }
}
