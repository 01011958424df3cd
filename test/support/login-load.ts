/** Clients that log in again and again with what `vault exec` hands them, while something is rotated. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { binary } from '../binary-is-built.ts';
import type { BinaryVault, Variables } from './binary-vault.ts';

interface Login {
  readonly began: number;
  readonly ended: number;
  readonly ok: boolean;
}

export class LoginLoad {
  readonly logins: Login[] = [];
  readonly #clients: Promise<void>[] = [];
  readonly #rounds: number[];
  #stopped = false;

  /** @param args of `vault`, down to the program that logs in */
  constructor(vault: BinaryVault, clients: number, args: readonly string[], env: Variables) {
    this.#rounds = Array.from({ length: clients }, () => 0);
    for (let client = 0; client < clients; client++) this.#clients.push(this.#run(vault, client, args, env));
  }

  async #run(vault: BinaryVault, client: number, args: readonly string[], env: Variables): Promise<void> {
    while (!this.#stopped) {
      const began = performance.now();
      const child = spawn(binary, args, {
        env: vault.environment(env),
        cwd: vault.folder,
        stdio: ['ignore', 'ignore', 'ignore'],
      });
      const [code] = (await once(child, 'close')) as [number | null];
      this.logins.push({ began, ended: performance.now(), ok: code === 0 });
      this.#rounds[client] = (this.#rounds[client] ?? 0) + 1;
    }
  }

  /** Every client has begun anew since this call, and come to an end. */
  async turn(): Promise<void> {
    const before = [...this.#rounds];
    while (this.#rounds.some((round, client) => round < (before[client] ?? 0) + 2))
      await new Promise((resolve) => setTimeout(resolve, 5));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  /** Logins that failed, but for those that a span of time overlaps. */
  failuresOutside(spans: readonly (readonly [number, number])[]): Login[] {
    return this.logins.filter(
      ({ ok, began, ended }) => !ok && !spans.some(([from, to]) => began <= to && ended >= from),
    );
  }
}
