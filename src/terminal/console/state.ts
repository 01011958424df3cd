/** What the console is at a moment. */
import { safeText } from '../safe-text.ts';
import type { ConsoleData, SecretRow, ShownValue, TrailRow } from './data.ts';

export const tabs = ['all', 'due', 'expiring'] as const;
export type Tab = (typeof tabs)[number];

/** What a person waits for. One thing at a time. */
export type Work = 'opening' | 'copying' | 'rotating' | 'reading again';

export interface State {
  readonly data: ConsoleData;
  readonly tab: Tab;
  readonly filter: string;
  readonly mode: 'list' | 'search' | 'confirm' | 'help';
  /** Place of the selected secret among those that are visible. */
  readonly index: number;
  /** Whether the trail is that of the whole vault. */
  readonly isWholeTrail: boolean;
  /** A trail, and of which secret, by its key; `null` is the whole vault. */
  readonly trail: { readonly key: string | null; readonly rows: readonly TrailRow[] } | null;
  readonly shown: {
    readonly key: string;
    readonly value: ShownValue;
    readonly secondsLeft: number;
  } | null;
  readonly message: string;
  readonly isError: boolean;
  /** What is being done. */
  readonly busy: Work | null;
  /** While a question is on the screen: the secret that it is about, as it was then. */
  readonly asked: SecretRow | null;
  /** The last lines that a hook has printed. */
  readonly printed: readonly string[];
  /** Secrets that fit on the screen. */
  readonly page: number;
}

export const revealSeconds = 10;

/** Secrets of the tab that match what is searched for. */
export function visible({ data, tab, filter }: State): readonly SecretRow[] {
  if (tab === 'all' && filter === '') return data.secrets;
  const words = filter.toLowerCase().split(/\s+/u);
  const matches = ({ name, environment, type, remarks }: SecretRow): boolean => {
    const text = [name, environment, type, ...remarks].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  };
  if (tab === 'all') return data.secrets.filter(matches);
  const byKey = new Map(data.secrets.map((secret) => [secret.key, secret]));
  return data[tab].flatMap((key) => byKey.get(key) ?? []).filter(matches);
}

export function selected(state: State): SecretRow | null {
  return visible(state)[state.index] ?? null;
}

/** The one way of anything that was said elsewhere to the screen: nothing in it commands the terminal. */
export const tell = (state: State, message: string, isError = false): State => ({
  ...state,
  message: safeText(message),
  isError,
});

/** The same for lines. */
export const print = (state: State, lines: readonly string[]): State => ({
  ...state,
  printed: lines.map(safeText),
});
