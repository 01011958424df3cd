/** What a terminal would obey, or not show at all, is written out; everything else stays as it is. */
import { expect, test } from 'vitest';
import { safeText } from '../../../src/terminal/safe-text.ts';

test('text that can be seen is itself', () => {
  for (const text of ['db/password', 'Größe', 'e\u0301', 'שלום', '値', '🔑', '❤\ufe0f', '\\u200b', 'a b'])
    expect(safeText(text)).toBe(text);
});

test('control and direction characters are shown', () => {
  expect(safeText('\u001b[2J\u0007\u009b\n\u007f')).toBe('\\u001b[2J\\u0007\\u009b\\u000a\\u007f');
  expect(safeText('\u202edb\u2066\u061c\u2028')).toBe('\\u202edb\\u2066\\u061c\\u2028');
});

// Each of them looks like `db` or `a` otherwise.
test.each([
  ['d\u200bb', 'd\\u200bb'],
  ['d\u00adb', 'd\\u00adb'],
  ['d\u2060b', 'd\\u2060b'],
  ['d\ufeffb', 'd\\ufeffb'],
  ['d\u200db', 'd\\u200db'],
  ['d\u034fb', 'd\\u034fb'],
  ['d\u3164b', 'd\\u3164b'],
  ['a\ufe0f', 'a\\ufe0f'],
  ['a\u{e0041}\u{e007f}', 'a\\u{e0041}\\u{e007f}'],
  ['a\u{e0100}', 'a\\u{e0100}'],
  ['👩\u200d👧', '👩\\u200d👧'],
])('characters that cannot be seen are shown: %j', (text, shown) => {
  expect(safeText(text)).toBe(shown);
});
