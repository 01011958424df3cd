/** The console without a terminal: what keys and answers make of it, and what it wants done. */
import { describe, expect, test } from 'vitest';
import { revealSeconds, visible } from '../../../src/terminal/console/state.ts';
import { data, Driven, many, secret, Value } from '../../support/driven-console.ts';

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

  test('goes when the list has another version of its secret', () => {
    const driven = new Driven(many);
    const value = driven.reveal();
    driven.press('R').happen({ type: 'loaded', data: data(secret('a', { version: 2 })) });
    expect([driven.state.shown, value.isWiped]).toEqual([null, true]);
    expect(driven.state.message).toContain('another version');
  });

  test('of a newer version than the list stays when the list has it, too', () => {
    const driven = new Driven(many);
    const value = driven.reveal(new Value(2));
    driven.happen({ type: 'loaded', data: data(secret('a', { version: 2 })) });
    expect(driven.state.shown?.value).toBe(value);
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

test('nothing that is told commands the terminal', () => {
  const driven = new Driven({ ...many, problem: 'x\u001b[2J' });
  expect(driven.state.message).toBe('x\\u001b[2J');
  driven.happen({ type: 'told', message: '\u001b]0;x\u0007\u202e', isError: false });
  expect(driven.state.message).toBe('\\u001b]0;x\\u0007\\u202e');
  driven.happen({ type: 'loaded', data: { ...many, problem: '\u009b2J' } });
  expect(driven.state.message).toBe('\\u009b2J');
  driven.happen({ type: 'printed', lines: ['\u001b[2J', 'd\u200bb'] });
  expect(driven.state.printed).toEqual(['\\u001b[2J', 'd\\u200bb']);
});
