import { describe, expect, it } from 'vitest';
import { ConfigText, parseJsonTree, shownKey } from '../../../src/config/json-tree.ts';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { UsageError } from '../../../src/errors.ts';
import { attempt } from '../../support/failure.ts';

const parse = (text: string) => parseJsonTree(new ConfigText('f', utf8(text)));

function messageOf(text: string): string {
  const error = attempt(() => parse(text));
  if (error instanceof UsageError) return error.message;
  throw new Error('it was accepted');
}

describe('parseJsonTree', () => {
  it('knows where everything stands', () => {
    expect(parse(' [1, "a\\u00e9", true, null, {"x": -0.5e1}]')).toEqual({
      at: 1,
      type: 'array',
      items: [
        { at: 2, type: 'number', value: 1 },
        { at: 5, type: 'string', value: 'aé' },
        { at: 16, type: 'boolean', value: true },
        { at: 22, type: 'null' },
        {
          at: 28,
          type: 'object',
          members: new Map([['x', { at: 29, value: { at: 34, type: 'number', value: -5 } }]]),
        },
      ],
    });
  });

  const cases: readonly (readonly [string, string])[] = [
    ['', 'f, line 1: it ends too early'],
    ['{\n"a": 1,\n}', 'f, line 3: expected a name in double quotes'],
    ['{\n"a": 1\n"b": 2}', 'f, line 3: expected } or a comma'],
    ['{"a"\n1}', 'f, line 2: expected : after the name "a"'],
    ['[1,]', 'f, line 1: expected a value'],
    ['[1\n', 'f, line 2: expected ] or a comma'],
    ['{\n// note\n}', 'f, line 2: expected a name in double quotes'],
    ["{'a': 1}", 'f, line 1: expected a name in double quotes'],
    ['{a: 1}', 'f, line 1: expected a name in double quotes'],
    ['{"a": "hunter2}', 'f, line 1: expected a text in double quotes'],
    ['{"a": "hunter2\n"}', 'f, line 1: expected a text in double quotes'],
    ['{"a": "\\x"}', 'f, line 1: expected a text in double quotes'],
    ['{"a": "\\ud800"}', 'f, line 1: a text is not valid Unicode'],
    ['{"\\ud800": 1}', 'f, line 1: a name is not valid Unicode'],
    ['{"a": hunter2}', 'f, line 1: expected a value'],
    ['{"a": NaN}', 'f, line 1: expected a value'],
    ['{"a": +1}', 'f, line 1: expected a value'],
    ['{"a": 01}', 'f, line 1: expected } or a comma'],
    ['{}\n{}', 'f, line 2: there is more after the end'],
    ['{"a": 1,\n"b": 2,\n"a": 3}', 'f, line 3: "a" is there twice'],
    ['{"a": 1, "\\u0061": 3}', 'f, line 1: "a" is there twice'],
    ['{"__proto__": 1, "__proto__": 3}', 'f, line 1: "__proto__" is there twice'],
    ['\ufeff{}', 'f, line 1: it begins with a byte order mark: save it as plain UTF-8'],
    ['\u00a0{}', 'f, line 1: expected a value'],
    ['['.repeat(17) + ']'.repeat(17), 'f, line 1: it is nested more than 16 deep'],
    ['['.repeat(200_000), 'f, line 1: it is nested more than 16 deep'],
  ];
  it.each(cases)('refuses %j', (text, message) => {
    expect(messageOf(text)).toBe(message);
  });

  it('takes sixteen levels', () => {
    expect(parse('['.repeat(16) + ']'.repeat(16)).type).toBe('array');
  });

  it('takes a long text, and is done soon with one that does not end', () => {
    const long = 'x\\n'.repeat(80_000);
    expect(parse(`"${long}"`)).toMatchObject({ type: 'string' });
    expect(messageOf(`"${long}`)).toMatch(/double quotes/u);
  });

  it('refuses what is not UTF-8', () => {
    expect(() => new ConfigText('f', Uint8Array.of(0x7b, 0xff, 0x7d))).toThrow(/^f is not UTF-8 text$/u);
  });
});

it('a name in a message is not longer than a line', () => {
  expect(shownKey('a"\n')).toBe(String.raw`"a\"\n"`);
  expect(shownKey('x'.repeat(10_000)).length).toBeLessThan(90);
});
