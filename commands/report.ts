/** What a command shows: data on standard output, everything else on standard error. */
import { BackendError } from '../src/errors.ts';
import type { ChildKeeper } from '../src/exec/child-keeper.ts';
import type { FileSystem } from '../src/storage/file-system.ts';
import { coloursAllowed, styleFor, type Style } from '../src/terminal/style.ts';
import { renderPairs, renderTable, safeText } from '../src/terminal/table.ts';
import { openProgress, type Progress } from '../src/terminal/progress.ts';
import { errorIsTerminal, outputIsTerminal, say, writeError, writeOutput } from '../src/terminal/streams.ts';
import type { Place } from '../src/vault/place.ts';
import { monotonic } from '../src/vault/system-place.ts';

/** Options that every command has. */
export interface GlobalOptions {
  readonly vault?: string;
  readonly env?: string;
  readonly as?: string;
  readonly keyFile?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly input?: boolean;
  readonly color?: boolean;
  readonly debug?: boolean;
}

/** The process as the program was given it; read once, at the start. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly fs: FileSystem;
  readonly acquireLock: Place['acquireLock'];
  readonly operation: string;
  /** Undo what this process set for itself, before another program takes its place. */
  readonly beforeReplacement: () => void;
  /** How to start this program again: its file, and what comes before its own arguments. */
  readonly self: readonly string[];
}

/** Who takes what is said while somebody has the terminal for himself. */
export interface Diversion {
  readonly tell: (message: string) => void;
  /** Takes what children print for people, as it comes. */
  readonly print: (bytes: Uint8Array) => void;
}

/** Data as `--json` shows it. */
export const jsonText = (data: unknown): string => `${escapedJson(JSON.stringify(data, null, 2))}\n`;

/** The same JSON, with escapes for what JSON lets stand and a terminal would obey. */
export function escapedJson(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export class Report {
  readonly globals: GlobalOptions;
  readonly host: Host;
  #diversion: Diversion | null = null;
  #keeper: ChildKeeper | null = null;

  constructor(globals: GlobalOptions, host: Host) {
    this.globals = globals;
    this.host = host;
  }

  get json(): boolean {
    return this.globals.json === true;
  }

  get quiet(): boolean {
    return this.globals.quiet === true;
  }

  now(): Date {
    return new Date();
  }

  /** Where messages go from now on; `null` for standard error. */
  divert(to: Diversion | null): void {
    this.#diversion = to;
  }

  #tell(message: string): void {
    (this.#diversion?.tell ?? say)(message);
  }

  /** Who keeps children from the terminal; `null` where they may use it. */
  get keeper(): ChildKeeper | null {
    return this.#keeper;
  }

  /** From now on children are kept from the terminal, for good: also once it was given back. */
  keepChildren(keeper: ChildKeeper): void {
    this.#keeper = keeper;
  }

  /** A message for the person, unless they asked for quiet. */
  inform(message: string): void {
    if (!this.quiet) this.#tell(message);
  }

  warn(message: string): void {
    this.#tell(`warning: ${message}`);
  }

  /** @returns false if whoever read it has gone */
  output(data: string | Uint8Array): boolean {
    return writeOutput(data);
  }

  /** How far something long has come, for a person who watches. */
  progress(): Progress {
    return openProgress(!this.quiet, monotonic);
  }

  /** A writer for a child's output that passes through us. A reader that has gone is an EPIPE, as the child would have met it. */
  writeTo(stream: 'output' | 'error'): (bytes: Uint8Array) => Promise<void> {
    return async (bytes) => {
      if (stream === 'error') (this.#diversion?.print ?? writeError)(bytes);
      else if (!writeOutput(bytes)) throw Object.assign(new Error('closed pipe'), { code: 'EPIPE' });
      return Promise.resolve();
    };
  }

  /** Data as JSON, for scripts. */
  outputJson(data: unknown): void {
    writeOutput(jsonText(data));
  }

  /**
   * Something that is shown once on standard output, after the change that it belongs to was made.
   * @throws BackendError with this hint where it reached nobody
   */
  outputOnce(data: string | Uint8Array, hint: string): void {
    const message =
      'the change was made, but what is shown once reached nobody: standard output is closed or full';
    let cause: unknown;
    try {
      if (writeOutput(data)) return;
    } catch (error) {
      cause = error;
    }
    throw new BackendError(message, { cause, hint });
  }

  /** Something that is shown once, on the terminal's side of things: never on standard output. */
  showOnce(text: string): void {
    writeError(text);
  }

  /** A name in a message. */
  shown(name: string): string {
    return safeText(JSON.stringify(name));
  }

  /** A name on standard output: as it is for a program, safe for a terminal. */
  forOutput(name: string): string {
    return outputIsTerminal() ? safeText(name) : name;
  }

  day(time: string): string {
    return time.slice(0, 10);
  }

  /** A time for people: to the second, in UTC. */
  moment(time: string): string {
    return `${time.slice(0, 10)} ${time.slice(11, 19)}Z`;
  }

  /** Text that may have anything in it, for people. */
  forTerminal(text: string): string {
    return safeText(text);
  }

  /** Colours of standard output, where there is a person to see them. */
  async style(): Promise<Style> {
    return styleFor(outputIsTerminal() && coloursAllowed(this.host.env, this.globals.color !== false));
  }

  async table(head: readonly string[], rows: readonly (readonly string[])[]): Promise<void> {
    const style = await this.style();
    writeOutput(await renderTable(head.map(style.heading), rows));
  }

  pairs(pairs: readonly (readonly [string, string])[]): void {
    writeOutput(renderPairs(pairs));
  }

  /** A value as members of a JSON object: text, or base64 where it is not UTF-8. */
  jsonValue(bytes: Uint8Array): { value: string } | { valueBase64: string } {
    try {
      return { value: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
    } catch {
      return { valueBase64: Buffer.from(bytes).toString('base64') };
    }
  }

  /** A word in time. @param daysLeft `null` while there is time enough */
  warnOfExpiry(name: string, daysLeft: number | null): void {
    if (daysLeft === null) return;
    const when = daysLeft <= 0 ? 'has expired' : `expires in ${daysLeft} ${daysLeft === 1 ? 'day' : 'days'}`;
    this.warn(`${this.shown(name)} ${when}`);
  }

  get outputIsTerminal(): boolean {
    return outputIsTerminal();
  }

  get errorIsTerminal(): boolean {
    return errorIsTerminal();
  }
}
