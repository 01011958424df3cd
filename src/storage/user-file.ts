/** Files that a person names: read whole within a bound, written owner-only. */
import * as fs from 'node:fs';
import { ConcurrencyError, SecretNotFoundError, UsageError } from '../errors.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { errorCode, onDisk, openFlags, syncFolder, writeAll } from './file-system.ts';

/**
 * The bytes of a file, pipe or device.
 * @param shown what errors call it; never the path where people may give a credential in its place
 * @throws UsageError beyond `most` bytes; SecretNotFoundError; BackendError
 */
export function readUserFile(path: string, most: number, shown = `file ${path}`): Bytes {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, 'r');
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT')
      throw new SecretNotFoundError(`there is no ${shown}`, { cause, hint: 'check the path' });
    return onDisk('open', shown, () => {
      throw cause;
    });
  }
  try {
    return onDisk('read', shown, () => readDescriptor(descriptor, most, shown));
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Everything up to the end of a descriptor. @throws UsageError beyond `most` bytes */
export function readDescriptor(descriptor: number, most: number, what: string): Bytes {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafeSlow(65_536);
    const count = readSome(descriptor, chunk);
    if (count === 0) break;
    total += count;
    if (total > most) throw new UsageError(`${what} is larger than ${most} bytes`);
    chunks.push(chunk.subarray(0, count));
  }
  const all = new Uint8Array(total);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
    chunk.fill(0);
  }
  return all;
}

function readSome(descriptor: number, chunk: Buffer): number {
  for (;;) {
    try {
      return fs.readSync(descriptor, chunk, 0, chunk.length, null);
    } catch (error) {
      if (errorCode(error) === 'EOF') return 0;
      if (errorCode(error) !== 'EAGAIN') throw error;
      // A descriptor that somebody made non-blocking: wait a moment without burning a core.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

const ownerOnly = 0o600;

/**
 * Write a new file or replace a regular one, whole or not at all; never through a link.
 * @param mode of the file; whatever the process's mask says, if others may read it
 * @throws BackendError; IntegrityError
 */
export function writeUserFile(path: string, bytes: Bytes, mode = ownerOnly): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_EXCL } = fs.constants;
  const { O_NOFOLLOW = 0 } = fs.constants as Partial<typeof fs.constants>;
  onDisk('write', path, () => {
    const temporary = `${path}.${process.pid}.new`;
    const present = fs.lstatSync(path, { throwIfNoEntry: false });
    if (present !== undefined && !present.isFile()) {
      // A device or a pipe that the person named: written as it is.
      const descriptor = fs.openSync(path, O_WRONLY | O_TRUNC | O_NOFOLLOW);
      writeAll(fs, descriptor, bytes);
      fs.closeSync(descriptor);
      return;
    }
    const descriptor = fs.openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, ownerOnly);
    try {
      if (mode !== ownerOnly) fs.fchmodSync(descriptor, mode);
      writeAll(fs, descriptor, bytes);
      fs.fsyncSync(descriptor);
      fs.renameSync(temporary, path);
    } catch (error) {
      fs.unlinkSync(temporary);
      throw error;
    } finally {
      fs.closeSync(descriptor);
    }
  });
}

/** A new file, made before what goes into it exists, so that it is known to be writable. */
export interface ReservedFile {
  readonly path: string;
  /** Write and flush. */
  put(bytes: Bytes): void;
  /** Close; a file that is not to be kept is removed. */
  close(keep: boolean): void;
}

/** @throws ConcurrencyError ALREADY_EXISTS; BackendError */
export function reserveUserFile(path: string): ReservedFile {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, openFlags.create, 0o600);
  } catch (cause) {
    if (errorCode(cause) === 'EEXIST') {
      throw new ConcurrencyError(`${path} exists already`, { cause }, 'ALREADY_EXISTS');
    }
    return onDisk('make', path, () => {
      throw cause;
    });
  }
  return {
    path,
    put: (bytes) => {
      onDisk('write', path, () => {
        writeAll(fs, descriptor, bytes);
        fs.fsyncSync(descriptor);
        syncFolder(fs, path);
      });
    },
    close: (keep) => {
      fs.closeSync(descriptor);
      if (!keep) fs.unlinkSync(path);
    },
  };
}
