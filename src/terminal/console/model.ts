/**
 * What the console is at a moment, and what becomes of it: a pure function of what happens. What is to be done in the world comes out as
 * effects. Invariant: a value is shown for the selected secret alone; when it is not shown any more, an effect says to wipe it.
 */
import type { ConsoleData, SecretRow, ShownValue, TrailRow } from './data.ts';
import { revealSeconds, selected, tabs, visible, type State } from './state.ts';

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
  /** The end of what was being done. */
  | { readonly type: 'ended' };

export type Effect =
  | { readonly type: 'load'; readonly asked: boolean }
  | { readonly type: 'trail'; readonly secret: SecretRow | null }
  | { readonly type: 'reveal' | 'copy' | 'rotate'; readonly secret: SecretRow }
  | { readonly type: 'count' }
  | { readonly type: 'wipe'; readonly value: ShownValue }
  | { readonly type: 'quit' | 'suspend' | 'redraw' };

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

export function begin(data: ConsoleData): Step {
  const state: State = {
    data,
    tab: 'all',
    filter: '',
    mode: 'list',
    index: 0,
    isWholeTrail: false,
    trail: null,
    shown: null,
    message: data.problem ?? '',
    isError: data.problem !== null,
    busy: null,
    page: 10,
  };
  return { state, effects: trailOf(state) };
}

function trailOf(state: State): Effect[] {
  if (state.isWholeTrail) return [{ type: 'trail', secret: null }];
  const secret = selected(state);
  return secret === null ? [] : [{ type: 'trail', secret }];
}

/** What follows from something that happened. */
export function update(before: State, happening: Happening): Step {
  const step = next(before, happening);
  return settle(before, step);
}

/** A value that should not be shown any more is taken away; the trail of what was selected is asked for. */
function settle(before: State, { state, effects }: Step): Step {
  const key = selected(state)?.key;
  const isKept = state.shown === null || (state.shown.key === key && state.mode === 'list');
  const gone = before.shown !== null && (!isKept || before.shown !== state.shown) ? before.shown.value : null;
  const kept = isKept ? state : { ...state, shown: null };
  const isOther = selected(before)?.key !== key || before.isWholeTrail !== state.isWholeTrail;
  return {
    state: kept,
    effects: [
      ...effects,
      ...(gone === null || gone === kept.shown?.value ? [] : [{ type: 'wipe', value: gone } as const]),
      ...(isOther ? trailOf(kept) : []),
    ],
  };
}

const only = (state: State, ...effects: Effect[]): Step => ({ state, effects });

function next(state: State, happening: Happening): Step {
  switch (happening.type) {
    case 'key':
      return pressed(state, happening.key);
    case 'paste':
      // What is pasted is text, never commands.
      return state.mode === 'search'
        ? only(search(state, state.filter + oneLine(happening.text)))
        : only(state);
    case 'page':
      return only({ ...state, page: happening.rows });
    case 'loaded':
      return loaded(state, happening.data);
    case 'trail':
      return only({ ...state, trail: { key: happening.key, rows: happening.rows } });
    case 'revealed':
      return revealed(state, happening.key, happening.value);
    case 'seconds':
      if (state.shown === null) return only(state);
      return happening.left <= 0
        ? only({ ...state, shown: null })
        : only({ ...state, shown: { ...state.shown, secondsLeft: happening.left } });
    case 'told':
      return only(tell(state, happening.message, happening.isError));
    case 'ended':
    default:
      return only({ ...state, busy: null });
  }
}

const tell = (state: State, message: string, isError = false): State => ({ ...state, message, isError });

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}

function loaded(state: State, data: ConsoleData): Step {
  const key = selected(state)?.key;
  const now = { ...state, data };
  const place = visible(now).findIndex((secret) => secret.key === key);
  const there = place >= 0 ? { ...now, index: place } : clamp(now, state.index);
  const told = data.problem === null ? there : tell(there, data.problem, true);
  return only(told, ...trailOf(told));
}

function revealed(state: State, key: string, value: ShownValue): Step {
  const secret = selected(state);
  if (secret?.key !== key || state.mode !== 'list')
    return only(tell(state, 'not shown: another one was chosen meanwhile'), { type: 'wipe', value });
  const shown = { key, value, secondsLeft: revealSeconds };
  const isNewer = value.version !== secret.version;
  return only(
    { ...state, shown, busy: null },
    { type: 'count' },
    ...trailOf(state),
    ...(isNewer ? [{ type: 'load', asked: false } as const] : []),
  );
}

