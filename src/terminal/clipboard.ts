/**
 * The clipboard, through whatever the desktop offers: a program for it, else the terminal's own escape sequence (OSC 52). The value goes
 * through a pipe, never through arguments.
 *
 * After a while a copy of this program compares and clears: it knows the value's digest only, and leaves alone what was copied since.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { BackendError, UsageError } from '../errors.ts';

interface Tool {
  readonly copy: readonly string[];
  readonly paste: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

export const clearAfterSeconds = 45;

/** Programs to try here, best first. */
function tools(environment: Environment): Tool[] {
  if (process.platform === 'darwin') return [{ copy: ['pbcopy'], paste: ['pbpaste'] }];
  if (process.platform === 'win32') {
    return [
      { copy: ['clip.exe'], paste: ['powershell.exe', '-NoProfile', '-Command', 'Get-Clipboard -Raw'] },
    ];
  }
  const found: Tool[] = [];
  if (environment['WAYLAND_DISPLAY']) found.push({ copy: ['wl-copy'], paste: ['wl-paste', '--no-newline'] });
  if (environment['DISPLAY']) {
    found.push({
      copy: ['xclip', '-selection', 'clipboard'],
      paste: ['xclip', '-selection', 'clipboard', '-o'],
    });
    found.push({ copy: ['xsel', '--clipboard', '--input'], paste: ['xsel', '--clipboard', '--output'] });
  }
  return found;
}

async function run(
  words: readonly string[],
  environment: Environment,
  input: Uint8Array | null,
): Promise<Buffer | null> {
  const { spawnSync } = await import('node:child_process');
  const [program = '', ...args] = words;
  const stdio: ('pipe' | 'ignore')[] = [
    input === null ? 'ignore' : 'pipe',
    input === null ? 'pipe' : 'ignore',
    'ignore',
  ];
  const result = spawnSync(program, args, {
    env: { ...environment },
    stdio,
    ...(input === null ? {} : { input }),
  });
  if (result.error !== undefined || result.status !== 0) return null;
  return input === null ? result.stdout : Buffer.alloc(0);
}

/** How it went: by a program, which can be asked again and cleared, or by the terminal, which cannot. */
export type Copied = 'program' | 'terminal';

/** @throws BackendError where there is no clipboard; UsageError for a value that is too long for a terminal */
export async function copyToClipboard(value: Uint8Array, environment: Environment): Promise<Copied> {
  for (const tool of tools(environment))
    if ((await run(tool.copy, environment, value)) !== null) return 'program';
  if (value.length > 74_994) throw new UsageError('the value is too long for the terminal’s clipboard');
  let terminal: number;
  try {
    terminal = openSync('/dev/tty', 'w');
  } catch (cause) {
    throw new BackendError('there is no clipboard here: no program for it, and no terminal', { cause });
  }
  try {
    writeSync(terminal, `\u001b]52;c;${Buffer.from(value).toString('base64')}\u0007`);
  } finally {
    closeSync(terminal);
  }
  return 'terminal';
}

/** Start a copy of this program that clears the clipboard later, if the value is still there. */
export async function clearLater(
  value: Uint8Array,
  environment: Environment,
  self: readonly string[],
): Promise<void> {
  const [{ spawn }, { hash }] = await Promise.all([import('node:child_process'), import('node:crypto')]);
  const [program = process.execPath, ...args] = self;
  const child = spawn(program, [...args, 'clear-clipboard'], {
    env: { ...environment },
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    child.stdin.on('error', () => {
      resolve();
    });
    child.stdin.end(hash('sha256', value, 'hex'), () => {
      resolve();
    });
  });
  child.unref();
}

/** Clear every clipboard that still holds a value with this digest (SHA-256, hexadecimal). */
export async function clearIfUnchanged(digest: string, environment: Environment): Promise<void> {
  const { hash } = await import('node:crypto');
  for (const tool of tools(environment)) {
    const present = await run(tool.paste, environment, null);
    if (present !== null && hash('sha256', present, 'hex') === digest) {
      await run(tool.copy, environment, new Uint8Array(0));
      present.fill(0);
    }
  }
}
