/** Which Node the library needs. docs/library.md, "Node". */
import { UsageError } from '../errors.ts';

/** The first with X-Wing in Web Crypto; raw Ed25519 keys came with 26.0. */
const oldest = [26, 10] as const;

/** @throws UsageError where the runtime lacks what the format needs */
export function checkRuntime(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  const needed = oldest.join('.');
  throw new UsageError(`this is Node ${version}; a vault needs ${needed} or later`, {
    hint: `run the program with Node ${needed} or later, or call the binary`,
  });
}