function clamp(state: State, index: number): State {
  const last = visible(state).length - 1;
  return { ...state, index: Math.max(0, Math.min(index, last)) };
}

/** Other secrets are visible now: the selected one stays so if it is among them. */
function narrowed(state: State, change: Partial<State>): State {
  const key = selected(state)?.key;
  const now = { ...state, ...change };
  return {
    ...now,
    index: Math.max(
      0,
      visible(now).findIndex((secret) => secret.key === key),
    ),
  };
}

const search = (state: State, filter: string): State => narrowed(state, { filter });

function pressed(state: State, key: string): Step {
  if (key === '<ctrl-c>') return only(state, { type: 'quit' });
  if (key === '<ctrl-z>') return only({ ...state, shown: null }, { type: 'suspend' });
  if (key === '<ctrl-l>') return only(state, { type: 'redraw' });
  switch (state.mode) {
    case 'help':
      return only({ ...state, mode: 'list' });
    case 'confirm':
      return answered(state, key);
    case 'search':
      return typed(state, key);
    case 'list':
    default:
      return commanded(tell(state, ''), key);
  }
}

function answered(state: State, key: string): Step {
  const secret = selected(state);
  const asked: State = { ...state, mode: 'list' };
  if (secret === null || !/^y$/iu.test(key)) return only(tell(asked, 'not rotated'));
  return only({ ...asked, busy: 'rotating' }, { type: 'rotate', secret });
}

function typed(state: State, key: string): Step {
  switch (key) {
    case '<escape>':
      return only({ ...search(state, ''), mode: 'list' });
    case '<enter>':
      return only({ ...state, mode: 'list' });
    case '<backspace>':
      return only(search(state, Array.from(state.filter).slice(0, -1).join('')));
    case '<ctrl-u>':
      return only(search(state, ''));
    default:
      if (key.startsWith('<') && key.length > 1) return only(moved(state, key) ?? state);
      return only(search(state, state.filter + key));
  }
}

/** The selection after a key that moves it, or `null` for another key. */
function moved(state: State, key: string): State | null {
  const { index, page } = state;
  const places: Readonly<Record<string, number>> = {
    '<up>': index - 1,
    '<down>': index + 1,
    '<pageup>': index - page,
    '<pagedown>': index + page,
    '<home>': 0,
    '<end>': Number.MAX_SAFE_INTEGER,
  };
  const place = places[key];
  return place === undefined ? null : clamp(state, place);
}

const sameAs: Readonly<Record<string, string>> = {
  k: '<up>',
  j: '<down>',
  g: '<home>',
  G: '<end>',
  '<right>': '<tab>',
  '<left>': '<backtab>',
  v: '<enter>',
  '<ctrl-r>': 'R',
};

function commanded(state: State, given: string): Step {
  const key = sameAs[given] ?? given;
  const there = moved(state, key);
  if (there !== null) return only(there);
  switch (key) {
    case '<tab>':
    case '<backtab>': {
      const place = tabs.indexOf(state.tab) + (key === '<tab>' ? 1 : tabs.length - 1);
      return only(narrowed(state, { tab: tabs[place % tabs.length] ?? 'all' }));
    }
    case '/':
      return only({ ...state, mode: 'search' });
    case '<escape>':
      return only(state.shown === null ? search(state, '') : { ...state, shown: null });
    case 'a':
      return only({ ...state, isWholeTrail: !state.isWholeTrail });
    case '?':
      return only({ ...state, mode: 'help' });
    case 'q':
      return only(state, { type: 'quit' });
    default:
      return state.busy === null ? acted(state, key) : only(state);
  }
}

/** Keys that do something with the vault. */
function acted(state: State, key: string): Step {
  if (key === 'R') return only({ ...state, busy: 'reading again' }, { type: 'load', asked: true });
  const secret = selected(state);
  if (!['<enter>', 'c', 'r'].includes(key)) return only(state);
  if (secret === null) return only(tell(state, 'no secret is selected'));
  if (key === 'c') return only({ ...state, busy: 'copying' }, { type: 'copy', secret });
  if (key === 'r') return only({ ...state, mode: 'confirm' });
  if (state.shown !== null) return only({ ...state, shown: null });
  return only({ ...state, busy: 'opening' }, { type: 'reveal', secret });
}
