/** A real Redis server of a test's own, on a socket in its folder, from Debian's package. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { debianPackages } from './debian-packages.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Why tests that need it cannot run here; `null` if they can. */
export async function redisMissing(): Promise<string | null> {
  return debianPackages({ 'redis-server': ['sh', '-c', 'redis-server --version && redis-cli --version'] });
}

export class Redis {
  readonly socket: string;
  readonly #process: ChildProcess;

  private constructor(socket: string, process_: ChildProcess) {
    this.socket = socket;
    this.#process = process_;
  }

  /** A server whose default user has this password. */
  static async start(password: string): Promise<Redis> {
    const folder = temporaryFolder();
    const socket = path.join(folder, 'socket');
    const options = ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder];
    const server = spawn('redis-server', [...options, '--requirepass', password], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const redis = new Redis(socket, server);
    // It says when it takes connections.
    for await (const line of createInterface({ input: server.stdout }))
      if (line.includes('ready to accept connections')) return redis;
    throw new Error('redis-server ended');
  }

  /** Whether a user can log in by this password. */
  accepts(password: string, user = 'default'): boolean {
    return this.#run(password, ['--user', user, 'ping']) === 'PONG\n';
  }

  /** As the default user. @returns what the server answers */
  command(password: string, ...words: readonly string[]): string {
    return this.#run(password, words);
  }

  #run(password: string, words: readonly string[]): string {
    const env = { PATH: process.env['PATH'] ?? '', REDISCLI_AUTH: password };
    const args = ['-s', this.socket, '--no-auth-warning', ...words];
    return execFileSync('redis-cli', args, { env, stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}
