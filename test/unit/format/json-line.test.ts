/** One spelling a line. docs/format.md section 1. */
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { IntegrityError } from '../../../src/errors.ts';
import { block } from '../../../src/format/catalog.ts';
import { encodeJson, lineKind, parseJson } from '../../../src/format/json-line.ts';
import { snapshotLine, vaultLine } from '../../../src/format/lines.ts';
import { integer, text, time } from '../../../src/format/schema.ts';

const id = 'AAECAwQFBgcICQoLDA0ODw';
const good = `{"kind":"vault","format":1,"id":"${id}"}`;

test('the one spelling parses', () => {
  expect(parseJson(utf8(good), vaultLine, 'vault')).toEqual({ kind: 'vault', format: 1, id });
});

describe('a second spelling is refused', () => {
  test.each([
    ['a space', `{"kind": "vault","format":1,"id":"${id}"}`],
    ['a space at the end', `${good} `],
    ['a space at the start', ` ${good}`],
    ['a line feed inside', good.replace(',', ',\n')],
    ['a carriage return', `${good}\r`],
    ['a byte order mark', `\ufeff${good}`],
    ['an escape that is not needed', good.replace('vault', '\\u0076ault')],
    ['an escape in a member', good.replace('"id"', '"\\u0069d"')],
    ['members in another order', `{"format":1,"kind":"vault","id":"${id}"}`],
    ['a member too many', good.replace('}', ',"x":1}')],
    ['a member too few', '{"kind":"vault","format":1}'],
    ['a member twice', good.replace('"format":1', '"format":1,"format":1')],
    ['a member twice, the first of it wrong', good.replace('"format":1', '"format":2,"format":1')],
    ['a prototype', good.replace('}', ',"__proto__":null}')],
    ['1.0', good.replace('1', '1.0')],
    ['1e0', good.replace('1', '1e0')],
    ['01', good.replace('1', '01')],
    ['+1', good.replace('1', '+1')],
    ['a number as text', good.replace('1', '"1"')],
    ['padding', good.replace(id, `${id}==`)],
    ['unused bits', good.replace(id, `${id.slice(0, -1)}x`)],
    ['the other base64 alphabet', good.replace(id, `${id.slice(0, -1)}+`)],
    ['an id that is too short', good.replace(id, id.slice(0, -2))],
    ['a comment', `${good}//`],
    ['a trailing comma', good.replace('}', ',}')],
    ['two values', good + good],
    ['nothing', ''],
    ['a list', `[${good}]`],
    ['null', 'null'],
  ])('%s', (_what, spelling) => {
    expect(() => parseJson(utf8(spelling), vaultLine, 'vault')).toThrow(IntegrityError);
  });

  test('bytes that are not UTF-8: overlong, surrogates, cut', () => {
    for (const bad of [
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xe2, 0x82],
    ]) {
      const raw = Uint8Array.from([...utf8('"'), ...bad, ...utf8('"')]);
      expect(() => parseJson(raw, text(100), 'text')).toThrow(IntegrityError);
    }
  });

  test('text: only what must be escaped is', () => {
    for (const spelling of [
      '"\\u0022"',
      '"\\/"',
      '"\\u001F"',
      '"\\u0008"',
      '"\\u000a"',
      '"\\u007f"',
      '"\\u2028"',
    ]) {
      expect(() => parseJson(utf8(spelling), text(100), 'text')).toThrow(IntegrityError);
    }
    for (const spelling of [
      '"\\""',
      '"/"',
      '"\\u001f"',
      '"\\b\\f\\n\\r\\t"',
      '"\u007f"',
      '"\u2028"',
      '"\\u0000"',
    ]) {
      const value = parseJson(utf8(spelling), text(100), 'text');
      expect(encodeJson(value, text(100), 'text')).toEqual(utf8(spelling));
    }
  });

  test('a lone surrogate by its escape', () => {
    expect(() => parseJson(utf8('"\\ud800"'), text(100), 'text')).toThrow(IntegrityError);
    expect(() => parseJson(utf8('"\\ud83d\\ude00"'), text(100), 'text')).toThrow(IntegrityError);
  });

  test('integers', () => {
    for (const spelling of [
      '-0',
      '-1',
      '0.0',
      '1.5',
      '9007199254740992',
      '1e3',
      '00',
      'NaN',
      'true',
      '"7"',
    ]) {
      expect(() => parseJson(utf8(spelling), integer(), 'number')).toThrow(IntegrityError);
    }
    expect(parseJson(utf8('9007199254740991'), integer(), 'number')).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('times', () => {
    for (const wrong of [
      '2026-11-22T08:00:38Z',
      '2026-11-22T08:00:38.123+00:00',
      '2026-11-22 08:00:38.123Z',
      '2026-02-31T08:00:38.123Z',
      '2026-11-22T24:00:00.000Z',
      '2026-11-22T08:00:60.123Z',
      '2026-11-22T08:00:38.123z',
      '+002026-11-22T08:00:38.1',
      '',
    ]) {
      expect(() => parseJson(utf8(JSON.stringify(wrong)), time, 'time')).toThrow(IntegrityError);
    }
    expect(parseJson(utf8('"2026-11-22T08:00:38.123Z"'), time, 'time')).toBe('2026-11-22T08:00:38.123Z');
  });
});

test('a message names the place and never the text', () => {
  const canary = 'c4n4ry-value';
  const spellings = [
    `{"entries":[{"name":"${canary}"}]}`,
    `{"entries":"${canary}"}`,
    canary,
    `{"${canary}":1}`,
    `"${canary}`,
  ];
  for (const spelling of spellings) {
    let shown = '';
    try {
      parseJson(utf8(spelling), block, 'catalog');
    } catch (error) {
      for (let at: unknown = error; at instanceof Error; at = at.cause)
        shown += `${at.message}\n${at.stack ?? ''}`;
    }
    expect(shown).toContain('malformed');
    expect(shown).not.toContain(canary);
  }
});

test('deep nesting is refused, and does not exhaust the stack', () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  expect(() => parseJson(utf8(deep), snapshotLine, 'snapshot')).toThrow(IntegrityError);
});

test('a writer cannot leave the format', () => {
  const wrong = { kind: 'vault', format: 1, id: 'short' } as const;
  expect(() => encodeJson(wrong, vaultLine, 'vault')).toThrow(IntegrityError);
});

test('the kind of a line is its first member', () => {
  expect(lineKind(utf8(good))).toBe('vault');
  for (const other of [
    '',
    '{',
    '{"kind":"',
    '{"kind":vault',
    '{"kinds":"vault"}',
    ' {"kind":"vault"}',
    `{"kind":"${'x'.repeat(17)}"}`,
  ]) {
    expect(lineKind(utf8(other))).toBeNull();
  }
});
