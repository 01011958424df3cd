/**
 * Where a vault is and what the core needs from outside: every port in one type, so that nothing below the commands knows
 * an environment variable, a terminal or a clock.
 */
import { UsageError } from '../errors.ts';
import type { RandomSource } from '../crypto/aead.ts';
import type { KdfEngine } from '../crypto/kdf.ts';
import type { AuditContext } from '../format/audit-record.ts';
import type { Lock, LockOptions } from '../storage/lock.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { temporaryPath } from '../storage/vault-file.ts';

/** Where audit records go. */
export interface AuditSink {
  readonly type: 'file';
  readonly path: string;
}

export interface Place {
  readonly fs: FileSystem;
  /** Real path of the vault file. */
  readonly path: string;
  readonly audit: AuditSink;
  /** The user's state folder for this program, or `null` for a machine without memory. */
  readonly stateFolder: string | null;
  /** Wall clock. */
  readonly now: () => Date;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  readonly random: RandomSource;
  readonly kdfEngine: KdfEngine;
  readonly context: AuditContext;
  /** One line that names this process to whoever waits for it. */
  readonly holder: string;
  readonly lockWaitMs: number;
  /** Told what the person should know and what does not stop the operation. */
  readonly warn: (message: string) => void;
  readonly acquireLock: (options: LockOptions) => Promise<Lock>;
}

export const logPathBeside = (vaultPath: string): string => `${vaultPath}.audit.jsonl`;
export const lockPathOf = (path: string): string => `${path}.lock`;

/** @throws UsageError for a log where whoever replaces vault or log would remove the other one */
export function checkLogPath(vault: string, log: string): void {
  if (log !== vault && log !== temporaryPath(vault) && vault !== temporaryPath(log)) return;
  throw new UsageError(`the audit log cannot be ${log}: the vault needs this name itself`);
}
