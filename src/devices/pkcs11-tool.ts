/**
 * OpenSC's `pkcs11-tool`, a program that loads the library of a token into a process of its own and does one thing with it.
 *
 * Invariants: it is looked for in the absolute folders of PATH only, and runs in the root folder, so that nothing of the folder where
 * somebody happens to be is run or loaded; a PIN is in the environment of that one process, never among arguments, in a file or in
 * an output; what it prints is matched and counted, never shown; it ends within its time.
 *
 * Known limits: the environment of a process can be read by its own user and by the superuser (/proc/PID/environ). pkcs11-tool takes
 * a PIN from there, from its arguments or from a terminal, and from nothing else.
 */
import path from 'node:path';
import { BackendError } from '../errors.ts';
import { concatBytes, wipe, type Bytes } from '../crypto/bytes.ts';
import { findProgram } from '../exec/find-program.ts';
import { withoutOurCredentials } from '../exec/variables.ts';

const program = 'pkcs11-tool';
/** Known to that child only. */
const pinVariable = 'VAULT_PKCS11_PIN';
const mostOutput = 1024 ** 2;
/** When somebody may have to be told to touch the device. */
const patience = 1_500;

export interface ToolOptions {
  /** Library to load; `null` for pkcs11-tool's own choice. */
  readonly module: string | null;
  /** The user's; our credentials are left out. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
}

export interface ToolRun {
  readonly args: readonly string[];
  readonly pin?: string | null;
  /** For standard input, borrowed. At most 1,024 bytes: pkcs11-tool reads once. */
  readonly input?: Bytes;
  /** Called once if it takes long enough that the device may wait for a touch. */
  readonly onWait?: (() => void) | undefined;
}

export interface ToolOutcome {
  readonly status: number;
  /** Standard output; caller wipes. */
  readonly output: Bytes;
  /** Standard error: to be matched, not to be shown. */
  readonly messages: string;
}

interface Ending {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Pkcs11Tool {
  readonly module: string | null;
  readonly #file: string;
  readonly #environment: Record<string, string>;
  readonly #timeoutMs: number;

  /** @throws BackendError if OpenSC is not installed */
  constructor({ module, environment, timeoutMs }: ToolOptions) {
    this.module = module;
    this.#file = findTool(environment);
    this.#environment = withoutOurCredentials(environment);
    // Its log would be in our way, and has been known to hold what goes to the card.
    delete this.#environment['OPENSC_DEBUG'];
    this.#timeoutMs = timeoutMs;
  }

  /** @throws BackendError if it cannot be started, takes too long, prints too much or dies */
  async run({ args, pin = null, input, onWait }: ToolRun): Promise<ToolOutcome> {
    const { spawn } = await import('node:child_process');
    const before = this.module === null ? [] : ['--module', this.module];
    const child = spawn(this.#file, [...before, ...args], {
      cwd: path.parse(this.#file).root,
      env: pin === null ? this.#environment : { ...this.#environment, [pinVariable]: pin },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const output: Buffer[] = [];
    const messages: Buffer[] = [];
    // It may end before it has read what it is given.
    child.stdin?.on('error', () => undefined).end(input);
    const waiting = onWait === undefined ? undefined : setTimeout(onWait, patience);
    let limit: NodeJS.Timeout | undefined;
    try {
      const { status, signal } = await new Promise<Ending>((resolve, reject) => {
        const stop = (why: string, hint: string): void => {
          child.kill('SIGKILL');
          // Not waited for: a process that hangs in a driver does not even die.
          child.stdout?.destroy();
          child.stderr?.destroy();
          child.unref();
          reject(new BackendError(why, { hint }));
        };
        let total = 0;
        const collect = (into: Buffer[]) => (chunk: Buffer) => {
          into.push(chunk);
          total += chunk.length;
          if (total > mostOutput) stop(`${program} printed too much`, 'check the PKCS#11 module');
        };
        child.stdout?.on('data', collect(output));
        child.stderr?.on('data', collect(messages));
        limit = setTimeout(() => {
          const seconds = this.#timeoutMs / 1_000;
          stop(
            `the device did not answer within ${seconds} s`,
            'touch it when it blinks, or plug it in again',
          );
        }, this.#timeoutMs);
        child.once('error', (cause) => {
          reject(
            new BackendError(`cannot run ${program}`, { cause, hint: 'check the installation of OpenSC' }),
          );
        });
        child.once('close', (code, killer) => resolve({ status: code, signal: killer }));
      });
      if (status === null)
        throw new BackendError(`${program} was ended by ${signal ?? 'a signal'}`, {
          hint: 'the PKCS#11 library may have crashed; try the same with pkcs11-tool alone',
        });
      return { status, output: concatBytes(...output), messages: Buffer.concat(messages).toString('utf8') };
    } finally {
      clearTimeout(limit);
      clearTimeout(waiting);
      wipe(...output);
    }
  }

  /** Arguments that log in; with no PIN the device asks for it itself. */
  static login(pin: string | null): string[] {
    return pin === null ? ['--login'] : ['--login', '--pin', `env:${pinVariable}`];
  }
}

function findTool(environment: ToolOptions['environment']): string {
  const absolute: Record<string, string> = {};
  for (const [name, value = ''] of Object.entries(environment)) {
    const kept = name.toUpperCase() === 'PATH' ? absoluteOnly(value) : value;
    // Without any folder the system's own are meant.
    if (kept !== '') absolute[name] = kept;
  }
  const found = findProgram(program, absolute, '/');
  if (found.path !== null) return found.path;
  throw new BackendError(`cannot use a PKCS#11 device: ${found.reason}`, {
    hint: 'install OpenSC (Debian, Ubuntu: apt install opensc; macOS: brew install opensc)',
  });
}

/** An empty or relative part of PATH means the folder that somebody happens to be in: a project, perhaps not theirs. */
function absoluteOnly(folders: string): string {
  return folders
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder))
    .join(path.delimiter);
}
