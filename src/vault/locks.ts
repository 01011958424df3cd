/** Which locks an operation takes. One lock serves vault and log where the log is beside the vault. */
import type { Lock } from '../storage/lock.ts';
import { lockPathOf, logPathBeside, type Place } from './place.ts';

/** Whether the log stands beside the vault: then one lock serves both. */
const logIsBeside = (place: Place): boolean => place.audit.path === logPathBeside(place.path);

async function lockPath(place: Place, path: string): Promise<Lock> {
  const { fs, holder, lockWaitMs: waitMs, monotonic: now } = place;
  return place.acquireLock({ fs, holder, waitMs, now, path: lockPathOf(path) });
}

/**
 * The lock for appending to the log: the vault's own where the log is beside it. With a log elsewhere the vault's folder may be
 * read-only, and a reader needs nothing there.
 */
export async function lockLog(place: Place): Promise<Lock> {
  return lockPath(place, logIsBeside(place) ? place.path : place.audit.path);
}

/** The lock for changing the vault; with a log elsewhere that one's too, always in this order. */
export async function lockVault(place: Place): Promise<Lock> {
  const vault = await lockPath(place, place.path);
  if (logIsBeside(place)) return vault;
  try {
    const log = await lockPath(place, place.audit.path);
    return {
      release: () => {
        log.release();
        vault.release();
      },
    };
  } catch (error) {
    vault.release();
    throw error;
  }
}
