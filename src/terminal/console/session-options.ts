/** What a console is given: the terminal, the time, and what others would have said there. */
import type { Clocks } from './countdown.ts';

export interface Diversion {
  readonly tell: (message: string) => void;
  readonly print: (bytes: Uint8Array) => void;
}

export interface SessionOptions extends Clocks {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  readonly colours: boolean;
  /** Told where messages and the output of hooks go while the console has the terminal; `null` gives them back. */
  readonly divert: (to: Diversion | null) => void;
}
