/** Failures as values: one of the product's own classes. Anything else that is thrown is a crash, and goes on upward. */
import { SecretsManagerError } from '../../src/errors.ts';

function own(error: unknown): SecretsManagerError {
  if (error instanceof SecretsManagerError) return error;
  throw error;
}

/** What a call returns, or the error that it throws. */
export function attempt<T>(work: () => T): T | SecretsManagerError {
  try {
    return work();
  } catch (error) {
    return own(error);
  }
}

/** What a promise comes to, or the error that it is rejected with. */
export async function settled<T>(work: Promise<T>): Promise<T | SecretsManagerError> {
  try {
    return await work;
  } catch (error) {
    return own(error);
  }
}

/** The error of what must fail. */
export async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<SecretsManagerError> {
  const outcome = await (typeof work === 'function' ? attempt(work) : settled(work));
  if (outcome instanceof SecretsManagerError) return outcome;
  throw new Error('it did not fail');
}

/** The name of the class of what came, where that is an error; otherwise `value`. */
export function kindOf(outcome: unknown): string {
  return outcome instanceof SecretsManagerError ? outcome.name : 'value';
}
