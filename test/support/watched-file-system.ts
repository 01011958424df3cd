/** The file-system port with an observer before every call, who may throw: how faults are put in, step by step. */
import { realFileSystem, type FileSystem } from '../../src/storage/file-system.ts';

export interface Step {
  /** From 1, over the life of this file system. */
  readonly number: number;
  readonly call: keyof FileSystem;
  /** The path, also of a call on a descriptor; `''` where it is not known. */
  readonly path: string;
}

/** @param before runs before each call; what it throws is the call's outcome, and the call does not happen */
export function watchedFileSystem(before: (step: Step) => void): FileSystem {
  const paths = new Map<number, string>();
  let number = 0;
  const watched = Object.entries(realFileSystem)
    .filter(([, call]) => typeof call === 'function')
    .map(([name, real]) => {
      const call = (...args: unknown[]): unknown => {
        const [target] = args;
        number += 1;
        const path = typeof target === 'number' ? (paths.get(target) ?? '') : String(target);
        before({ number, call: name as keyof FileSystem, path });
        const result: unknown = Reflect.apply(real as (...all: unknown[]) => unknown, null, args);
        if (name === 'openSync') paths.set(result as number, path);
        return result;
      };
      return [name, call];
    });
  return Object.fromEntries(watched) as FileSystem;
}

/** An error as the disk gives it. */
export function diskError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: put in by a test`), { code });
}

/** Fails the first call that `aim` picks, once. */
export function failingOnce(aim: (step: Step) => boolean, code = 'EIO'): FileSystem {
  let done = false;
  return watchedFileSystem((step) => {
    if (done || !aim(step)) return;
    done = true;
    throw diskError(code);
  });
}

/**
 * As if the process had been killed before the call that `aim` picks: neither it nor any later one happens. Descriptors are
 * closed all the same, as the kernel does.
 */
export function dyingAt(aim: (step: Step) => boolean): FileSystem {
  let dead = false;
  return watchedFileSystem((step) => {
    dead ||= aim(step);
    if (dead && step.call !== 'closeSync') throw diskError('EIO');
  });
}
