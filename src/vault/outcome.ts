/** What came of some work: a value, or what it threw. */

export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** Never rejects. */
export async function settle<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}
