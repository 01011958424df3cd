/** What a promise or a call failed with, as a class of the product's own: anything else is a crash, and rethrown. */
import { SecretsManagerError } from '../../src/errors.ts';

/** The error of a promise that must fail with one of the product's own. */
export async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<SecretsManagerError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof SecretsManagerError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
