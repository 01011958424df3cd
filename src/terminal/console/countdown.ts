/**
 * The seconds that a value is shown, by the clock that has come further: neither a machine that slept nor a clock that was set keeps it on
 * the screen.
 */
const tickMs = 200;

export interface Clocks {
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic: () => number;
  /** Milliseconds of the clock on the wall. */
  readonly wallClock: () => number;
}

export class Countdown {
  readonly #clocks: Clocks;
  #timer: NodeJS.Timeout | undefined;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
  }

  /** Begin anew. @param tell is told how many seconds are left whenever that changes, down to 0 and no further */
  start(seconds: number, tell: (left: number) => void): void {
    const { monotonic, wallClock } = this.#clocks;
    const [since, sinceByWall] = [monotonic(), wallClock()];
    let told = seconds;
    this.stop();
    this.#timer = setInterval(() => {
      const passed = Math.max(monotonic() - since, wallClock() - sinceByWall);
      const left = Math.max(0, Math.ceil(seconds - passed / 1_000));
      if (left === 0) this.stop();
      if (left !== told) {
        told = left;
        tell(left);
      }
    }, tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
