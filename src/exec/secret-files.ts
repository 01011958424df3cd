/**
 * Secrets as files, for programs that want a path: on memory-backed storage where there is one, for the child's life.
 *
 * Files are 0600 in a new folder of mode 0700. Known limits: memory-backed storage may be swapped out; without any (macOS,
 * Windows) the files are on the disk of the temporary folder, overwritten before they are removed, which a journal or a
 * flash disk may undo; a SIGKILL leaves the folder behind until the next start of the machine.
 */
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { UsageError } from '../errors.ts';
import { isInMemory, makeMemoryFolder, writeBytes } from './memory-storage.ts';
import { onDisk } from '../storage/file-system.ts';

export interface SecretFile {
  /** The variable that will hold the path; it is the file's name, too. */
  readonly variable: string;
  /** Borrowed. */
  readonly value: Uint8Array;
}

export interface SecretFiles {
  /** Path by variable. */
  readonly paths: ReadonlyMap<string, string>;
  /** Whether the files never reach a disk (swap aside). */
  readonly inMemory: boolean;
  /** Removes files and folder. Never throws; can be called again. */
  remove(): void;
  /**
   * From creation on, SIGINT, SIGTERM and SIGHUP remove the files before they end the process, and so does its own end.
   * Whoever takes those signals says so here, and calls `remove()` in time.
   */
  unguard(): void;
}

const guarded = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

// Windows has no O_NOFOLLOW.
const { O_NOFOLLOW = 0 } = constants as Partial<typeof constants>;

/**
 * Writes each value to a file of its own. What was written is removed again if a later one fails.
 *
 * @param environment Where to look for XDG_RUNTIME_DIR.
 * @throws UsageError if a variable cannot be a file's name or comes twice; BackendError if the disk refuses.
 */
export function createSecretFiles(
  files: readonly SecretFile[],
  environment: Readonly<Record<string, string | undefined>>,
): SecretFiles {
  for (const { variable } of files) {
    if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/u.test(variable)) {
      throw new UsageError(`${JSON.stringify(variable)} cannot be a variable`);
    }
  }
  const { folder, inMemory } = makeFolder(environment);
  const remove = (): void => {
    unguard();
    process.off('exit', remove);
    if (!inMemory) overwrite(folder);
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // Cleaning up must not hide how the child ended.
    }
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    remove();
    // Ours was the only listener: end as if there had been none.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const unguard = (): void => guarded.forEach((signal) => process.off(signal, onSignal));
  guarded.forEach((signal) => process.on(signal, onSignal));
  process.on('exit', remove);

  const paths = new Map<string, string>();
  try {
    for (const { variable, value } of files) {
      if (paths.has(variable))
        throw new UsageError(`two files for the variable ${variable}`, {}, 'NAME_COLLISION');
      const file = path.join(folder, variable);
      onDisk('write', file, () => writeNew(file, value));
      paths.set(variable, file);
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { paths, inMemory, remove, unguard };
}

function makeFolder(environment: Readonly<Record<string, string | undefined>>): {
  readonly folder: string;
  readonly inMemory: boolean;
} {
  const inMemory = makeMemoryFolder(environment);
  if (inMemory !== null) return { folder: inMemory, inMemory: true };
  const parent = os.tmpdir();
  const folder = onDisk('make a folder in', parent, () => mkdtempSync(path.join(parent, 'vault-exec-')));
  return { folder, inMemory: isInMemory(folder) };
}

function writeNew(file: string, value: Uint8Array): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | O_NOFOLLOW;
  const descriptor = openSync(file, flags, 0o600);
  try {
    writeBytes(descriptor, value);
  } finally {
    closeSync(descriptor);
  }
}

function overwrite(folder: string): void {
  try {
    for (const name of readdirSync(folder)) overwriteFile(path.join(folder, name));
  } catch {
    // What cannot be overwritten is still removed.
  }
}

function overwriteFile(file: string): void {
  const descriptor = openSync(file, constants.O_WRONLY | O_NOFOLLOW);
  try {
    writeBytes(descriptor, new Uint8Array(fstatSync(descriptor).size));
  } finally {
    closeSync(descriptor);
  }
}
