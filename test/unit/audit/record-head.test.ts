/** How a record begins, found without parsing it: exactly what the strict parser finds, whatever its texts contain. */
import { describe, expect, it, test } from 'vitest';
import { operationOf, recordHeadAt } from '../../../src/audit/record-head.ts';
import { logId, moment, signedLine, unsignedLine } from '../../support/audit-lines.ts';

const latin1 = (line: string): string => Buffer.from(line).toString('latin1');
const headOf = (line: string) => recordHeadAt(latin1(line), 0);

describe('a record', () => {
  it('that is signed', () => {
    expect(headOf(signedLine({ seq: 41, op: 'access-add', ok: false, code: 'ACCESS_DENIED' }))).toEqual({
      log: logId,
      sequence: 41,
      time: moment,
      operation: 'access-add',
      ok: false,
      attempts: null,
    });
  });

  it('that is not', () => {
    const head = { operation: 'unlock', ok: false, attempts: 3, sequence: 2 };
    expect(headOf(unsignedLine({ seq: 2, count: 3 }))).toMatchObject(head);
  });

  it('in the middle of a text', () => {
    const before = `${signedLine({ op: 'put' })}\n`;
    expect(recordHeadAt(before + signedLine({ op: 'rm' }), before.length)).toMatchObject({ operation: 'rm' });
    expect(recordHeadAt(before, 1)).toBeNull();
  });

  it.each([
    ['"op":"put","ok":false,"code":"'],
    ['get","ok":false,"code":"'],
    ['\\'],
    ['\\"'],
    ['"'],
    ['\n'],
    ['é"'],
  ])('whose operation is %j is told from its members', (op) => {
    const head = headOf(signedLine({ op, detail: '"op":"rm","ok":false' }));
    expect(head?.ok).toBe(true);
    expect(operationOf(head?.operation ?? '')).toBe(op);
  });
});

const record = signedLine();

test.each([
  ['nothing', ''],
  ['another object', '{"kind":"vault"}'],
  ['white space', record.replace(',"op"', ', "op"')],
  ['members in another order', record.replace(/("time":"[^"]*"),("op":"[^"]*")/u, '$2,$1')],
  ['a member twice', record.replace('"op":"get"', '"op":"get","op":"put"')],
  ['a sequence of 0', record.replace('"seq":1', '"seq":0')],
  ['a sequence with a zero in front', record.replace('"seq":1', '"seq":01')],
  ['a sequence beyond what is a number', record.replace('"seq":1', '"seq":9007199254740993')],
  ['no time', record.replace(moment, '2026-13-22T08:00:38.123Z')],
  ['an id that is none', record.replace(logId, `${logId.slice(1)}"`)],
  ['an empty operation', record.replace('"op":"get"', '"op":""')],
  ['an operation without an end', record.replace('"op":"get"', '"op":"get')],
  ['a result in quotes', record.replace('"ok":true', '"ok":"true"')],
  ['an LF within its operation', record.replace('"get"', '"g\net"')],
  ['an unsigned one of another operation', unsignedLine().replace('unlock', 'get')],
  ['an unsigned one that went well', unsignedLine().replace('false', 'true')],
  ['an unsigned one of no attempts', unsignedLine().replace('"count":1', '"count":0')],
])('%s is no record', (_, line) => {
  expect(headOf(line)).toBeNull();
});

describe('the name of an operation', () => {
  test.each([
    ['get', 'get'],
    [String.raw`a\"b\\c\n`, 'a"b\\c\n'],
    [latin1('größe'), 'größe'],
  ])('%j', (spelling, name) => {
    expect(operationOf(spelling)).toBe(name);
  });

  test.each([
    ['a second spelling', String.raw`\u0067et`],
    ['a lone surrogate', String.raw`\ud800`],
    ['bytes that are no UTF-8', '\xff'],
    ['an escape that is none', String.raw`\x`],
    ['more than 64 bytes', 'a'.repeat(65)],
    ['more than 64 bytes in fewer characters', latin1('é'.repeat(33))],
  ])('is never %s', (_, spelling) => {
    expect(operationOf(spelling)).toBeNull();
  });
});
