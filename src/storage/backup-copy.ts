/**
 * A copy of a vault and its log on its way to its place: written beside it under other names, read back, and then given its own names, the
 * log's first. Killed anywhere, it leaves nothing that looks like a backup: a log without a vault is none.
 */
import { createHash } from 'node:crypto';
import { BackendError, ConcurrencyError } from '../errors.ts';
import { unfinished } from './backup-files.ts';
import type { FileSystem } from './file-system.ts';
import { openLogReader } from './log-file.ts';
import type { LogSource } from './log-lines.ts';
import { createFile, isTaken, piecesOf, placeFile, removeQuietly } from './new-file.ts';

export class BackupCopy {
  readonly path: string;
  readonly #fs: FileSystem;
  readonly #logPath: string;
  readonly #hasLog: boolean;
  #placed: string[] = [];

  private constructor(fs: FileSystem, path: string, logPath: string, hasLog: boolean) {
    this.#fs = fs;
    this.path = path;
    this.#logPath = logPath;
    this.#hasLog = hasLog;
  }

  /**
   * @param path where the vault's copy will be, `logPath` where that of its log
   * @throws ConcurrencyError ALREADY_EXISTS if something is there; BackendError; nothing is left then
   */
  static write(
    fs: FileSystem,
    vault: LogSource,
    log: LogSource | null,
    path: string,
    logPath: string,
  ): BackupCopy {
    checkFree(fs, path);
    checkLogFree(fs, logPath, log);
    const copy = new BackupCopy(fs, path, logPath, log !== null);
    try {
      if (log !== null) write(fs, log, logPath + unfinished);
      write(fs, vault, path + unfinished);
    } catch (error) {
      copy.discard();
      throw error;
    }
    return copy;
  }

  /** Give it its names. @throws ConcurrencyError; BackendError */
  place(): void {
    const names = this.#hasLog ? [this.#logPath, this.path] : [this.path];
    for (const name of names) {
      placeFile(this.#fs, name + unfinished, name);
      this.#placed.push(name);
    }
  }

  /** Remove it, as far as it was made here. */
  discard(): void {
    const begun = [this.path + unfinished, this.#logPath + unfinished];
    for (const name of [...this.#placed.splice(0).reverse(), ...begun]) removeQuietly(this.#fs, name);
  }
}

/** A backup is never written over. */
function checkFree(fs: FileSystem, path: string): void {
  if (!isTaken(fs, path)) return;
  throw new ConcurrencyError(
    `${path} is there already`,
    { hint: 'name another file, or a folder' },
    'ALREADY_EXISTS',
  );
}

/** A log without its vault may be what a killed process left: it is, if the log has all of it. Then nothing is lost by writing it again. */
function checkLogFree(fs: FileSystem, path: string, log: LogSource | null): void {
  const present = log === null ? null : openLogReader(fs, path);
  if (log === null || present === null) {
    checkFree(fs, path);
    return;
  }
  try {
    const size = present.size <= log.size ? present.size : -1;
    if (size < 0 || hashOf(present, size) !== hashOf(log, size)) checkFree(fs, path);
  } finally {
    present.close();
  }
  removeQuietly(fs, path);
}

/** Written, flushed, and read back. */
function write(fs: FileSystem, source: LogSource, path: string): void {
  removeQuietly(fs, path);
  createFile(fs, path, piecesOf(source, 0, source.size));
  const written = openLogReader(fs, path);
  try {
    const same = written?.size === source.size && hashOf(written) === hashOf(source);
    if (!same)
      throw new BackendError(
        `${path} reads back as something else than was written: the disk does not keep it`,
      );
  } finally {
    written?.close();
  }
}

function hashOf(source: LogSource, size = source.size): string {
  const hash = createHash('sha256');
  for (const bytes of piecesOf(source, 0, size)) hash.update(bytes);
  return hash.digest('hex');
}
