/** Rotating in the console: what is asked before, and what belongs to it while it runs. */
import { describe, expect, test } from 'vitest';
import { data, Driven, many, secret, Value } from '../../support/driven-console.ts';

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
    driven.happen({ type: 'ended', work: 'copying' });
    for (const key of ['R', '<ctrl-r>'])
      expect(driven.press(key).happen({ type: 'ended', work: 'reading again' }).wanted()).toEqual(['load']);
  });

  test('is for the secret that was asked about, and no other that has come into its place', () => {
    const driven = new Driven(data(secret('a'), secret('b'))).press('r');
    driven.wanted();
    driven.happen({ type: 'loaded', data: data(secret('b')) });
    expect(driven.state).toMatchObject({ mode: 'list', asked: null });
    expect(driven.state.message).toContain('not rotated');
    expect(driven.press('y').wanted()).toEqual(['trail b', 'trail b']);
  });

  test('is by the hook that was asked about', () => {
    const driven = new Driven(data(secret('a', { hook: 'smtp' }))).press('r');
    driven.happen({ type: 'loaded', data: data(secret('a', { hook: 'smtp', version: 2 })) });
    expect(driven.state.mode).toBe('confirm');
    driven.happen({ type: 'loaded', data: data(secret('a', { hook: 'other' })) });
    driven.wanted();
    expect([driven.press('y').wanted(), driven.state.busy]).toEqual([[], null]);
  });

  test('is not over when something else is', () => {
    const driven = new Driven(many).press('v');
    driven.happen({ type: 'revealed', key: 'development\na', value: new Value(2) });
    driven.happen({ type: 'ended', work: 'opening' }).press('r', 'y');
    // What was read behind it, for a newer version than the list had.
    driven.happen({ type: 'loaded', data: data(secret('a', { version: 2 })) });
    driven.happen({ type: 'ended', work: null });
    driven.wanted();
    expect(driven.state.busy).toBe('rotating');
    expect(driven.press('r', 'y').wanted()).toEqual([]);
    expect(driven.happen({ type: 'ended', work: 'rotating' }).state.busy).toBeNull();
  });

  test('keeps what the hook printed, with what came of it, until another key', () => {
    const driven = new Driven(many).press('r', 'y');
    driven.happen({ type: 'printed', lines: ['one', 'two'] }).press('j', 'k');
    driven.happen({ type: 'told', message: 'rotated', isError: false });
    driven.happen({ type: 'ended', work: 'rotating' });
    expect(driven.state).toMatchObject({ message: 'rotated', printed: ['one', 'two'] });
    expect(driven.press('j').state).toMatchObject({ message: '', printed: [] });
  });
});
