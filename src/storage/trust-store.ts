/**
 * Which `vault.json` files, and which hooks of vaults, the user has accepted, each by its path and the SHA-256 of its bytes: a changed file is another one. One small
 * file for each in the user's state folder, named after the path, so that two acceptances never get in each other's way.
 *
 * What is damaged there counts as not accepted.
 */
import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { encodeHex, parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { object, text, time, type Shaped } from '../format/schema.ts';
import { errorCode, makeFolders, onDisk, type FileSystem } from './file-system.ts';
import { readOwnFile } from './own-file.ts';
import { writeUserFile } from './user-file.ts';

const acceptance = object({ path: text(8_192, 1), sha256: text(64, 1), accepted: time });

/** `sha256` in lower-case hexadecimal; `accepted` is when. */
export type Acceptance = Shaped<typeof acceptance>;

export interface TrustStore {
  find(path: string): Promise<Acceptance | null>;
  /** @throws UsageError without a state folder; BackendError */
  accept(wanted: Acceptance): Promise<void>;
  /** Whether there was one. */
  forget(path: string): Promise<boolean>;
  /** By path. */
  list(): Acceptance[];
}

const largest = 64 * 1024;
const fileForm = /^[0-9a-f]{64}\.json$/;

/** The hash by which a file is accepted: SHA-256 of its bytes, in lower-case hexadecimal. */
export async function acceptedHash(bytes: Bytes): Promise<string> {
  return encodeHex(await sha256(bytes));
}

/**
 * @param stateFolder the user's state folder for this program, or `null` where there is none
 * @param name of the folder in it: projects' files are kept apart from hooks, whose path is none
 */
export function openTrustStore(
  fs: FileSystem,
  stateFolder: string | null,
  uid: number | null,
  name: 'trust' | 'hooks' = 'trust',
): TrustStore {
  const folder = stateFolder === null ? null : join(stateFolder, name);
  const placeOf = async (path: string): Promise<string | null> =>
    folder === null ? null : join(folder, `${await acceptedHash(utf8(path.toWellFormed()))}.json`);
  const read = (place: string): Acceptance | null => {
    const bytes = readOwnFile(fs, place, { uid, most: largest });
    if (bytes === null) return null;
    try {
      return acceptance(JSON.parse(parseUtf8(bytes)), 'acceptance');
    } catch {
      return null;
    }
  };
  return {
    find: async (path) => {
      const place = await placeOf(path);
      const found = place === null ? null : read(place);
      return found?.path === path ? found : null;
    },
    accept: async (wanted) => {
      const place = await placeOf(wanted.path);
      if (folder === null || place === null) {
        const variable = name === 'trust' ? 'VAULT_TRUST_PROJECT' : 'VAULT_TRUST_HOOKS';
        const hint = `set ${variable} to its SHA-256 instead`;
        throw new UsageError('there is no state folder here to remember it in', { hint });
      }
      onDisk('make the folder', folder, () => {
        makeFolders(fs, folder);
      });
      writeUserFile(place, utf8(`${JSON.stringify(wanted)}\n`));
    },
    forget: async (path) => {
      const place = await placeOf(path);
      if (place === null) return false;
      try {
        fs.unlinkSync(place);
        return true;
      } catch (cause) {
        if (errorCode(cause) === 'ENOENT' || errorCode(cause) === 'ENOTDIR') return false;
        return onDisk('remove', place, () => {
          throw cause;
        });
      }
    },
    list: () => {
      if (folder === null) return [];
      return namesIn(fs, folder)
        .filter((file) => fileForm.test(file))
        .flatMap((file) => read(join(folder, file)) ?? [])
        .sort((a, b) => (a.path < b.path ? -1 : 1));
    },
  };
}

function namesIn(fs: FileSystem, folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return [];
    return onDisk('read', folder, () => {
      throw cause;
    });
  }
}
