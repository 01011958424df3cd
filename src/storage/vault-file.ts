/** The vault file on disk: opened for reading at any offset, and replaced atomically. docs/format.md section 10. */
import { BackendError, IntegrityError, SecretNotFoundError } from '../errors.ts';
import type { Bytes } from '../crypto/bytes.ts';
import type { ByteSource } from '../format/document.ts';
import {
  diskReason,
  errorCode,
  onDisk,
  openFlags,
  openRegular,
  readExactly,
  syncFolder,
  writeAll,
  type FileSystem,
} from './file-system.ts';

/** An open vault file. It stays what it was when another process renames a new one over it. Caller closes. */
export interface OpenFile extends ByteSource {
  /** Identity of the file's content: a replaced file has another one. */
  readonly stamp: string;
  close(): void;
}

function stampOf(fs: FileSystem, descriptor: number): { stamp: string; size: number } {
  const stat = fs.fstatSync(descriptor, { bigint: true });
  return {
    stamp: `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`,
    size: Number(stat.size),
  };
}

/** @throws SecretNotFoundError VAULT_NOT_FOUND; IntegrityError UNSAFE_PATH for a link or a special file. */
export function openVaultFile(fs: FileSystem, path: string): OpenFile {
  const descriptor = openRegular(fs, path, openFlags.read);
  if (descriptor === null)
    throw new SecretNotFoundError(`there is no vault at ${path}`, {}, 'VAULT_NOT_FOUND');
  const { stamp, size } = stampOf(fs, descriptor);
  return {
    stamp,
    size,
    read: (offset, length) => {
      if (offset + length > size) throw new IntegrityError('the vault file is shorter than its parts say');
      return onDisk('read', path, () => readExactly(fs, descriptor, offset, length));
    },
    close: () => {
      fs.closeSync(descriptor);
    },
  };
}

/** The stamp of the file that is at this path now, or `null`. */
export function vaultFileStamp(fs: FileSystem, path: string): string | null {
  const descriptor = openRegular(fs, path, openFlags.read);
  if (descriptor === null) return null;
  try {
    return stampOf(fs, descriptor).stamp;
  } finally {
    fs.closeSync(descriptor);
  }
}

export const temporaryPath = (path: string): string => `${path}.new`;

/** Remove what a killed writer left. Only under the lock. @throws IntegrityError if something else stands there. */
export function removeStaleTemporary(fs: FileSystem, path: string): void {
  const temporary = temporaryPath(path);
  try {
    if (!fs.lstatSync(temporary).isFile()) {
      throw new IntegrityError(`${temporary} is not a regular file`, {}, 'UNSAFE_PATH');
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    onDisk('look at', temporary, () => {
      throw error;
    });
  }
  onDisk('remove', temporary, () => {
    fs.unlinkSync(temporary);
  });
}

/**
 * Replace the file at `path` by `pieces`: temporary file beside it (exclusive, 0600), flush, rename, flush the folder.
 * The rename is the only commit point.
 * @throws BackendError BACKEND if nothing changed (the temporary file is removed); DURABILITY_UNKNOWN if the new file is
 *   in place but the folder could not be flushed.
 */
export function replaceVaultFile(fs: FileSystem, path: string, pieces: readonly Bytes[]): void {
  const temporary = temporaryPath(path);
  removeStaleTemporary(fs, path);
  try {
    const descriptor = fs.openSync(temporary, openFlags.create, 0o600);
    try {
      for (const piece of pieces) writeAll(fs, descriptor, piece);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, path);
  } catch (cause) {
    try {
      fs.unlinkSync(temporary);
    } catch {
      // It may not exist; if it does, the next writer removes it.
    }
    throw new BackendError(`cannot write ${path}: ${diskReason(cause)}; the vault is unchanged`, { cause });
  }
  try {
    syncFolder(fs, path);
  } catch (cause) {
    const message = `${path} was replaced, but its folder could not be flushed (${diskReason(cause)}): durability unknown`;
    throw new BackendError(message, { cause }, 'DURABILITY_UNKNOWN');
  }
}
