/** What a key does, or pasted text. */
import { doing, only, type Step } from './happening.ts';
import { selected, tabs, tell, visible, type State } from './state.ts';

/** Text, never commands. */
export function pasted(state: State, text: string): State {
  const line = text.replace(/\p{Cc}+/gu, ' ').trim();
  return state.mode === 'search' ? search(state, state.filter + line) : state;
}

export function clamp(state: State, index: number): State {
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

export function pressed(state: State, key: string): Step {
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
      return commanded(quiet(state), key);
  }
}

/** Nothing is told any more; what still runs goes on printing. */
const quiet = (state: State): State => ({
  ...tell(state, ''),
  printed: state.busy === 'rotating' ? state.printed : [],
});

function answered(state: State, key: string): Step {
  const secret = selected(state);
  const list: State = { ...state, mode: 'list', asked: null };
  if (secret === null || !/^y$/iu.test(key)) return only(tell(list, 'not rotated'));
  return doing({ ...list, printed: [] }, { type: 'rotate', secret });
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
  if (key === 'R') return doing(state, { type: 'load', asked: true });
  const secret = selected(state);
  if (!['<enter>', 'c', 'r'].includes(key)) return only(state);
  if (secret === null) return only(tell(state, 'no secret is selected'));
  if (key === 'c') return doing(state, { type: 'copy', secret });
  if (key === 'r') return only({ ...state, mode: 'confirm', asked: secret });
  if (state.shown !== null) return only({ ...state, shown: null });
  return doing(state, { type: 'reveal', secret });
}
