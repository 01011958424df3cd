/**
 * A hook: a shell command that brings a new value to where it is used, checks it there, or takes it back. It gets both values through its
 * environment, or on descriptors where they cannot be variables; never as arguments. What it prints is passed on, masked.
 */
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { BackendError, UsageError } from '../errors.ts';
import { drainMasked, type Write } from './child-stdio.ts';
import { Needles } from './mask.ts';
import { openInMemory } from './memory-storage.ts';
import { withoutOurCredentials } from './variables.ts';

export interface HookInput {
  readonly name: string;
  readonly environment: string;
  /** Borrowed; `null` for who cannot read it. */
  readonly old: Uint8Array | null;
  /** Borrowed. */
  readonly value: Uint8Array;
}

/** Most bytes of one variable on Linux, its name and `=` included (MAX_ARG_STRLEN). */
const mostVariable = 128 * 1024 - 64;

/**
 * `sh -c COMMAND` (`cmd /c` on Windows).
 * @param report takes what it prints
 * @returns its exit status, 128 + N where signal N ended it @throws BackendError if it cannot be started
 */
export async function runHook(
  command: string,
  input: HookInput,
  ours: Readonly<Record<string, string | undefined>>,
  report: Write,
): Promise<number> {
  const { spawn } = await import('node:child_process');
  const environment: Record<string, string> = {
    ...withoutOurCredentials(ours),
    VAULT_SECRET_NAME: input.name,
    VAULT_ENVIRONMENT: input.environment,
  };
  // Of a hook that we run in.
  for (const variable of Object.keys(environment))
    if (/^VAULT_(?:OLD|NEW)_VALUE$/iu.test(variable)) Reflect.deleteProperty(environment, variable);
  const needles = new Needles([input.value, ...(input.old === null ? [] : [input.old])]);
  const [shell, option] = process.platform === 'win32' ? ['cmd.exe', '/c'] : ['/bin/sh', '-c'];
  const descriptors: ('ignore' | number)[] = [];
  try {
    descriptors.push(input.old === null ? 'ignore' : passOn(environment, 'VAULT_OLD_VALUE', input.old, ours));
    descriptors.push(passOn(environment, 'VAULT_NEW_VALUE', input.value, ours));
    const child = spawn(shell, [option, command], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
      windowsVerbatimArguments: true,
    });
    const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    const drained = [child.stdout, child.stderr].map(async (stream) =>
      stream === null ? null : drainMasked(stream, needles, report),
    );
    const [[code, signal]] = await Promise.all([ended, ...drained]);
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new BackendError('a hook could not be started', { cause }, 'HOOK_FAILED');
  } finally {
    for (const slot of descriptors) if (typeof slot === 'number') closeSync(slot);
    needles.wipe();
  }
}

/** As a variable, or a descriptor for the child's slot. @throws UsageError where the system has no place in memory for it */
function passOn(
  environment: Record<string, string>,
  variable: string,
  bytes: Uint8Array,
  ours: Readonly<Record<string, string | undefined>>,
): 'ignore' | number {
  const text = Buffer.from(bytes).toString('utf8');
  if (bytes.length <= mostVariable && !bytes.includes(0) && Buffer.from(text).equals(bytes)) {
    environment[variable] = text;
    return 'ignore';
  }
  const descriptor = openInMemory(bytes, ours);
  if (descriptor === null)
    throw new UsageError(
      'the value cannot be an environment variable, and this system has no other way to hand it to a hook',
    );
  return descriptor;
}
