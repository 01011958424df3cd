/** Fields of structured values: what must survive being read and written back. */
import { describe, expect, test } from 'vitest';
import { parseUtf8, utf8 } from '../../../src/crypto/bytes.ts';
import { readField, withField } from '../../../src/lifecycle/field.ts';
import { attempt, kindOf } from '../../support/failure.ts';

const read = (value: string, path: string): string => parseUtf8(readField(utf8(value), path));

describe('numbers', () => {
  const value = '{"account":12345678901234567890,"ratio":1.0,"tiny":1e-7,"zero":-0}';

  test('are read as they stand', () => {
    expect(read(value, 'account')).toBe('12345678901234567890');
    expect(read(value, 'ratio')).toBe('1.0');
    expect(read(`{"a":${value}}`, 'a')).toBe(value);
  });

  test('stay as they are when another field is set', () => {
    const changed = parseUtf8(withField(utf8(value), 'user', 'ada'));
    expect(changed).toBe(`${value.slice(0, -1)},"user":"ada"}`);
  });
});

test('deep nesting ends in a result or in one of our errors', () => {
  const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  expect(['value', 'UsageError']).toContain(kindOf(attempt(() => readField(utf8(deep), 'a'))));
  expect(['value', 'UsageError']).toContain(kindOf(attempt(() => withField(utf8(deep), 'b', 'x'))));
});

test('a place in a list is a number; the one after the last adds one', () => {
  expect(read('{"hosts":["a",{"name":"b"}]}', 'hosts.1.name')).toBe('b');
  expect(parseUtf8(withField(utf8('["a"]'), '1', 'b'))).toBe('["a","b"]');
  for (const step of ['2', '-1', '01', 'x', '1e0', '']) {
    expect(kindOf(attempt(() => withField(utf8('["a"]'), step, 'b')))).toBe('UsageError');
  }
});
