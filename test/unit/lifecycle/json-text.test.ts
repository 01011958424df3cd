import { describe, expect, it } from 'vitest';
import { encodeJsonText, isRawNumber, parseJsonText } from '../../../src/lifecycle/json-text.ts';

describe('parseJsonText', () => {
  it('keeps the spelling of numbers', () => {
    const text = '{"account":12345678901234567890,"ratio":1.0,"small":1e-7}';
    expect(encodeJsonText(parseJsonText(text, 'x'))).toBe(text);
    expect(isRawNumber(parseJsonText('5', 'x'))).toBe(true);
  });

  it('reads names that are written with escapes, as other programs write them', () => {
    expect(parseJsonText(String.raw`{"caf\u00e9":"a","a\/b":"c\"d\\"}`, 'x')).toEqual({
      café: 'a',
      'a/b': 'c"d\\',
    });
  });

  it('refuses names that need an escape, rather than to read another one', () => {
    for (const text of [String.raw`{"a\\b":1}`, String.raw`{"a\"b":1}`, String.raw`{"a\nb":1}`]) {
      expect(() => parseJsonText(text, 'x')).toThrow(/cannot be read/u);
    }
  });

  it('is not confused by strings that look like names', () => {
    expect(parseJsonText(String.raw`{"a":"\\\": ","b":["c\": "]}`, 'x')).toEqual({ a: '\\": ', b: ['c": '] });
  });

  it('says what is not JSON without quoting it', () => {
    expect(() => parseJsonText('{"canary', 'the file')).toThrow(/^the file is not JSON$/u);
  });
});
