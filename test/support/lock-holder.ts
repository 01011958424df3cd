/** A process of its own that takes a lock, says so, and holds it until its standard input ends: `node lock-holder.ts PATH`. */
import { realFileSystem } from '../../src/storage/file-system.ts';
import { acquireLock } from '../../src/storage/lock.ts';

const lock = await acquireLock({
  fs: realFileSystem,
  path: process.argv[2] ?? '',
  holder: `put, process ${process.pid} of ada on engine`,
  waitMs: 10_000,
  now: () => performance.now(),
});
process.stdout.write('held\n');
process.stdin.on('end', () => lock.release());
process.stdin.resume();
