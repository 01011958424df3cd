/**
 * Real pipes for a child's standard streams.
 *
 * What Node calls a pipe is a pair of sockets, and nobody can open a socket by its path: `echo … > /dev/stderr`, a usual
 * line in scripts, fails with "no such device or address". A FIFO has none of this; its name is gone before it is used.
 *
 * Known limit: opening a FIFO waits for somebody at the other end, where a pipe would fail: we hold ours until the child
 * has ended, unless nobody reads us any more.
 */
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** The two ends, as descriptors that are closed when another program takes over; whoever asked for them closes them. */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/** `null` where the system cannot make them: Node's own are then the next best. */
export async function makePipes(count: number): Promise<Pipe[] | null> {
  if (count === 0) return [];
  if (process.platform === 'win32') return null;
  const { spawnSync } = await import('node:child_process');
  const pipes: Pipe[] = [];
  let folder: string | null = null;
  try {
    folder = mkdtempSync(path.join(os.tmpdir(), 'vault-pipe-'));
    const place = folder;
    const fifos = Array.from({ length: count }, (_, index) => path.join(place, String(index)));
    const made = spawnSync('mkfifo', ['-m', '600', ...fifos], {
      env: { PATH: '/usr/bin:/bin' },
      stdio: 'ignore',
    });
    if (made.status !== 0) return null;
    for (const fifo of fifos) pipes.push(openBothEnds(fifo));
    return pipes;
  } catch {
    for (const { read, write } of pipes) [read, write].forEach((end) => closeSync(end));
    return null;
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  }
}

function openBothEnds(fifo: string): Pipe {
  // Opening one end waits for the other: one that is both waits for nobody.
  const both = openSync(fifo, constants.O_RDWR);
  try {
    const read = openSync(fifo, constants.O_RDONLY);
    try {
      return { read, write: openSync(fifo, constants.O_WRONLY) };
    } catch (error) {
      closeSync(read);
      throw error;
    }
  } finally {
    closeSync(both);
  }
}
