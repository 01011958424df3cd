/** Times that a person can write and the format cannot hold. */
import { expect, test } from 'vitest';
import { UsageError } from '../../../src/errors.ts';
import { parseMoment } from '../../../src/lifecycle/time.ts';

const now = new Date('2026-11-22T08:00:00.000Z');

test.each(['9999-12-31T23:59:59-01:00', '0000-01-01T00:00:00+01:00'])(
  '%s has no form of 24 characters',
  (text) => {
    expect(() => parseMoment(text, now)).toThrow(UsageError);
  },
);

test('the last moment that there is', () => {
  expect(parseMoment('9999-12-31T23:59:59.999Z', now).toISOString()).toBe('9999-12-31T23:59:59.999Z');
});
