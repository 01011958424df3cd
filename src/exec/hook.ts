/**
 * A hook: a shell command that brings a new value to where it is used, checks it there, or takes it back. It gets both values through its
 * environment, or on descriptors where they cannot be variables; never as arguments. What it prints is passed on, masked.
 */
import { closeSync } from 'node:fs';
import { BackendError, InterruptedError, UsageError } from '../errors.ts';
import type { ChildKeeper } from './child-keeper.ts';
import { drainMasked, type Write } from './child-stdio.ts';
import { Needles } from './mask.ts';
import { openInMemory } from './memory-storage.ts';
import { runShell } from './shell.ts';
import { withoutOurCredentials } from './variables.ts';

export interface HookInput {
  readonly name: string;
  readonly environment: string;
  /** Borrowed; `null` for who cannot read it. */
  readonly old: Uint8Array | null;
  /** Borrowed. */
  readonly value: Uint8Array;
}

/** What hooks run in. */
export interface HookSurroundings {
  /** Our environment; they get none of our credentials. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Takes what they print, masked. */
  readonly report: Write;
  /** Ends them in time; `null` where they may share our terminal and outlive us. */
  readonly keeper: ChildKeeper | null;
  /** The folder that they run in; ours, if there is none. */
  readonly cwd?: string | undefined;
}

/** Most bytes of one variable on Linux, its name and `=` included (MAX_ARG_STRLEN). */
const mostVariable = 128 * 1024 - 64;

/**
 * `sh -c COMMAND` (`cmd /c` on Windows).
 * @returns its exit status, 128 + N where signal N ended it @throws BackendError if it cannot be started; InterruptedError if it was ended
 */
export async function runHook(
  command: string,
  input: HookInput,
  { environment: ours, report, keeper, cwd }: HookSurroundings,
): Promise<number> {
  const environment: Record<string, string> = {
    ...withoutOurCredentials(ours),
    VAULT_SECRET_NAME: input.name,
    VAULT_ENVIRONMENT: input.environment,
  };
  // Of a hook that we run in.
  for (const variable of Object.keys(environment))
    if (/^VAULT_(?:OLD|NEW)_VALUE$/iu.test(variable)) Reflect.deleteProperty(environment, variable);
  const needles = new Needles([input.value, ...(input.old === null ? [] : [input.old])]);
  const descriptors: ('ignore' | number)[] = [];
  try {
    descriptors.push(input.old === null ? 'ignore' : passOn(environment, 'VAULT_OLD_VALUE', input.old, ours));
    descriptors.push(passOn(environment, 'VAULT_NEW_VALUE', input.value, ours));
    const stdio = ['ignore', 'pipe', 'pipe', ...descriptors] as const;
    return await runShell(command, { environment, stdio, keeper, cwd }, ({ stdout, stderr }) =>
      [stdout, stderr].flatMap((stream) => (stream === null ? [] : [drainMasked(stream, needles, report)])),
    );
  } catch (cause) {
    if (cause instanceof UsageError || cause instanceof InterruptedError) throw cause;
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
