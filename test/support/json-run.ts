/** A run of the binary with --json, held against the schema of its command by test/e2e/json-output.test.ts. */
import type { BinaryVault, RunOptions } from './binary-vault.ts';

type Words = readonly string[];

export interface Run extends RunOptions {
  /** The words after `vault`, without --json. */
  readonly args: Words | ((vault: BinaryVault) => Promise<Words>);
  readonly before?: (vault: BinaryVault) => Promise<unknown>;
  /** Where it is not 0. */
  readonly status?: number;
  /** What is to be seen in it, so that a run that shows nothing of interest fails. */
  readonly like?: unknown;
}
