/** A place on this machine: the system's clock, randomness, files and lock. Whoever opens a vault says the rest. */
import type { Bytes } from '../crypto/bytes.ts';
import { logPathBeside, type Place } from './place.ts';

/** Patience with whoever holds a lock. */
const lockWaitMs = 10_000;

export interface SystemPlaceOptions extends Pick<
  Place,
  'fs' | 'path' | 'stateFolder' | 'kdfEngine' | 'warn' | 'acquireLock'
> {
  /** The audit log, or `null` for the one beside the vault. */
  readonly auditFile: string | null;
  /** What is being done, for whoever waits for this process. */
  readonly operation: string;
  /** Asked for when it is needed first. */
  readonly circumstances: () => Place['context'];
}

export function systemPlace(options: SystemPlaceOptions): Place {
  const { fs, path, stateFolder, kdfEngine, warn, acquireLock, auditFile, operation, circumstances } =
    options;
  return {
    fs,
    path,
    audit: { type: 'file', path: auditFile ?? logPathBeside(path) },
    stateFolder,
    now: () => new Date(),
    monotonic,
    random: randomBytes,
    kdfEngine,
    get context() {
      return circumstances();
    },
    get holder() {
      const { user, host } = circumstances();
      return `process ${process.pid} (${operation}) of ${user} on ${host}`;
    },
    lockWaitMs,
    acquireLock,
    warn,
  };
}

/** Monotonic milliseconds. Not by `performance`, which the runtime loads at its first use, at a millisecond a command. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function randomBytes(length: number): Bytes {
  const bytes = new Uint8Array(length);
  // Web Crypto hands out at most 64 KiB a call.
  for (let offset = 0; offset < length; offset += 65_536) {
    crypto.getRandomValues(bytes.subarray(offset, Math.min(length, offset + 65_536)));
  }
  return bytes;
}
