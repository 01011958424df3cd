/** What a person would see at a pseudo-terminal: all that a program writes, carried out by a terminal emulator. */
import { Terminal } from '@xterm/headless';
import type { PseudoTerminal } from './pseudo-terminal.ts';

export class TerminalScreen {
  readonly #emulator: Terminal;
  readonly #terminal: PseudoTerminal;
  #changed: () => void = () => undefined;
  #modes = new Set<string>();

  constructor(terminal: PseudoTerminal, rows = 24, columns = 80) {
    this.#terminal = terminal;
    this.#emulator = new Terminal({ rows, cols: columns, scrollback: 10_000, allowProposedApi: true });
    // The emulator does not tell whether the cursor is shown.
    for (const [final, isSet] of [
      ['h', true],
      ['l', false],
    ] as const)
      this.#emulator.parser.registerCsiHandler({ prefix: '?', final }, (parameters) => {
        for (const mode of parameters)
          if (isSet) this.#modes.add(String(mode));
          else this.#modes.delete(String(mode));
        return false;
      });
    this.#modes.add('25');
    terminal.watcher = (text) => {
      this.#emulator.write(text, () => {
        this.#changed();
      });
    };
  }

  /** Whether the program has a screen of its own, which leaves nothing behind. */
  get isAlternate(): boolean {
    return this.#emulator.buffer.active.type === 'alternate';
  }

  get hasCursor(): boolean {
    return this.#modes.has('25');
  }

  /** Whether pasted text is marked as such. */
  get marksPaste(): boolean {
    return this.#modes.has('2004');
  }

  /** Lines as they stand on the screen. */
  get lines(): readonly string[] {
    const { active } = this.#emulator.buffer;
    return Array.from(
      { length: this.#emulator.rows },
      (_, row) =>
        active.getLine(active.viewportY + row)?.translateToString(true, 0, this.#emulator.cols) ?? '',
    );
  }

  get text(): string {
    return this.lines.join('\n');
  }

  /** All that scrolling back would show, on the screen that shells use. */
  get scrollback(): string {
    const { normal } = this.#emulator.buffer;
    return Array.from(
      { length: normal.length },
      (_, row) => normal.getLine(row)?.translateToString(true) ?? '',
    ).join('\n');
  }

  resize(rows: number, columns: number): void {
    this.#emulator.resize(columns, rows);
    this.#terminal.resize(rows, columns);
  }

  type(keys: string): void {
    this.#terminal.type(keys);
  }

  /** Everything that was written has been carried out. */
  async settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#emulator.write('', resolve);
    });
  }

  /** Waits until the screen is like this. @returns its text then */
  async until(what: RegExp | ((text: string) => boolean), waitMs = 20_000): Promise<string> {
    const end = Date.now() + waitMs;
    for (;;) {
      const { text } = this;
      if (typeof what === 'function' ? what(text) : what.test(text)) return text;
      const left = end - Date.now();
      if (left <= 0) throw new Error(`the screen never was like ${String(what)}:\n${text}`);
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#changed = resolve;
        }),
        new Promise<void>((resolve) => {
          timer = setTimeout(resolve, left);
        }),
      ]);
      clearTimeout(timer);
    }
  }
}
