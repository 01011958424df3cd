/**
 * The audit log on disk: read from its end, append and flush. docs/format.md section 9.
 *
 * An append that fails is cut off again, so that a full disk leaves no half record behind; a half record left by a killed
 * process is cut by the next one that holds the lock.
 */
import { AuditError, BackendError, SecretsManagerError } from '../errors.ts';
import type { Bytes } from '../crypto/bytes.ts';
import type { LogSource } from './log-lines.ts';
import {
  diskReason,
  openFlags,
  openRegular,
  readExactly,
  syncFolder,
  writeAll,
  type FileSystem,
} from './file-system.ts';

const lineFeed = 0x0a;
/** A few records; more is read where it is needed. */
const tailChunk = 8 * 1024;

export interface LogTail {
  /** Whole lines at the end of the log (all of them in a small log), oldest first, without LF. */
  readonly lines: Bytes[];
  /** Whether `lines` begins at the start of the log. */
  readonly complete: boolean;
  /** Bytes after the last LF: an unfinished line. */
  readonly torn: number;
}

/** An open log, appended to under the lock. Caller closes. */
export interface LogFile extends LogSource {
  /** Lines from the end, reading back until `enough` says so or the log begins. */
  tail(enough?: (lines: readonly Bytes[]) => boolean): LogTail;
  /** Cut an unfinished last line of `length` bytes. */
  cut(length: number): void;
  /** Append lines (with their LFs) and flush. @throws AuditError; the log is then as it was. */
  append(bytes: Bytes): void;
  close(): void;
}

export function splitTail(bytes: Bytes): { lines: Bytes[]; torn: number } {
  const lines: Bytes[] = [];
  let start = 0;
  for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return { lines, torn: bytes.length - start };
}

/** Run a step on the log; a failure of the disk becomes an `AuditError` that names the step and the path. */
export function inAudit<T>(doing: string, path: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    const disk = cause instanceof BackendError;
    if (cause instanceof SecretsManagerError && !disk) throw cause;
    throw new AuditError(`cannot ${doing} the audit log ${path}: ${diskReason(disk ? cause.cause : cause)}`, {
      cause,
    });
  }
}

function logFile(fs: FileSystem, path: string, descriptor: number, isNew: boolean): LogFile {
  let size = fs.fstatSync(descriptor).size;
  return {
    get size() {
      return size;
    },
    read: (offset, length) => inAudit('read', path, () => readExactly(fs, descriptor, offset, length)),
    tail: (enough = () => true) =>
      inAudit('read', path, () => {
        for (let length = Math.min(tailChunk, size); ; length = Math.min(length * 4, size)) {
          const { lines, torn } = splitTail(readExactly(fs, descriptor, size - length, length));
          const complete = length === size;
          // Unless this is the start of the file, the first piece is the end of a longer line.
          const whole = complete ? lines : lines.slice(1);
          if (complete || (whole.length > 0 && enough(whole))) return { lines: whole, complete, torn };
        }
      }),
    cut: (length) => {
      inAudit('mend', path, () => {
        fs.ftruncateSync(descriptor, size - length);
        fs.fsyncSync(descriptor);
      });
      size -= length;
    },
    append: (bytes) => {
      inAudit('write', path, () => {
        try {
          writeAll(fs, descriptor, bytes);
          fs.fsyncSync(descriptor);
          if (isNew) syncFolder(fs, path);
        } catch (cause) {
          try {
            fs.ftruncateSync(descriptor, size);
          } catch {
            // The torn line is cut by the next holder of the lock.
          }
          throw cause;
        }
      });
      size += bytes.length;
    },
    close: () => {
      fs.closeSync(descriptor);
    },
  };
}

/** Open the log for appending, or `null` if there is none. @throws AuditError; IntegrityError for links. */
export function openLog(fs: FileSystem, path: string): LogFile | null {
  const descriptor = inAudit('open', path, () => openRegular(fs, path, openFlags.append));
  return descriptor === null ? null : logFile(fs, path, descriptor, false);
}

/** Make an empty log, 0600. @throws AuditError. */
export function createLog(fs: FileSystem, path: string): LogFile {
  return inAudit('make', path, () => logFile(fs, path, fs.openSync(path, openFlags.createLog, 0o600), true));
}

/** A log that is only read, as large as it was when it was opened. Caller closes. */
export interface LogReader extends LogSource {
  close(): void;
}

/** Open the log for verification and queries; `null` if there is none. @throws AuditError; IntegrityError for links. */
export function openLogReader(fs: FileSystem, path: string): LogReader | null {
  const descriptor = inAudit('open', path, () => openRegular(fs, path, openFlags.read));
  if (descriptor === null) return null;
  const { size } = inAudit('read', path, () => fs.fstatSync(descriptor));
  return {
    size,
    read: (offset, length) => inAudit('read', path, () => readExactly(fs, descriptor, offset, length)),
    close: () => {
      fs.closeSync(descriptor);
    },
  };
}
