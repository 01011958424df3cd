/** How far something long has come, on one line of the terminal that is gone when it ends. */
import { errorIsTerminal, writeError } from './streams.ts';

const everyMs = 100;
const clearLine = '\r\u001b[K';

export interface Progress {
  /** Show this, unless something was shown a moment ago. */
  show(text: string): void;
  end(): void;
}

/** @param wanted whether it is to be shown where there is a terminal; @param now monotonic milliseconds */
export function openProgress(wanted: boolean, now: () => number): Progress {
  if (!wanted || !errorIsTerminal()) return { show: () => undefined, end: () => undefined };
  let shown = now();
  let isShown = false;
  return {
    show: (text) => {
      const time = now();
      if (time - shown < everyMs) return;
      shown = time;
      isShown = true;
      writeError(`${clearLine}${text}`);
    },
    end: () => {
      if (isShown) writeError(clearLine);
      isShown = false;
    },
  };
}
