/**
 * What is kept of a principal's last write, so that `undo` can take it back: one small file a place and principal in the user's state folder.
 * The text is sealed by whoever keeps it; what stands beside it in clear stands in the audit log, too.
 *
 * It is a convenience and nothing more: what is not there, damaged or of another write is as good as none.
 */
import { join } from 'node:path';
import { parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';
import { bytes, digest, integer, longId, object, type Shaped } from '../format/schema.ts';
import { openFlags, openRegular, readExactly, type FileSystem } from './file-system.ts';
import { replaceOwnFile } from './own-file.ts';

const mostBytes = 64 * 1024 ** 2;

const keptReversal = object({
  /** The record of the write. */
  log: longId,
  sequence: integer(1),
  /** D of the vault that it made. */
  to: digest,
  sealed: bytes(),
});

export type KeptReversal = Shaped<typeof keptReversal>;

export interface ReversalStore {
  /** `null` if nothing is kept, or nothing that can be read. */
  load(): KeptReversal | null;
  /** Not flushed. What cannot be kept is not; what was kept before it goes in any case. */
  save(reversal: KeptReversal): void;
  /** Keep nothing any more. */
  remove(): void;
}

/** @param folder the user's state folder for this program, or `null` for a machine without memory; @param key file name stem */
export function openReversalStore(fs: FileSystem, folder: string | null, key: string): ReversalStore {
  if (folder === null) return { load: () => null, save: () => undefined, remove: () => undefined };
  const own = join(folder, 'undo');
  const path = join(own, `${key}.json`);
  const remove = (): void => {
    try {
      fs.unlinkSync(path);
    } catch {
      // There is none; or it stays, and no write that the log has is its own.
    }
  };
  return {
    load: () => {
      try {
        return readKept(fs, path);
      } catch {
        return null;
      }
    },
    save: (reversal) => {
      try {
        const text: Bytes = utf8(JSON.stringify(reversal));
        if (text.length > mostBytes) remove();
        else replaceOwnFile(fs, own, path, text, false);
      } catch {
        remove();
      }
    },
    remove,
  };
}

function readKept(fs: FileSystem, path: string): KeptReversal | null {
  const descriptor = openRegular(fs, path, openFlags.read);
  if (descriptor === null) return null;
  try {
    const { size } = fs.fstatSync(descriptor);
    if (size > mostBytes) return null;
    return keptReversal(JSON.parse(parseUtf8(readExactly(fs, descriptor, 0, size))), 'what is kept for undo');
  } finally {
    fs.closeSync(descriptor);
  }
}
