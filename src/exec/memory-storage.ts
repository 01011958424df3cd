/** File systems that live in memory (swap aside), for plaintext that a program wants as a file. */
import { mkdtempSync, rmSync, statfsSync, closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';

const TMPFS_MAGIC = 0x01021994;
const RAMFS_MAGIC = 0x858458f6;

type Environment = Readonly<Record<string, string | undefined>>;

/** A new folder in memory, of mode 0700; `null` where there is no such place for us (macOS and Windows have none). */
export function makeMemoryFolder(environment: Environment): string | null {
  for (const parent of memoryFolders(environment)) {
    try {
      if (isInMemory(parent)) return mkdtempSync(path.join(parent, 'vault-exec-'));
    } catch {
      // Not there, or not for us: the next one.
    }
  }
  return null;
}

/**
 * A descriptor from which exactly these bytes can be read, of a file in memory that has no name any more; `null` where there
 * is none. The caller closes it.
 */
export function openInMemory(bytes: Uint8Array, environment: Environment): number | null {
  const folder = makeMemoryFolder(environment);
  if (folder === null) return null;
  let reading: number | null = null;
  try {
    const file = path.join(folder, 'input');
    const writing = openSync(file, 'wx', 0o600);
    try {
      reading = openSync(file, 'r');
      writeBytes(writing, bytes);
    } finally {
      closeSync(writing);
    }
    return reading;
  } catch {
    if (reading !== null) closeSync(reading);
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function writeBytes(descriptor: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) offset += writeSync(descriptor, bytes, offset);
}

export function isInMemory(folder: string): boolean {
  if (process.platform !== 'linux') return false;
  // A signed number on some machines.
  const type = statfsSync(folder).type >>> 0;
  return type === TMPFS_MAGIC || type === RAMFS_MAGIC;
}

function memoryFolders(environment: Environment): string[] {
  if (process.platform !== 'linux') return [];
  const runtime = environment['XDG_RUNTIME_DIR'] ?? '';
  const own = `/run/user/${process.getuid?.() ?? ''}`;
  return [...(path.isAbsolute(runtime) ? [runtime] : []), own, '/dev/shm'];
}
