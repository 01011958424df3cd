/**
 * A lock that the kernel frees the moment its holder dies, whichever container or process namespace that was in.
 *
 * Node has no flock. SQLite, which is part of the runtime, takes POSIX record locks (LockFileEx on Windows) on a database
 * file: an exclusive transaction on an empty one is a kernel lock and writes nothing. There is no dead lock to break and so no
 * race of two processes that break it. docs/decisions/0003-lock.md.
 *
 * Invariants: the lock file stays empty and is never removed (a removed lock file would be two locks); it is never opened by
 * other means in the process that holds it (closing any descriptor of a file drops a process's POSIX locks on it).
 * Known limit: on network file systems it is as good as their POSIX locks.
 */
import type { DatabaseSync } from 'node:sqlite';
import { ConcurrencyError, IntegrityError } from '../errors.ts';
import { concatBytes, parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';
import { errorCode, onDisk, openFlags, openRegular, writeAll, type FileSystem } from './file-system.ts';

export interface LockOptions {
  readonly fs: FileSystem;
  /** The lock file, `<vault>.lock`. */
  readonly path: string;
  /** One line that names this process to others: `put, process 12 of ada on host`. */
  readonly holder: string;
  /** Patience with one holder. */
  readonly waitMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export interface Lock {
  release(): void;
}

/** What of a database engine a lock needs. */
interface Database {
  exec(sql: string): void;
  close(): void;
}

/** Open the lock file as a database, which must not wait for locks itself. */
type OpenDatabase = (path: string) => Promise<Database>;

/** Loaded when somebody needs it: `--help` needs no database engine. Whoever knows that a lock will be taken may ask for it before. */
export async function loadEngine(): Promise<{ DatabaseSync: typeof DatabaseSync }> {
  return import('node:sqlite');
}

const openSqlite: OpenDatabase = async (path) => {
  const { DatabaseSync: Engine } = await loadEngine();
  return new Engine(path, { timeout: 0 });
};

const sqliteBusy = 5;
const longestPauseMs = 30;

function createLockFile(fs: FileSystem, path: string): void {
  try {
    const found = fs.lstatSync(path);
    if (!found.isFile())
      throw new IntegrityError(`the lock ${path} is not a regular file`, {}, 'UNSAFE_PATH');
    return;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') {
      onDisk('look at the lock', path, () => {
        throw error;
      });
    }
  }
  try {
    fs.closeSync(fs.openSync(path, openFlags.create, 0o600));
  } catch (cause) {
    if (errorCode(cause) === 'EEXIST') return;
    onDisk('make the lock', path, () => {
      throw cause;
    });
  }
}

/** One attempt on an open database. @returns whether the lock is ours now */
function tryLock(database: Database, path: string): boolean {
  try {
    // The journal in memory: else SQLite makes a file beside the lock before it has anything to write.
    database.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
    return true;
  } catch (cause) {
    const busy =
      typeof cause === 'object' && cause !== null && 'errcode' in cause && cause.errcode === sqliteBusy;
    if (busy) return false;
    return onDisk('lock', path, () => {
      throw cause;
    });
  }
}

const holderLength = 256;
const holderPath = (path: string): string => `${path}-holder`;

/** Best effort: who holds the lock is only for the message of whoever waits in vain. */
function writeHolder(fs: FileSystem, path: string, holder: string): void {
  try {
    const present = openRegular(fs, holderPath(path), openFlags.readWrite);
    const descriptor = present ?? fs.openSync(holderPath(path), openFlags.create, 0o600);
    try {
      // Always the same length: nothing of a longer one before it stays, without a truncation.
      const line = utf8(holder.toWellFormed()).subarray(0, holderLength);
      writeAll(fs, descriptor, concatBytes(line, new Uint8Array(holderLength - line.length).fill(0x20)));
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    // A full disk will be met, and reported, by the write that matters.
  }
}

/** Who held the lock last, in their own words. */
export function readHolder(fs: FileSystem, path: string): string {
  try {
    const descriptor = openRegular(fs, holderPath(path), openFlags.read);
    if (descriptor === null) return 'another process';
    try {
      const bytes: Bytes = new Uint8Array(holderLength);
      const length = fs.readSync(descriptor, bytes, 0, bytes.length, 0);
      return (
        parseUtf8(bytes.subarray(0, length))
          .replace(/\p{Cc}/gu, ' ')
          .trim() || 'another process'
      );
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    return 'another process';
  }
}

/**
 * Take the lock. Patience is with one holder: while holders change, the queue moves and waiting goes on, ten times as long at most.
 * The caller releases it.
 * @throws ConcurrencyError LOCK_HELD naming the holder; BackendError if the lock file cannot be made or opened.
 */
export async function acquireLock(
  options: LockOptions,
  openDatabase: OpenDatabase = openSqlite,
): Promise<Lock> {
  const { fs, path, now, waitMs } = options;
  createLockFile(fs, path);
  const database = await opened(path, openDatabase);
  try {
    const begun = now();
    let held: string | null = null;
    let since = begun;
    for (let pauseMs = 1; !tryLock(database, path); pauseMs = Math.min(longestPauseMs, pauseMs * 1.5)) {
      const moment = now();
      held ??= readHolder(fs, path);
      if (moment - since >= waitMs || moment - begun >= waitMs * 10) {
        const holder = readHolder(fs, path);
        if (holder === held || moment - begun >= waitMs * 10) throw lockHeld(holder, moment - begun);
        [held, since] = [holder, moment];
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())));
    }
  } catch (error) {
    database.close();
    throw error;
  }
  writeHolder(fs, path, options.holder);
  return {
    release: () => {
      database.close();
    },
  };
}

async function opened(path: string, openDatabase: OpenDatabase): Promise<Database> {
  try {
    return await openDatabase(path);
  } catch (cause) {
    return onDisk('open the lock', path, () => {
      throw cause;
    });
  }
}

function lockHeld(holder: string, waitedMs: number): ConcurrencyError {
  const message = `the vault is locked by ${holder}; waited ${Math.round(waitedMs / 1000)} s`;
  return new ConcurrencyError(message, {}, 'LOCK_HELD');
}
