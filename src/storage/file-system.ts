/**
 * The one door to the disk: the few synchronous calls of node:fs that the storage layer uses. Fault tests replace it.
 *
 * Synchronous on purpose: the order of system calls is the commit protocol, and one call at a time is what
 * fault injection can aim at.
 */
import * as nodeFs from 'node:fs';
import { dirname } from 'node:path';
import { BackendError, IntegrityError, SecretsManagerError } from '../errors.ts';
import type { Bytes } from '../crypto/bytes.ts';

export type FileSystem = Pick<
  typeof nodeFs,
  | 'openSync'
  | 'closeSync'
  | 'fstatSync'
  | 'lstatSync'
  | 'readSync'
  | 'writeSync'
  | 'fsyncSync'
  | 'ftruncateSync'
  | 'renameSync'
  | 'linkSync'
  | 'unlinkSync'
  | 'mkdirSync'
  | 'realpathSync'
  | 'readdirSync'
>;

export const realFileSystem: FileSystem = nodeFs;

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_APPEND } = nodeFs.constants;
// Windows has neither.
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = nodeFs.constants as Partial<typeof nodeFs.constants>;

/** O_NONBLOCK so that a FIFO in the place of a file cannot hang us; it has no effect on regular files. */
export const openFlags = {
  read: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
  readWrite: O_RDWR | O_NOFOLLOW | O_NONBLOCK,
  append: O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK,
  create: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
  createLog: O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW,
} as const;

export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error) || typeof error.code !== 'string')
    return '';
  // libuv does not know EDQUOT and calls it UNKNOWN.
  return error.code === 'UNKNOWN' && 'errno' in error && error.errno === -122 ? 'EDQUOT' : error.code;
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'disk quota exceeded',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EIO: 'input/output error of the disk',
  EMFILE: 'too many open files',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is not a folder',
  EFBIG: 'file too large for the limit of this process',
  EISDIR: 'it is a folder',
  ENAMETOOLONG: 'the path is too long',
};

/** What went wrong on disk, in words. */
export function diskReason(error: unknown): string {
  const code = errorCode(error);
  return reasons[code] ?? (code === '' ? 'unexpected failure of the disk' : `failed with ${code}`);
}

/** Run a step on the disk; its failure becomes a `BackendError` (exit 9) that names the step and the path. */
export function onDisk<T>(doing: string, path: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    if (cause instanceof SecretsManagerError) throw cause;
    if (errorCode(cause) === 'ELOOP') {
      throw new IntegrityError(`refusing to follow a link at ${path}`, { cause }, 'UNSAFE_PATH');
    }
    throw new BackendError(`cannot ${doing} ${path}: ${diskReason(cause)}`, { cause });
  }
}

export function writeAll(fs: FileSystem, descriptor: number, bytes: Bytes): void {
  for (let offset = 0; offset < bytes.length;)
    offset += fs.writeSync(descriptor, bytes, offset, bytes.length - offset);
}

/** Exactly `length` bytes at `position`. @throws IntegrityError if the file is shorter. */
export function readExactly(fs: FileSystem, descriptor: number, position: number, length: number): Bytes {
  const bytes = new Uint8Array(length);
  for (let offset = 0; offset < length;) {
    const count = fs.readSync(descriptor, bytes, offset, length - offset, position + offset);
    if (count === 0) throw new IntegrityError('the file became shorter while it was read');
    offset += count;
  }
  return bytes;
}

export function syncFolder(fs: FileSystem, path: string): void {
  // Windows cannot open a folder; its rename is durable with the file system's own journal.
  if (process.platform === 'win32') return;
  const descriptor = fs.openSync(dirname(path), O_RDONLY);
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Open if it is there, `null` if it is not. @throws IntegrityError for links and anything but a regular file. */
export function openRegular(fs: FileSystem, path: string, flags: number): number | null {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, flags);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT' || errorCode(cause) === 'ENOTDIR') return null;
    return onDisk('open', path, () => {
      throw cause;
    });
  }
  if (!fs.fstatSync(descriptor).isFile()) {
    fs.closeSync(descriptor);
    throw new IntegrityError(`${path} is not a regular file`, {}, 'UNSAFE_PATH');
  }
  return descriptor;
}

/**
 * Make a folder, 0700, and those above it that are missing; existing ones stay as they are. Not by the runtime's recursive option: that
 * never returns where a folder cannot be made although its parent is there, as under /proc.
 */
export function makeFolders(fs: FileSystem, path: string): void {
  try {
    fs.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || isThere(fs, parent)) throw error;
    makeFolders(fs, parent);
    fs.mkdirSync(path, { mode: 0o700 });
  }
}

function isThere(fs: FileSystem, path: string): boolean {
  try {
    fs.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
