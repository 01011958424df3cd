/**
 * Work on many things, some of them at a time: cryptography runs on other threads, and so on every core. When one fails, no other is begun.
 * @throws the first failure, once all that was begun has ended
 */
export async function inParallel<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failed = false;
  const next = async (): Promise<void> => {
    for (let one = iterator.next(); one.done !== true && !failed; one = iterator.next()) {
      try {
        await work(one.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: width }, next));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
