/**
 * How far the records of a log have been counted on this machine, and what came out, so that the next time only what is new is read. One
 * small JSON file a log in the user's state folder.
 *
 * It saves time and nothing more: what is not there, damaged or of another log is counted again.
 */
import { join } from 'node:path';
import { parseUtf8, utf8 } from '../crypto/bytes.ts';
import {
  boolean,
  digest,
  integer,
  list,
  longId,
  object,
  text,
  time,
  tuple,
  type Shaped,
} from '../format/schema.ts';
import { openFlags, openRegular, readExactly, type FileSystem } from './file-system.ts';
import { replaceOwnFile } from './own-file.ts';

/** Kinds of operation that are told apart, and one for all others: whoever can write to a log can make up as many as they like. */
export const mostOperations = 128;
const mostBytes = 1024 ** 2;
const count = integer();

/** The record that was counted last. Its digest covers all before it, as those of a chain do. */
const lastCounted = object({
  log: longId,
  sequence: integer(1),
  time,
  operation: text(64, 1),
  ok: boolean,
  digest,
  /** Where its line begins in the file, and how many bytes it has without its LF. */
  offset: count,
  length: integer(1),
});

const counted = object({
  last: lastCounted,
  records: count,
  /** Lines before it that are no records. */
  unreadable: count,
  failedUnlocks: count,
  /** By operation: how often it went well, how often not. */
  operations: list(tuple(text(64, 1), count, count), mostOperations + 1),
});

export type Counted = Shaped<typeof counted>;

export interface CountStore {
  load(): Counted | null;
  /** Not flushed: what a crash takes is counted again. Nothing happens where nothing can be kept. */
  save(state: Counted): void;
}

/** @param folder the user's state folder for this program, or `null` for a machine without memory; @param key file name stem */
export function openCountStore(fs: FileSystem, folder: string | null, key: string): CountStore {
  if (folder === null) return { load: () => null, save: () => undefined };
  const own = join(folder, 'counts');
  const path = join(own, `${key}.json`);
  return {
    load: () => {
      try {
        return readCounted(fs, path);
      } catch {
        return null;
      }
    },
    save: (state) => {
      try {
        replaceOwnFile(fs, own, path, utf8(JSON.stringify(state)), false);
      } catch {
        // The next one counts from the start.
      }
    },
  };
}

function readCounted(fs: FileSystem, path: string): Counted | null {
  const descriptor = openRegular(fs, path, openFlags.read);
  if (descriptor === null) return null;
  try {
    const { size } = fs.fstatSync(descriptor);
    if (size > mostBytes) return null;
    return counted(JSON.parse(parseUtf8(readExactly(fs, descriptor, 0, size))), 'counts');
  } finally {
    fs.closeSync(descriptor);
  }
}
