/** An end for what a server may never answer. */
import { StepFailure } from './rotation-hook.ts';

/**
 * @param giveUp ends what is waited for @param isUntouched whether nothing was changed by then
 * @throws StepFailure when the time is over
 */
export async function within<T>(
  ms: number,
  work: Promise<T>,
  giveUp: () => void,
  isUntouched: () => boolean = () => false,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      giveUp();
      reject(new StepFailure('failed: no answer in time', { isUntouched: isUntouched() }));
    }, ms);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
    // What it comes to later is nobody's business.
    work.catch(() => undefined);
  }
}
