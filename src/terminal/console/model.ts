/**
 * What the console is at a moment, and what becomes of it: a pure function of what happens. What is to be done in the world comes out as
 * effects. Invariants: a value is shown for the selected secret alone, and in the version that the list has; when it is not shown any more, an
 * effect says to wipe it. What was asked about one secret is not answered for another.
 */
import type { ConsoleData, ShownValue } from './data.ts';
import { only, type Effect, type Happening, type Step } from './happening.ts';
import { clamp, pasted, pressed } from './pressed.ts';
import { print, revealSeconds, selected, tell, visible, type State } from './state.ts';

export function begin(data: ConsoleData): Step {
  const silent: State = {
    data,
    tab: 'all',
    filter: '',
    mode: 'list',
    index: 0,
    isWholeTrail: false,
    trail: null,
    shown: null,
    message: '',
    isError: false,
    busy: null,
    asked: null,
    printed: [],
    page: 10,
  };
  const state = data.problem === null ? silent : tell(silent, data.problem, true);
  return { state, effects: trailOf(state) };
}

function trailOf(state: State): Effect[] {
  if (state.isWholeTrail) return [{ type: 'trail', secret: null }];
  const secret = selected(state);
  return secret === null ? [] : [{ type: 'trail', secret }];
}

/** What follows from something that happened. */
export function update(before: State, happening: Happening): Step {
  const { state, effects } = next(before, happening);
  return settle(before, { state: bound(state), effects });
}

/** A question goes when what it is about does: another secret is in its place, or another hook would run. */
function bound(state: State): State {
  const { mode, asked } = state;
  if (mode !== 'confirm') return asked === null ? state : { ...state, asked: null };
  const secret = selected(state);
  if (asked !== null && secret?.key === asked.key && secret.hook === asked.hook) return state;
  const why = 'not rotated: what was asked about has changed meanwhile';
  return tell({ ...state, mode: 'list', asked: null }, why);
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

function next(state: State, happening: Happening): Step {
  switch (happening.type) {
    case 'key':
      return pressed(state, happening.key);
    case 'paste':
      return only(pasted(state, happening.text));
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
    case 'printed':
      return only(print(state, happening.lines));
    case 'ended':
    default:
      return only(happening.work === state.busy ? { ...state, busy: null } : state);
  }
}

function loaded(state: State, data: ConsoleData): Step {
  const key = selected(state)?.key;
  const now = { ...state, data };
  const place = visible(now).findIndex((secret) => secret.key === key);
  const there = place >= 0 ? { ...now, index: place } : clamp(now, state.index);
  const current = withoutOld(there);
  const told = data.problem === null ? current : tell(current, data.problem, true);
  return only(told, ...trailOf(told));
}

/** Without a value that is not that of the version which the list has. */
function withoutOld(state: State): State {
  const { shown, data } = state;
  const secret = data.secrets.find(({ key }) => key === shown?.key);
  if (shown === null || secret === undefined || secret.version === shown.value.version) return state;
  return tell({ ...state, shown: null }, `masked: another version of ${secret.name} is current`);
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
