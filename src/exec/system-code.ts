/** Failures of system calls, by their name in errno(3). */
import os from 'node:os';

/** The name, such as ENOENT; Node gives some, E2BIG among them, as a number only. @throws What is no such failure. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error)) throw error;
  // Node's own codes, as for a bad argument, have an underscore.
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/u.test(error.code))
    return error.code;
  const number = 'errno' in error && typeof error.errno === 'number' ? Math.abs(error.errno) : 0;
  const name = Object.entries(os.constants.errno).find(([, value]) => value === number)?.[0];
  if (name === undefined) throw error;
  return name;
}
