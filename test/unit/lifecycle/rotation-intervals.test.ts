import { describe, expect, test } from 'vitest';
import { intervalOf, neverRotated, parseIntervals } from '../../../src/lifecycle/rotation-intervals.ts';

const day = 86_400;

describe('the value of the policy', () => {
  test.each([
    ['0', 0, {}],
    ['90', 90, {}],
    ['api-key=30', null, { 'api-key': 30 }],
    ['90,api-key=30,certificate=0', 90, { 'api-key': 30, certificate: 0 }],
    ['token=36500,1', 1, { token: 36_500 }],
  ])('%s', (text, all, byType) => {
    const parsed = parseIntervals(text);
    expect([parsed?.all, Object.fromEntries(parsed?.byType ?? [])]).toEqual([all, byType]);
  });

  test.each([
    '',
    ',',
    '90,',
    '-1',
    '01',
    '1.5',
    '36501',
    '90,30',
    'api-key=1,api-key=2',
    'car=3',
    'token=',
    '90 ',
  ])('%j is none', (text) => {
    expect(parseIntervals(text)).toBeNull();
  });
});

describe('which one counts', () => {
  const environment = parseIntervals('20,token=5,note=0');
  const vault = parseIntervals('90,token=60,api-key=30');

  test.each([
    ['its own', 7 * day, 'token', 7 * day],
    ['never, whatever is said', neverRotated, 'token', null],
    ['of its type in the environment', 0, 'token', 5 * day],
    ['never for its type there', 0, 'note', null],
    ['of the environment before that of its type in the vault', 0, 'api-key', 20 * day],
  ] as const)('%s', (_, own, type, wanted) => {
    expect(intervalOf(own, type, [environment, vault])).toBe(wanted);
  });

  test('of the vault where the environment says nothing; none where nobody does', () => {
    expect(intervalOf(0, 'api-key', [null, vault])).toBe(30 * day);
    expect(intervalOf(0, 'api-key', [parseIntervals('token=5'), vault])).toBe(30 * day);
    expect(intervalOf(0, 'other', [null, vault])).toBe(90 * day);
    expect(intervalOf(0, 'other', [null, null])).toBeNull();
    expect(intervalOf(0, 'other', [null, parseIntervals('0')])).toBeNull();
  });
});
