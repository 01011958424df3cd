/**
 * A log read along from any line on, without the lock and without holding it in memory: its lines as text, one character a byte, in which
 * the runtime finds ends of lines and members at once. docs/format.md section 9: no record has an LF inside.
 *
 * Somebody may append meanwhile: what is read is what was there when it was opened.
 */
import type { Bytes } from '../crypto/bytes.ts';
import { openFlags, openRegular, readExactly, type FileSystem } from './file-system.ts';
import { inAudit } from './log-file.ts';

/** Small enough to stay in the processor's cache; the text of more than a megabyte the runtime would keep elsewhere, and slower. */
const chunkLength = 256 * 1024;
const lineFeed = 0x0a;

/**
 * One line. It stands in `text` from `at` on; of a line longer than a chunk only the beginning does.
 * @param offset of the line in the file; @param length of the line in bytes, without its LF
 */
export type LineVisitor = (text: string, at: number, offset: number, length: number) => void;

/** Caller closes. */
export interface LogScan {
  /** Bytes, when it was opened. */
  readonly size: number;
  /** Every whole line from `offset` on, where one begins. @throws AuditError */
  lines(offset: number, visit: LineVisitor): void;
  /** Bytes at an offset; `null` where the log has become shorter. @throws AuditError */
  read(offset: number, length: number): Bytes | null;
  close(): void;
}

/** `null` if there is no log. @throws AuditError; IntegrityError for links */
export function openLogScan(fs: FileSystem, path: string): LogScan | null {
  const descriptor = inAudit('open', path, () => openRegular(fs, path, openFlags.read));
  if (descriptor === null) return null;
  const { size } = inAudit('read', path, () => fs.fstatSync(descriptor));
  const buffer = Buffer.allocUnsafeSlow(Math.min(chunkLength, Math.max(1, size)));
  /** Fills the buffer as far as the log goes. */
  const fill = (offset: number): number => {
    const wanted = Math.min(buffer.length, size - offset);
    let length = 0;
    while (length < wanted) {
      const count = fs.readSync(descriptor, buffer, length, wanted - length, offset + length);
      if (count === 0) break;
      length += count;
    }
    return length;
  };
  const nextLineFeed = (from: number): number | null => {
    for (let offset = from, length = fill(offset); length > 0; offset += length, length = fill(offset)) {
      const at = buffer.subarray(0, length).indexOf(lineFeed);
      if (at >= 0) return offset + at;
    }
    return null;
  };
  const visitAll = (from: number, visit: LineVisitor): void => {
    for (let offset = from; ;) {
      const length = fill(offset);
      const text = buffer.toString('latin1', 0, length);
      let at = 0;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
        visit(text, at, offset + at, end - at);
        at = end + 1;
      }
      if (at === 0) {
        const end = length === 0 ? null : nextLineFeed(offset + length);
        if (end === null) return;
        visit(text, 0, offset, end - offset);
        at = end + 1 - offset;
      }
      // The line that the chunk cut in two is read again, as a whole.
      offset += at;
    }
  };
  return {
    size,
    lines: (offset, visit) => {
      inAudit('read', path, () => {
        visitAll(offset, visit);
      });
    },
    read: (offset, length) => {
      if (offset + length > fs.fstatSync(descriptor).size) return null;
      return inAudit('read', path, () => readExactly(fs, descriptor, offset, length));
    },
    close: () => {
      fs.closeSync(descriptor);
    },
  };
}
