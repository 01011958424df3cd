/** Where a new recovery key goes: a file that is ready before the change is made, or the terminal after it. */
import { SecretsManagerError, UsageError } from '../src/errors.ts';
import type { Context } from './context.ts';

export interface RecoveryFlags {
  readonly recoveryFile?: string;
  readonly recovery?: boolean;
}

/** Takes the key of a change that is about to be committed. */
export type KeepKey = (key: string) => void;

/**
 * Run a change that may make a recovery key. A file has the key, flushed, before the change is committed, so that no kill leaves a vault
 * whose key nobody has; it is removed if the change fails. Without a file the key is shown once, when all is done.
 * @throws UsageError before anything is done if nobody would see the key
 */
export async function withRecoveryKey<T>(
  context: Context,
  flags: RecoveryFlags,
  change: (keep: KeepKey) => Promise<T>,
): Promise<T> {
  const wanted = flags.recovery !== false;
  if (flags.recoveryFile !== undefined && !wanted) {
    throw new UsageError('--recovery-file and --no-recovery exclude each other');
  }
  if (wanted && flags.recoveryFile === undefined && !context.errorIsTerminal) {
    const hint = 'use --recovery-file FILE, or --no-recovery';
    throw new UsageError('the recovery key would be shown to nobody', { hint });
  }
  const file = context.reserveFile(flags.recoveryFile);
  const shown: string[] = [];
  let keep = false;
  try {
    const done = await change((key) => {
      if (file === null) shown.push(key);
      else file.put(new Uint8Array(Buffer.from(`${key}\n`)));
    });
    keep = true;
    if (file !== null) context.inform(`recovery key written to ${file.path}: move it away from this machine`);
    return done;
  } catch (error) {
    // The change may stand, and then this is its key.
    keep = error instanceof SecretsManagerError && error.code === 'DURABILITY_UNKNOWN';
    throw error;
  } finally {
    file?.close(keep);
    for (const key of keep ? shown : []) {
      const first = 'recovery key, shown once; write it down and keep it away from this machine:';
      context.showOnce(`${first}\n\n    ${key}\n\n`);
    }
  }
}
