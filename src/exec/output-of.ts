/** Run a shell command for what it prints: passphrase commands, generators. Its standard error stays the person's. */
import { BackendError } from '../errors.ts';

export interface CommandOutput {
  readonly status: number;
  /** Caller wipes. */
  readonly output: Uint8Array<ArrayBuffer>;
}

const mostOutput = 16 * 1024 ** 2;

/** `sh -c COMMAND` (`cmd /c` on Windows). @throws BackendError if it cannot be started or prints too much */
export async function runForOutput(
  command: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<CommandOutput> {
  const { spawnSync } = await import('node:child_process');
  const [shell, option] = process.platform === 'win32' ? ['cmd.exe', '/c'] : ['/bin/sh', '-c'];
  const result = spawnSync(shell, [option, command], {
    env: { ...environment },
    stdio: ['inherit', 'pipe', 'inherit'],
    maxBuffer: mostOutput,
  });
  if (result.error !== undefined) throw new BackendError('cannot run the command', { cause: result.error });
  const output = Uint8Array.from(result.stdout);
  result.stdout.fill(0);
  return { status: result.status ?? 128, output };
}
