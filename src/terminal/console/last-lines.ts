/** The last lines of what something prints, out of bytes that come in pieces; told now and then, however fast they come. */

const mostLines = 3;
const longest = 500;
const everyMs = 50;

export class LastLines {
  readonly #tell: (lines: readonly string[]) => void;
  #decoder = new TextDecoder();
  #lines: string[] = [];
  /** What comes after the last line break. */
  #open = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (lines: readonly string[]) => void) {
    this.#tell = tell;
  }

  push(bytes: Uint8Array): void {
    const pieces = (this.#open + this.#decoder.decode(bytes, { stream: true })).split(/\r?\n|\r(?!$)/u);
    this.#open = (pieces.pop() ?? '').slice(0, longest);
    const whole = pieces.map((line) => line.replaceAll('\t', '  ').trimEnd().slice(0, longest));
    this.#lines = [...this.#lines, ...whole.filter((line) => line !== '')].slice(-mostLines);
    this.#timer ??= setTimeout(() => {
      this.flush();
    }, everyMs);
  }

  /** Tell at once what was not told yet. */
  flush(): void {
    if (this.#timer === undefined) return;
    this.#stop();
    const open = this.#open.trimEnd();
    this.#tell((open === '' ? this.#lines : [...this.#lines, open]).slice(-mostLines));
  }

  /** Forget all of it. */
  clear(): void {
    this.#stop();
    this.#decoder = new TextDecoder();
    this.#lines = [];
    this.#open = '';
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
