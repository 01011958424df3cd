/** A run of the binary that goes on, and what it has printed so far. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { binary } from '../binary-is-built.ts';
import type { BinaryVault, Variables } from './binary-vault.ts';

export class Following {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #output = '';
  #errors = '';
  #ended: number | null = null;

  constructor(vault: BinaryVault, args: readonly string[], env: Variables = {}) {
    const options = { env: vault.environment(env), cwd: vault.folder } as const;
    this.#child = spawn(binary, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    this.#child.on('close', (status, signal) => {
      this.#ended = status ?? 128 + (signal === null ? 0 : constants.signals[signal]);
    });
  }

  get errors(): string {
    return this.#errors;
  }

  /** Whole lines so far. */
  get lines(): string[] {
    return this.#output.split('\n').slice(0, -1);
  }

  /** The first line like this one, now or later. @throws if the program ends without it */
  async line(isWanted: (line: string) => boolean): Promise<string> {
    for (;;) {
      const found = this.lines.find(isWanted);
      if (found !== undefined) return found;
      if (this.#ended !== null)
        throw new Error(`it ended (${this.#ended}) without the line: ${this.#errors}`);
      await Promise.race([once(this.#child.stdout, 'data'), once(this.#child, 'close')]);
    }
  }

  /** Whoever reads its output goes away. */
  stopReading(): void {
    this.#child.stdout.destroy();
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  /** @returns its exit status, as a shell has it */
  async end(): Promise<number> {
    if (this.#ended === null) await once(this.#child, 'close');
    return this.#ended ?? -1;
  }
}
