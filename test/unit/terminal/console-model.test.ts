/** The console without a terminal: what keys and answers make of it, and what it wants done. */
import { describe, expect, test } from 'vitest';
import type { ConsoleData, SecretRow, ShownValue } from '../../../src/terminal/console/data.ts';
import { begin, update, type Effect, type Happening } from '../../../src/terminal/console/model.ts';
import { revealSeconds, selected, visible, type State } from '../../../src/terminal/console/state.ts';

function secret(name: string, more: Partial<SecretRow> = {}): SecretRow {
  return {
    key: `development\n${name}`,
    name,
    environment: 'development',
    type: 'password',
    version: 1,
    updated: '2026-01-01',
    expires: null,
    due: null,
    isOverdue: false,
    expiry: null,
    remarks: [],
    ...more,
  };
}

const data = (...secrets: readonly SecretRow[]): ConsoleData => ({
  vault: '/v',
  principal: 'ada',
  secrets,
  due: [],
  expiring: [],
  problem: null,
});

const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'];
const many = data(...letters.map((name) => secret(name)));

class Value implements ShownValue {
  readonly bytes = new Uint8Array([120]);
  readonly version: number;
  isWiped = false;

  constructor(version = 1) {
    this.version = version;
  }

  wipe(): void {
    this.isWiped = true;
  }
}

/** A console that is driven, and does as it wants done what can be done without a vault. */
class Driven {
  state: State;
  effects: Effect[] = [];

  constructor(of: ConsoleData) {
    const { state, effects } = begin(of);
    this.state = state;
    this.effects.push(...effects);
  }

  happen(happening: Happening): this {
    const { state, effects } = update(this.state, happening);
    this.state = state;
    this.effects.push(...effects);
    for (const effect of effects) if (effect.type === 'wipe') effect.value.wipe();
    return this;
  }

  press(...keys: readonly string[]): this {
    for (const key of keys) this.happen({ type: 'key', key });
    return this;
  }

  /** What it wanted since the last time. */
  wanted(): string[] {
    return this.effects
      .splice(0)
      .map((effect) => ('secret' in effect ? `${effect.type} ${effect.secret?.name ?? 'all'}` : effect.type));
  }

  get name(): string | undefined {
    return selected(this.state)?.name;
  }

  reveal(value = new Value()): Value {
    this.press('v').happen({ type: 'revealed', key: selected(this.state)?.key ?? '', value });
    this.happen({ type: 'ended' });
    return value;
  }
}

describe('choosing', () => {
  test('goes by lines, pages and ends, and stops at them', () => {
    const driven = new Driven(many).happen({ type: 'page', rows: 5 });
    const steps: readonly (readonly [string, string])[] = [
      ['<up>', 'a'],
      ['j', 'b'],
      ['<down>', 'c'],
      ['k', 'b'],
      ['<pagedown>', 'g'],
      ['<pagedown>', 'l'],
      ['<pagedown>', 'l'],
      ['<pageup>', 'g'],
      ['<home>', 'a'],
      ['<end>', 'l'],
      ['g', 'a'],
      ['G', 'l'],
    ];
    for (const [key, name] of steps) expect([key, driven.press(key).name]).toEqual([key, name]);
  });

  test('asks for the trail of what was chosen, once for each', () => {
    const driven = new Driven(many);
    expect(driven.wanted()).toEqual(['trail a']);
    expect(driven.press('j', 'j', 'k').wanted()).toEqual(['trail b', 'trail c', 'trail b']);
    expect(driven.press('a').wanted()).toEqual(['trail all']);
    expect(driven.press('j').wanted()).toEqual(['trail all']);
    expect(driven.press('a').wanted()).toEqual(['trail c']);
  });

  test('of nothing does nothing', () => {
    const driven = new Driven(data());
    expect(driven.press('j', '<end>', 'v', 'c', 'r', 'y').wanted()).toEqual([]);
    expect([driven.name, driven.state.message]).toEqual([undefined, '']);
    expect(driven.press('r').state.message).toBe('no secret is selected');
  });
});

