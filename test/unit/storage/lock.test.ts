/** The lock between processes. docs/format.md section 10. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { BackendError, ConcurrencyError, IntegrityError } from '../../../src/errors.ts';
import { realFileSystem } from '../../../src/storage/file-system.ts';
import { acquireLock, type Lock, type LockOptions } from '../../../src/storage/lock.ts';
import { failureOf } from '../../support/failure.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failingOnce } from '../../support/watched-file-system.ts';

type Holder = ChildProcessByStdio<Writable, Readable, null>;

const holders: Holder[] = [];

afterEach(() => {
  for (const holder of holders.splice(0)) holder.kill('SIGKILL');
});

/** A process that holds the lock when this returns. */
async function startHolder(lockPath: string): Promise<Holder> {
  const program = path.join(import.meta.dirname, '../../support/lock-holder.ts');
  const holder = spawn(process.execPath, [program, lockPath], { stdio: ['pipe', 'pipe', 'inherit'] });
  holders.push(holder);
  const [said] = (await once(holder.stdout, 'data')) as [Buffer];
  expect(said.toString()).toBe('held\n');
  return holder;
}

async function acquire(lockPath: string, changes: Partial<LockOptions> = {}): Promise<Lock> {
  const options = { fs: realFileSystem, path: lockPath, holder: 'a test', waitMs: 0, now: () => 0 };
  return acquireLock({ ...options, ...changes });
}

const newLockPath = (): string => path.join(temporaryFolder(), 'team.vault.lock');

test('one process at a time; who holds it is named', async () => {
  const lockPath = newLockPath();
  const holder = await startHolder(lockPath);
  const error = await failureOf(acquire(lockPath));
  expect(error).toBeInstanceOf(ConcurrencyError);
  expect(error.code).toBe('LOCK_HELD');
  expect(error.exitCode).toBe(8);
  expect(error.message).toContain(`put, process ${holder.pid} of ada on engine`);
});

test('free at once when its holder is killed', async () => {
  const lockPath = newLockPath();
  const holder = await startHolder(lockPath);
  await failureOf(acquire(lockPath));
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  // No waiting at all: what the kernel held is gone with the process.
  const lock = await acquire(lockPath);
  expect((await failureOf(acquire(lockPath))).code).toBe('LOCK_HELD');
  lock.release();
});

test('whoever waits gets it when it is released', async () => {
  const lockPath = newLockPath();
  const holder = await startHolder(lockPath);
  let done = false;
  const waiting = acquire(lockPath, { waitMs: 60_000, now: () => performance.now() }).then((lock) => {
    done = true;
    return lock;
  });
  await failureOf(acquire(lockPath));
  expect(done).toBe(false);
  holder.stdin.end();
  (await waiting).release();
});

test('waits as long as was said, by the clock that is given, and not longer', async () => {
  const lockPath = newLockPath();
  const held = await acquire(lockPath);
  let asked = 0;
  const now = (): number => 250 * asked++;
  const error = await failureOf(acquire(lockPath, { waitMs: 1_000, now }));
  expect(error.code).toBe('LOCK_HELD');
  expect(error.message).toContain('waited 1 s');
  // At 0 it starts; tries at 250, 500 and 750 are in time, the one at 1,000 is the last.
  expect(asked).toBe(5);
  held.release();
});

test('within one process too', async () => {
  const lockPath = newLockPath();
  const lock = await acquire(lockPath, { holder: 'the first' });
  const error = await failureOf(acquire(lockPath, { holder: 'the second' }));
  expect(error.message).toContain('the first');
  lock.release();
  (await acquire(lockPath)).release();
});

test('a lock file stays: empty, for its owner only, never removed', async () => {
  const lockPath = newLockPath();
  const lock = await acquire(lockPath);
  lock.release();
  expect(statSync(lockPath).size).toBe(0);
  expect(statSync(lockPath).mode & 0o777).toBe(0o600);
  expect(statSync(`${lockPath}-holder`).mode & 0o777).toBe(0o600);
  const { ino } = statSync(lockPath);
  (await acquire(lockPath)).release();
  expect(statSync(lockPath).ino).toBe(ino);
});

test('a link in its place is refused, and what it points to stays', async () => {
  const lockPath = newLockPath();
  const target = `${lockPath}-target`;
  writeFileSync(target, 'precious');
  symlinkSync(target, lockPath);
  const error = await failureOf(acquire(lockPath));
  expect(error).toBeInstanceOf(IntegrityError);
  expect(error.code).toBe('UNSAFE_PATH');
  expect(readFileSync(target, 'utf8')).toBe('precious');
  expect(existsSync(`${target}-journal`)).toBe(false);
});

test('a dangling link is refused too', async () => {
  const lockPath = newLockPath();
  symlinkSync(`${lockPath}-nowhere`, lockPath);
  expect((await failureOf(acquire(lockPath))).code).toBe('UNSAFE_PATH');
  expect(existsSync(`${lockPath}-nowhere`)).toBe(false);
});

test('a folder in its place is refused', async () => {
  const lockPath = newLockPath();
  mkdirSync(lockPath);
  expect((await failureOf(acquire(lockPath))).code).toBe('UNSAFE_PATH');
});

test('a link in the place of the holder’s name is not followed', async () => {
  const lockPath = newLockPath();
  const target = `${lockPath}-target`;
  writeFileSync(target, 'precious');
  symlinkSync(target, `${lockPath}-holder`);
  const lock = await acquire(lockPath, { holder: 'overwritten' });
  expect(readFileSync(target, 'utf8')).toBe('precious');
  expect((await failureOf(acquire(lockPath))).message).toContain('another process');
  lock.release();
  expect(lstatSync(`${lockPath}-holder`).isSymbolicLink()).toBe(true);
});

test('what the holder wrote cannot move the cursor of who reads it', async () => {
  const lockPath = newLockPath();
  const lock = await acquire(lockPath, { holder: 'eve\u001b[2J\u0000\n\u009b31mred' });
  const { message } = await failureOf(acquire(lockPath));
  // eslint-disable-next-line no-control-regex -- that is what must not be there
  expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  expect(message).toContain('eve');
  lock.release();
});

test('a folder that is not there or cannot be written is a failure of the disk', async () => {
  const missing = path.join(temporaryFolder(), 'nowhere', 'team.vault.lock');
  const error = await failureOf(acquire(missing));
  expect(error).toBeInstanceOf(BackendError);
  expect(error.message).toContain(missing);
  const fs = failingOnce(({ call }) => call === 'openSync', 'EACCES');
  expect((await failureOf(acquire(newLockPath(), { fs }))).exitCode).toBe(9);
});

test('a path that goes through a file is a failure of the disk', async () => {
  const file = path.join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  expect((await failureOf(acquire(path.join(file, 'team.vault.lock')))).exitCode).toBe(9);
});

test('the name of the holder is best effort: a full disk does not keep the lock away', async () => {
  const lockPath = newLockPath();
  const fs = failingOnce(({ call, path: at }) => call === 'writeSync' && at.endsWith('-holder'), 'ENOSPC');
  const lock = await acquire(lockPath, { fs });
  expect((await failureOf(acquire(lockPath))).code).toBe('LOCK_HELD');
  lock.release();
});
