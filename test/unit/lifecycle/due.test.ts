/** The one rule for when a secret is due. */
import { describe, expect, test } from 'vitest';
import { dueAt, expiryState, isDue, warningMs } from '../../../src/lifecycle/due.ts';

const day = 86_400_000;
const begun = Date.parse('2026-11-25T08:00:00.000Z');
const at = (days: number): string => new Date(begun + days * day).toISOString();
const updated = at(0);
const windowMs = 30 * day;
const none = { intervalSeconds: null, windowMs };
const daily = (days: number) => ({ intervalSeconds: days * 86_400, windowMs });

describe('dueAt', () => {
  test('without an interval nothing is ever due but a certificate', () => {
    for (const type of ['password', 'token', 'note', 'other', 'ssh-key'] as const)
      expect(dueAt({ type, updated, expires: at(3) }, none)).toBeNull();
    expect(dueAt({ type: 'certificate', updated, expires: at(90) }, none)).toEqual({
      at: begun + 60 * day,
      reason: 'certificate',
    });
    expect(dueAt({ type: 'certificate', updated, expires: null }, none)).toBeNull();
  });

  test('an interval counts from the current version', () => {
    expect(dueAt({ type: 'password', updated, expires: null }, daily(10))).toEqual({
      at: begun + 10 * day,
      reason: 'interval',
    });
  });

  test('whichever comes first', () => {
    const certificate = { type: 'certificate', updated, expires: at(90) } as const;
    expect(dueAt(certificate, daily(10))).toMatchObject({ reason: 'interval' });
    expect(dueAt(certificate, daily(80))).toEqual({ at: begun + 60 * day, reason: 'certificate' });
  });

  test('is due at that moment, and not before', () => {
    const facts = { type: 'certificate', updated, expires: at(90) } as const;
    expect(isDue(facts, none, begun + 60 * day - 1)).toBe(false);
    expect(isDue(facts, none, begun + 60 * day)).toBe(true);
    expect(isDue(facts, { ...none, windowMs: 10 * day }, begun + 60 * day)).toBe(false);
    expect(isDue({ ...facts, expires: null }, none, begun + 900 * day)).toBe(false);
  });
});

test.each([
  [null, 'live'],
  [at(-1), 'expired'],
  [at(0), 'expired'],
  [new Date(begun + 1).toISOString(), 'expiring'],
  [at(30), 'expiring'],
  [new Date(begun + 30 * day + 1).toISOString(), 'live'],
] as const)('what ends at %s is %s', (expires, state) => {
  expect(expiryState(expires, begun, windowMs)).toBe(state);
});

test('the window is thirty days', () => {
  expect(warningMs(new Map())).toBe(windowMs);
});