describe('tabs', () => {
  const some = {
    ...many,
    due: ['development\nd', 'development\nb', 'development\ngone'],
    expiring: ['development\nc'],
  };

  test('go round, in their own order, and keep what is chosen where it is there', () => {
    const driven = new Driven(some).press('j', '<tab>');
    expect(visible(driven.state).map(({ name }) => name)).toEqual(['d', 'b']);
    expect(driven.name).toBe('b');
    expect(driven.press('<right>').name).toBe('c');
    expect(driven.press('<tab>').name).toBe('c');
    expect(driven.state.tab).toBe('all');
    expect(driven.press('<backtab>').state.tab).toBe('expiring');
    expect(driven.press('<left>').state.tab).toBe('due');
  });
});

describe('searching', () => {
  const named = data(
    secret('db/Password', { type: 'other' }),
    secret('api/token', { environment: 'production', remarks: ['team=blue'] }),
    secret('db/user', { type: 'note' }),
  );

  test('narrows by every word, in names, environments, types and remarks', () => {
    const found = (text: string): string[] =>
      visible(new Driven(named).press('/', ...Array.from(text)).state).map(({ name }) => name);
    expect(found('db')).toEqual(['db/Password', 'db/user']);
    expect(found('PASS db')).toEqual(['db/Password']);
    expect(found('production')).toEqual(['api/token']);
    expect(found('blue tok')).toEqual(['api/token']);
    expect(found('nothing')).toEqual([]);
  });

  test('takes commands for text, and what is pasted too', () => {
    const driven = new Driven(named).press('/', 'q', 'r', '?', '<');
    expect([driven.state.filter, driven.state.mode, driven.wanted()]).toEqual([
      'qr?<',
      'search',
      ['trail db/Password'],
    ]);
    driven.press('<ctrl-u>').happen({ type: 'paste', text: 'db\r\nuser\n' });
    expect([driven.state.filter, driven.name]).toEqual(['db user', 'db/user']);
    driven.press('<backspace>');
    expect(driven.state.filter).toBe('db use');
  });

  test('is kept by Enter and cleared by Escape, there and later', () => {
    const driven = new Driven(named).press('/', 'u', 's', '<enter>');
    expect([driven.state.mode, driven.state.filter, driven.name]).toEqual(['list', 'us', 'db/user']);
    expect([driven.press('<escape>').state.filter, driven.name]).toEqual(['', 'db/user']);
    expect(driven.press('/', 'a', 'p', 'i', '<escape>').state).toMatchObject({ mode: 'list', filter: '' });
  });

  test('outside of it nothing that is pasted does anything', () => {
    const driven = new Driven(named);
    driven.wanted();
    driven.happen({ type: 'paste', text: 'ryqv' });
    expect([driven.wanted(), driven.state.mode, driven.state.filter]).toEqual([[], 'list', '']);
  });
});

