/**
 * A console from its first screen to its last: keys in, frames out, and in between what the model wants done.
 *
 * Invariants: whatever ends it, the terminal is as it was before anything else is written to it, no value is left, and nothing runs on.
 */
import { act } from './act.ts';
import { openScreen, type Screen } from './app.ts';
import { Countdown } from './countdown.ts';
import type { ConsoleActions, ConsoleData, SecretRow } from './data.ts';
import { guard, stopHere } from './guard.ts';
import { LastLines } from './last-lines.ts';
import { begin, update } from './model.ts';
import { workOf, type Effect, type Happening } from './happening.ts';
import { revealSeconds, type State } from './state.ts';
import type { SessionOptions } from './session-options.ts';
import { pageOf, viewOf, type Size } from './view.ts';

const trailDelayMs = 100;
const nothing = async (): Promise<void> => Promise.resolve();
const usual: Size = { rows: 24, columns: 80 };

/**
 * Show the console until somebody leaves it. What was begun by then is finished before this returns; what runs outside for it is ended.
 * @throws what an action throws and cannot explain, or throws once the screen is gone
 */
export async function runSession(
  data: ConsoleData,
  actions: ConsoleActions,
  options: SessionOptions,
): Promise<void> {
  await new Session(data, actions, options).run();
}

class Session {
  readonly #actions: ConsoleActions;
  readonly #options: SessionOptions;
  readonly #countdown: Countdown;
  readonly #left = Promise.withResolvers<null>();
  #state: State;
  #screen: Screen | null = null;
  /** What the first screen wants done. */
  readonly #first: readonly Effect[];
  /** What is being done, one after the other. */
  #work: Promise<void> = Promise.resolve();
  #trailTimer: NodeJS.Timeout | undefined;
  readonly #printed = new LastLines((lines) => {
    this.#happen({ type: 'printed', lines });
  });
  #isLeaving = false;
  #isAway = false;
  /** What went wrong when the terminal had been given back already. */
  #late: { readonly error: unknown } | null = null;

  constructor(data: ConsoleData, actions: ConsoleActions, options: SessionOptions) {
    this.#actions = actions;
    this.#options = options;
    this.#countdown = new Countdown(options);
    const { state, effects } = begin(data);
    this.#state = state;
    this.#first = effects;
  }

  async run(): Promise<void> {
    const { input, output, divert } = this.#options;
    const happen = (happening: Happening): void => {
      this.#happen(happening);
    };
    const resized = (): void => {
      this.#draw(true);
    };
    const release = guard({
      input,
      output,
      restore: () => {
        this.#restore();
      },
      endChildren: async () => this.#actions.interrupt(),
      leave: () => {
        this.#leave();
      },
      stop: () => {
        happen({ type: 'key', key: '<ctrl-z>' });
      },
      resumed: () => {
        this.#giveAway(nothing);
      },
    });
    output.on('resize', resized);
    divert({
      tell: (message) => {
        // What a hook warns of would give way to what came of it.
        if (this.#state.busy === 'rotating') this.#printed.push(Buffer.from(`\n${message}\n`));
        else happen({ type: 'told', message, isError: false });
      },
      print: (bytes) => {
        this.#printed.push(bytes);
      },
    });
    try {
      const listener = {
        key: (key: string) => {
          happen({ type: 'key', key });
        },
        paste: (text: string) => {
          happen({ type: 'paste', text });
        },
      };
      this.#screen = await openScreen(input, output, listener, () => this.#view());
      if (this.#isLeaving) this.#screen.restore();
      this.#carryOut(this.#first);
      this.#draw();
      await this.#left.promise;
    } finally {
      this.#restore();
      divert(null);
      output.off('resize', resized);
      release();
      await Promise.all([this.#actions.interrupt(), this.#work]);
    }
    if (this.#late !== null) throw this.#late.error;
  }

  #size(): Size {
    const { rows, columns } = this.#options.output;
    return rows > 0 && columns > 0 ? { rows, columns } : usual;
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

  /** @param anew whether nobody knows what is on the screen */
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
        this.#countdown.stop();
        effect.value.wipe();
        return;
      case 'count':
        this.#countdown.start(revealSeconds, (left) => {
          this.#happen({ type: 'seconds', left });
        });
        return;
      case 'quit':
        this.#leave();
        return;
      case 'redraw':
        this.#draw(true);
        return;
      case 'suspend':
        this.#giveAway(stopHere);
        return;
      case 'trail':
        this.#askTrail(effect.secret);
        return;
      default:
        this.#do(async () => {
          try {
            await act(effect, this.#actions, this.#printed, (happening) => {
              this.#happen(happening);
            });
          } finally {
            this.#happen({ type: 'ended', work: workOf(effect) });
          }
        });
    }
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

  /** Let somebody else have the terminal for a while, and set it up again afterwards. */
  #giveAway(meanwhile: () => Promise<void>): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#draw();
    void (async () => {
      try {
        await this.#screen?.suspend(meanwhile);
        this.#draw(true);
      } catch (error) {
        this.#fail(error);
      } finally {
        this.#isAway = false;
      }
    })();
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
    this.#countdown.stop();
    clearTimeout(this.#trailTimer);
    this.#printed.clear();
    const { shown } = this.#state;
    this.#state = { ...this.#state, shown: null };
    shown?.value.wipe();
    // Some terminals can be asked for the other screen again.
    if (shown !== null) this.#screen?.draw(this.#view());
    this.#screen?.restore();
  }
}
