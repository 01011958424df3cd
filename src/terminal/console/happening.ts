/** What happens to the console, and what it wants done in the world. */
import type { ConsoleData, SecretRow, ShownValue, TrailRow } from './data.ts';
import type { State, Work } from './state.ts';

export type Happening =
  /** A character, or the name of a key in angle brackets. */
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'paste'; readonly text: string }
  | { readonly type: 'page'; readonly rows: number }
  | { readonly type: 'loaded'; readonly data: ConsoleData }
  | { readonly type: 'trail'; readonly key: string | null; readonly rows: readonly TrailRow[] }
  | { readonly type: 'revealed'; readonly key: string; readonly value: ShownValue }
  | { readonly type: 'seconds'; readonly left: number }
  | { readonly type: 'told'; readonly message: string; readonly isError: boolean }
  /** What something that runs for us has printed: the last lines of it. */
  | { readonly type: 'printed'; readonly lines: readonly string[] }
  /** The end of something that was done; `null` is work that nobody waited for. */
  | { readonly type: 'ended'; readonly work: Work | null };

export type Effect =
  | { readonly type: 'load'; readonly asked: boolean }
  | { readonly type: 'trail'; readonly secret: SecretRow | null }
  | { readonly type: 'reveal' | 'copy' | 'rotate'; readonly secret: SecretRow }
  | { readonly type: 'count' }
  | { readonly type: 'wipe'; readonly value: ShownValue }
  | { readonly type: 'quit' | 'suspend' | 'redraw' };

/** An effect that takes its time. */
export type Action = Extract<Effect, { readonly type: 'load' | 'reveal' | 'copy' | 'rotate' }>;

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** What a person waits for while it is done; `null` where nobody has asked for it. */
export function workOf(action: Action): Work | null {
  if (action.type === 'load') return action.asked ? 'reading again' : null;
  return works[action.type];
}

const works = { reveal: 'opening', copy: 'copying', rotate: 'rotating' } as const;

/** With an action begun that somebody waits for. */
export const doing = (state: State, action: Action): Step => only({ ...state, busy: workOf(action) }, action);

export const only = (state: State, ...effects: Effect[]): Step => ({ state, effects });
