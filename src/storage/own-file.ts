/**
 * Small files that decide what the program does: the project's, the user's, and what the user accepted. Regular, bounded, and of an owner
 * who may decide.
 */
import { IntegrityError, UsageError } from '../errors.ts';
import type { Bytes } from '../crypto/bytes.ts';
import {
  errorCode,
  makeFolders,
  onDisk,
  openFlags,
  openRegular,
  readExactly,
  writeAll,
  type FileSystem,
} from './file-system.ts';

export interface OwnFileRules {
  /** Numeric id of the caller, or `null` where the system has none. */
  readonly uid: number | null;
  /** Largest size in bytes. */
  readonly most: number;
  /** Links are followed, and the file may be the superuser's: people keep their settings in one place and link them to another. */
  readonly linked?: boolean;
}

/** `null` if it is not there. @throws IntegrityError UNSAFE_PATH; UsageError if it is too large; BackendError */
export function readOwnFile(fs: FileSystem, path: string, rules: OwnFileRules): Bytes | null {
  const target = rules.linked === true ? targetOf(fs, path) : path;
  const descriptor = target === null ? null : openRegular(fs, target, openFlags.read);
  if (descriptor === null) return null;
  try {
    const { uid, size } = fs.fstatSync(descriptor);
    const allowed = rules.uid === null || uid === rules.uid || (rules.linked === true && uid === 0);
    if (!allowed) throw new IntegrityError(`${path} does not belong to you`, {}, 'UNSAFE_PATH');
    if (size > rules.most) throw new UsageError(`${path} is larger than ${rules.most} bytes`);
    return onDisk('read', path, () => readExactly(fs, descriptor, 0, size));
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * Put a file of the program's own, 0600, in the place of what is there: the old one or the new one is there whatever happens between.
 * @param path in `folder`, which is made where it is missing; @param durable flush before it counts
 */
export function replaceOwnFile(
  fs: FileSystem,
  folder: string,
  path: string,
  bytes: Bytes,
  durable: boolean,
): void {
  const temporary = `${path}.new`;
  const descriptor = createTemporary(fs, folder, temporary);
  try {
    writeAll(fs, descriptor, bytes);
    if (durable) fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  fs.renameSync(temporary, path);
}

/** A file of this name, new. Usually the folder is there, and nothing else is in its place. */
function createTemporary(fs: FileSystem, folder: string, path: string): number {
  const create = (): number => fs.openSync(path, openFlags.create, 0o600);
  try {
    return create();
  } catch (error) {
    if (errorCode(error) === 'EEXIST') fs.unlinkSync(path);
    else if (errorCode(error) === 'ENOENT') makeFolders(fs, folder);
    else throw error;
    return create();
  }
}

function targetOf(fs: FileSystem, path: string): string | null {
  // Most people have none: asked without an exception, which would cost more than the rest.
  if (fs.lstatSync(path, { throwIfNoEntry: false }) === undefined) return null;
  try {
    return fs.realpathSync(path);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return null;
    return onDisk('open', path, () => {
      throw cause;
    });
  }
}