describe('a value', () => {
  test('is asked for once, shown, counted down, and wiped at the end without a key', () => {
    const driven = new Driven(many);
    driven.wanted();
    expect(driven.press('v', 'v', '<enter>', 'c', 'r').wanted()).toEqual(['reveal a']);
    const value = new Value();
    driven.happen({ type: 'revealed', key: 'development\na', value });
    expect(driven.wanted()).toEqual(['count', 'trail a']);
    expect(driven.state).toMatchObject({ busy: null, shown: { secondsLeft: revealSeconds } });
    driven.happen({ type: 'seconds', left: 3 });
    expect([driven.state.shown?.secondsLeft, value.isWiped]).toEqual([3, false]);
    driven.happen({ type: 'seconds', left: 0 });
    expect([driven.state.shown, value.isWiped, driven.wanted()]).toEqual([null, true, ['wipe']]);
    // A tick that comes late finds nothing.
    driven.happen({ type: 'seconds', left: 5 });
    expect(driven.state.shown).toBeNull();
  });

  test.each(['v', '<enter>', '<escape>', 'j', '<end>', '/', '?', 'r', '<ctrl-z>'])(
    'is wiped by %s',
    (key) => {
      const driven = new Driven(many);
      const value = driven.reveal();
      expect(value.isWiped).toBe(false);
      driven.wanted();
      driven.press(key);
      expect([driven.state.shown, value.isWiped]).toEqual([null, true]);
      expect(driven.wanted().filter((effect) => effect === 'wipe')).toEqual(['wipe']);
    },
  );

  test.each(['a', 'k', '<home>', 'c', 'x'])('stays at %s', (key) => {
    const driven = new Driven(many);
    const value = driven.reveal();
    driven.press(key);
    expect([driven.state.shown?.value, value.isWiped]).toEqual([value, false]);
  });

  test('that comes when another one is chosen is wiped and not shown', () => {
    const driven = new Driven(many).press('v', 'j');
    const value = new Value();
    driven.wanted();
    driven.happen({ type: 'revealed', key: 'development\na', value });
    expect([driven.state.shown, value.isWiped, driven.wanted()]).toEqual([null, true, ['wipe']]);
    expect(driven.state.message).toContain('not shown');
  });

  test('of another version than the list has makes it read again', () => {
    const driven = new Driven(many).press('v');
    driven.wanted();
    driven.happen({ type: 'revealed', key: 'development\na', value: new Value(2) });
    expect(driven.wanted()).toContain('load');
  });

  test('stays when the list is read again, and goes with its secret', () => {
    const driven = new Driven(many);
    const value = driven.reveal();
    driven.happen({ type: 'loaded', data: data(secret('0'), secret('a')) });
    expect([driven.state.shown?.value, driven.name]).toEqual([value, 'a']);
    driven.happen({ type: 'loaded', data: data(secret('0')) });
    expect([driven.state.shown, value.isWiped, driven.name]).toEqual([null, true, '0']);
  });
});

describe('rotating', () => {
  test('happens at y and at nothing else', () => {
    for (const key of ['y', 'Y']) {
      const driven = new Driven(many).press('j', 'r');
      driven.wanted();
      expect(driven.press(key).wanted()).toEqual(['rotate b']);
    }
    for (const key of ['n', '<enter>', '<escape>', 'q', 'j', ' ', '<tab>']) {
      const driven = new Driven(many).press('r');
      driven.wanted();
      driven.press(key);
      expect([key, driven.wanted(), driven.state.message]).toEqual([key, [], 'not rotated']);
      expect(driven.state).toMatchObject({ mode: 'list', index: 0 });
    }
  });

  test('and copying and reading again wait for what is being done', () => {
    const driven = new Driven(many).press('c');
    driven.wanted();
    expect(driven.press('c', 'r', 'v', 'R', 'y').wanted()).toEqual([]);
    driven.happen({ type: 'ended' });
    for (const key of ['R', '<ctrl-r>'])
      expect(driven.press(key).happen({ type: 'ended' }).wanted()).toEqual(['load']);
  });
});

describe('leaving', () => {
  test.each(['/', '?', 'r', 'j'])('by Ctrl-C is possible after %s, also while something is done', (key) => {
    const driven = new Driven(many).press('c', key);
    driven.wanted();
    expect(driven.press('<ctrl-c>').wanted()).toEqual(['quit']);
  });

  test('or stopping, or drawing anew, is not taken for an answer', () => {
    for (const key of ['/', '?', 'r']) {
      const driven = new Driven(many).press(key);
      const { mode } = driven.state;
      driven.wanted();
      expect(driven.press('<ctrl-z>', '<ctrl-l>').wanted()).toEqual(['suspend', 'redraw']);
      expect(driven.state.mode).toBe(mode);
    }
  });

  test('by q is for the list alone', () => {
    expect(new Driven(many).press('q').wanted()).toContain('quit');
    expect(new Driven(many).press('?', 'q').wanted()).not.toContain('quit');
  });
});

test('what could not be listed is told, also when it is read again', () => {
  const spoiled = { ...many, problem: 'not listed: x' };
  const driven = new Driven(spoiled);
  expect(driven.state).toMatchObject({ message: 'not listed: x', isError: true });
  driven.press('j');
  expect(driven.state.message).toBe('');
  driven.happen({ type: 'loaded', data: spoiled });
  expect(driven.state).toMatchObject({ message: 'not listed: x', isError: true });
});
