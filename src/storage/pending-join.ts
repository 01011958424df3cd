/**
 * A newcomer's own half of a request, kept on its machine until an administrator has added it: the sealed bundle and the slot that opens
 * it, as they will stand in the vault. Nothing in it is readable without the newcomer's passphrase.
 */
import { join } from 'node:path';
import { IntegrityError } from '../errors.ts';
import { parseUtf8, utf8 } from '../crypto/bytes.ts';
import { list, longId, object, shortId, text, type Shaped } from '../format/schema.ts';
import { onDisk, openFlags, openRegular, readExactly, syncFolder, type FileSystem } from './file-system.ts';
import { replaceOwnFile } from './own-file.ts';

const pendingJoin = object({
  vault: longId,
  principal: shortId,
  /** Raw lines, without LF. */
  slots: list(text(65_536), 16, 1),
  bundle: text(65_536),
});

export type PendingJoin = Shaped<typeof pendingJoin>;

const pathOf = (folder: string, vault: string): string => join(folder, `${vault}.join`);

/** @throws BackendError */
export function savePendingJoin(fs: FileSystem, folder: string, pending: PendingJoin): string {
  const path = pathOf(folder, pending.vault);
  onDisk('write', path, () => {
    replaceOwnFile(fs, folder, path, utf8(JSON.stringify(pending)), true);
    syncFolder(fs, path);
  });
  return path;
}

/** What was kept for a vault, or `null`. @throws IntegrityError if it is damaged */
export function loadPendingJoin(fs: FileSystem, folder: string, vault: string): PendingJoin | null {
  const path = pathOf(folder, vault);
  const descriptor = openRegular(fs, path, openFlags.read);
  if (descriptor === null) return null;
  try {
    const bytes = readExactly(fs, descriptor, 0, fs.fstatSync(descriptor).size);
    return pendingJoin(JSON.parse(parseUtf8(bytes)), 'kept request');
  } catch (cause) {
    const hint = 'make a new one: `vault join --request --replace`';
    throw new IntegrityError(`what was kept of your request is damaged: ${path}`, { cause, hint });
  } finally {
    fs.closeSync(descriptor);
  }
}

export function removePendingJoin(fs: FileSystem, folder: string, vault: string): void {
  try {
    fs.unlinkSync(pathOf(folder, vault));
  } catch {
    // It is of no use any more, and harmless.
  }
}
