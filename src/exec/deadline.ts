/** Timeouts of any length, in milliseconds. */

/** The longest that a timer of Node takes; it turns more into 1. */
const longestTimer = 2 ** 31 - 1;

/** Calls `act` after `delay`, which may be a year. Call the result to take it back. */
export function after(delay: number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (left: number): void => {
    const now = Math.min(left, longestTimer);
    timer = setTimeout(() => (left > now ? wait(left - now) : act()), now);
  };
  wait(delay);
  return () => clearTimeout(timer);
}
