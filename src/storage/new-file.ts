/** Files that are written once and whole: they are there and flushed, or they are not there. */
import { ConcurrencyError } from '../errors.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { errorCode, onDisk, openFlags, syncFolder, writeAll, type FileSystem } from './file-system.ts';
import type { LogSource } from './log-lines.ts';

const piece = 1024 * 1024;

/** Whether a name is taken, by whatever it may be. @throws BackendError */
export function isTaken(fs: FileSystem, path: string): boolean {
  return onDisk('look at', path, () => fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined);
}

/** Bytes of a source, piece by piece. */
export function* piecesOf(source: LogSource, from: number, to: number): Generator<Bytes> {
  for (let at = from; at < to; at += piece) yield source.read(at, Math.min(piece, to - at));
}

/**
 * A new file, 0600, flushed with its folder.
 * @throws ConcurrencyError ALREADY_EXISTS; BackendError, with nothing left behind
 */
export function createFile(fs: FileSystem, path: string, pieces: Iterable<Bytes>): void {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, openFlags.create, 0o600);
  } catch (cause) {
    if (errorCode(cause) === 'EEXIST') throw alreadyThere(path, cause);
    return onDisk('write', path, () => {
      throw cause;
    });
  }
  try {
    onDisk('write', path, () => {
      try {
        for (const bytes of pieces) writeAll(fs, descriptor, bytes);
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
      syncFolder(fs, path);
    });
  } catch (error) {
    removeQuietly(fs, path);
    throw error;
  }
}

/** Links of files that a file system does not have, or does not give to everybody. */
const withoutLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Give a file a second name, which nothing may have yet. Nothing is read, so it works for a file that cannot be read any more.
 * @returns false where the file system has no links
 * @throws ConcurrencyError ALREADY_EXISTS; BackendError
 */
export function linkFile(fs: FileSystem, from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (cause) {
    if (withoutLinks.has(errorCode(cause))) return false;
    if (errorCode(cause) === 'EEXIST') throw alreadyThere(to, cause);
    return onDisk('write', to, () => {
      throw cause;
    });
  }
}

/** Give a whole file its name, never over another file. @throws ConcurrencyError ALREADY_EXISTS; BackendError, with nothing changed */
export function placeFile(fs: FileSystem, from: string, to: string): void {
  if (linkFile(fs, from, to)) {
    removeQuietly(fs, from);
  } else {
    if (isTaken(fs, to)) throw alreadyThere(to);
    onDisk('write', to, () => {
      fs.renameSync(from, to);
    });
  }
  try {
    onDisk('write', to, () => {
      syncFolder(fs, to);
    });
  } catch (error) {
    removeQuietly(fs, to);
    throw error;
  }
}

function alreadyThere(path: string, cause?: unknown): ConcurrencyError {
  return new ConcurrencyError(`${path} is there already`, { cause }, 'ALREADY_EXISTS');
}

/** Put a new file in the place of one that is there, which stays if that fails. What a killed process left is written over. */
export function replaceFile(fs: FileSystem, path: string, pieces: Iterable<Bytes>): void {
  const temporary = `${path}.new`;
  removeQuietly(fs, temporary);
  createFile(fs, temporary, pieces);
  try {
    onDisk('replace', path, () => {
      fs.renameSync(temporary, path);
      syncFolder(fs, path);
    });
  } catch (error) {
    removeQuietly(fs, temporary);
    throw error;
  }
}

/** Remove a file that should not be there, as far as that can be done. */
export function removeQuietly(fs: FileSystem, path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {
    // It is not there, or it cannot be helped: what matters has been said.
  }
}
