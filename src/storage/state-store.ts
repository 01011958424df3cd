/**
 * What this machine remembers of a vault at a path: its id, the highest counters seen, the audit log's last record.
 * It makes a rollback, a swapped vault and a cut log visible. One small JSON file a vault in the user's state folder.
 *
 * A machine without memory (no such folder, read-only) works, and remembers nothing: docs/threat-model.md says so.
 */
import { join } from 'node:path';
import { IntegrityError } from '../errors.ts';
import { parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';
import { digest, integer, list, longId, object, orNone, text, tuple, type Shaped } from '../format/schema.ts';
import { openFlags, openRegular, readExactly, type FileSystem } from './file-system.ts';
import { replaceOwnFile } from './own-file.ts';

const rememberedLog = object({ path: text(8_192), id: longId, seq: integer(), digest: orNone(digest) });

/** What earlier versions of this program wrote. */
const withoutCheck = {
  vault: longId,
  path: text(8_192),
  generation: integer(),
  head: digest,
  /** Every part by a key such as `names:ENVIRONMENT`, with its number and H. */
  parts: list(tuple(text(64, 1), integer(), digest), 100_000),
  logs: list(rememberedLog, 64),
} as const;

const remembered = object({
  ...withoutCheck,
  /** By the principal that used it last: a MAC over the snapshot, and with it the head, whose signatures it had checked. */
  checked: orNone(digest),
});
const rememberedBefore = object(withoutCheck);

export type Remembered = Shaped<typeof remembered>;
export type RememberedLog = Shaped<typeof rememberedLog>;

export interface StateStore {
  /** @throws IntegrityError if what is there is not ours. */
  load(): Remembered | null;
  /** Returns false where nothing can be remembered. `durable` flushes before it returns. */
  save(state: Remembered, durable: boolean): boolean;
}

function parseRemembered(bytes: Bytes): Remembered {
  const value: unknown = JSON.parse(parseUtf8(bytes));
  const what = 'remembered state';
  return typeof value === 'object' && value !== null && 'checked' in value
    ? remembered(value, what)
    : { ...rememberedBefore(value, what), checked: '' };
}

/** @param folder the user's state folder for this program, or `null` for a machine without memory; @param key file name stem */
export function openStateStore(fs: FileSystem, folder: string | null, key: string): StateStore {
  if (folder === null) return { load: () => null, save: () => false };
  const path = join(folder, `${key}.json`);
  return {
    load: () => {
      const descriptor = openRegular(fs, path, openFlags.read);
      if (descriptor === null) return null;
      try {
        const bytes: Bytes = readExactly(fs, descriptor, 0, fs.fstatSync(descriptor).size);
        return parseRemembered(bytes);
      } catch (cause) {
        const hint = `if you trust the vault, remove ${path}`;
        throw new IntegrityError(`what this machine remembers of the vault is damaged: ${path}`, {
          cause,
          hint,
        });
      } finally {
        fs.closeSync(descriptor);
      }
    },
    save: (state, durable) => {
      try {
        replaceOwnFile(fs, folder, path, utf8(JSON.stringify(state)), durable);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** Whether something can be kept in this folder, tried by a file of no bytes. @param key of its name, that nobody else has */
export function canSave(fs: FileSystem, folder: string, key: string): boolean {
  const path = join(folder, `${key}.trial`);
  try {
    replaceOwnFile(fs, folder, path, new Uint8Array(0), false);
    fs.unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}
