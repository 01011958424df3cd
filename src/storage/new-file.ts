/** Files that are written once and whole: they are there and flushed, or they are not there. */
import { ConcurrencyError } from '../errors.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { errorCode, onDisk, openFlags, syncFolder, writeAll, type FileSystem } from './file-system.ts';
import type { LogSource } from './log-lines.ts';

const piece = 1024 * 1024;

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
    if (errorCode(cause) === 'EEXIST')
      throw new ConcurrencyError(`${path} is there already`, { cause }, 'ALREADY_EXISTS');
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
