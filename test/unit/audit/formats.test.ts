/** Audit records for people, for programs and for collectors: whatever is in them, a line stays one line, and a terminal obeys nothing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonLine, plainLine, syslogLine } from '../../../commands/audit-format.ts';
import type { AuditEntry } from '../../../src/vault/operations/audit.ts';

const hostile = [
  'a"b',
  'a]b',
  'a\\b',
  'a\\"]b',
  'x\ny',
  'x\r\ny',
  '\u001b[31mred',
  '\u0000',
  '\u007f\u0085',
  '\u202egnp.exe',
  '\u2066x\u2069',
  '\u200f',
  '\u061c',
  '\u2028\u2029',
  '] [x@1 y="z"] <13>1 - - - - - -',
  'ünïcödé 漢字 😀',
  ' ',
  '-',
  '',
];
const text = fc.oneof(
  fc.constantFrom(...hostile),
  fc.array(fc.constantFrom(...hostile), { maxLength: 4 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }).map((one) => one.toWellFormed()),
);
const time = fc
  .integer({ min: 0, max: 4_000_000_000_000 })
  .map((milliseconds) => new Date(milliseconds).toISOString());
const orNull = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(one, { nil: null });

const entry: fc.Arbitrary<AuditEntry> = fc.record({
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  time,
  operation: text.filter((one) => one !== ''),
  success: fc.boolean(),
  code: orNull(text),
  principal: orNull(text),
  environment: orNull(text),
  secrets: fc.array(fc.record({ environment: text, name: orNull(text), version: fc.nat() }), {
    maxLength: 6,
  }),
  context: orNull(fc.record({ user: text, host: text, address: text, program: text, session: text })),
  detail: orNull(text),
});

/** What a terminal would obey, or what would end a line. */
const obeyed = /(?!\n)\p{Cc}|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

function expectOneLine(line: string): void {
  expect(line.endsWith('\n')).toBe(true);
  expect(line.slice(0, -1)).not.toContain('\n');
  expect(line).not.toMatch(obeyed);
  expect(line.isWellFormed()).toBe(true);
}

interface Message {
  readonly priority: number;
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly process: string;
  readonly id: string;
  readonly parameters: readonly (readonly [string, string])[];
  readonly text: string;
}

/** A strict reader of RFC 5424, section 6: nothing but its grammar. */
function readSyslog(message: string): Message {
  const printable = (most: number): string => `(-|[!-~]{1,${most}})`;
  const timestamp = String.raw`(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d))`;
  const header = new RegExp(
    `^<(0|[1-9]\\d{0,2})>1 ${timestamp} ${printable(255)} ${printable(48)} ${printable(128)} ${printable(32)} `,
    'u',
  );
  const found = header.exec(message);
  if (found === null) throw new Error('the header does not follow the grammar');
  const [all, priority = '', at = '', host = '', app = '', process = '', id = ''] = found;
  let rest = message.slice(all.length);
  const name = /^[!#-<>-\\^-~]{1,32}/u;
  const take = (pattern: RegExp): string => {
    const [taken] = pattern.exec(rest) ?? [];
    if (taken === undefined)
      throw new Error(`the structured data does not follow the grammar: ${pattern.source}`);
    rest = rest.slice(taken.length);
    return taken;
  };
  take(/^\[/u);
  expect(take(name)).toBe('vault@32473');
  const parameters: [string, string][] = [];
  while (rest.startsWith(' ')) {
    take(/^ /u);
    const parameter = take(name);
    take(/^="/u);
    const value = take(/^(?:[^"\\\]]|\\["\\\]])*/u).replace(/\\(["\\\]])/gu, '$1');
    take(/^"/u);
    parameters.push([parameter, value]);
  }
  take(/^\]/u);
  take(/^ /u);
  return { priority: Number(priority), time: at, host, app, process, id, parameters, text: rest };
}

/** As it is to be seen: what would be obeyed is written out. */
const shown = (of: string): string =>
  of.replace(
    /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (one) => `u+${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

describe('a record', () => {
  test('of any texts is one line of syslog, by a strict reader, and nothing is lost or made up', () => {
    fc.assert(
      fc.property(entry, (one) => {
        const line = syslogLine(one);
        expectOneLine(line);
        const read = readSyslog(line.slice(0, -1));
        expect(read).toMatchObject({
          priority: one.success ? 13 * 8 + 6 : 13 * 8 + 4,
          time: one.time,
          app: 'vault',
          process: '-',
        });
        const { user = '', address = '', program = '', session = '' } = one.context ?? {};
        const wanted: [string, string][] = [
          ['seq', String(one.sequence)],
          ['result', one.success ? 'ok' : 'failed'],
          ['code', one.code ?? ''],
          ['principal', one.principal ?? ''],
          ['environment', one.environment ?? ''],
          ...one.secrets.map(({ environment, name, version }): [string, string] => [
            'secret',
            `${environment}/${name ?? ''}${version === 0 ? '' : `#${version}`}`,
          ]),
          ['user', user],
          ['address', address],
          ['program', program],
          ['session', session],
          ['detail', one.detail ?? ''],
        ];
        expect(read.parameters).toEqual(
          wanted.filter(([, value]) => value !== '').map(([name, value]) => [name, shown(value)]),
        );
      }),
      { numRuns: 2_000, seed: 20_261_126 },
    );
  });

  test('of any texts is one line of JSON, and the same when it is read', () => {
    fc.assert(
      fc.property(entry, (one) => {
        const line = jsonLine(one);
        expectOneLine(line);
        expect(JSON.parse(line)).toEqual(one);
      }),
      { numRuns: 1_000, seed: 20_261_127 },
    );
  });

  test('of any texts is one line of a table without an end', () => {
    fc.assert(
      fc.property(entry, (one) => {
        expectOneLine(plainLine(one));
      }),
      { numRuns: 1_000, seed: 20_261_128 },
    );
  });
});

test('a line as collectors get it', () => {
  const line = syslogLine({
    sequence: 7,
    time: '2026-11-22T08:00:38.123Z',
    operation: 'get',
    success: false,
    code: 'SECRET_EXPIRED',
    principal: 'ci',
    environment: 'staging',
    secrets: [{ environment: 'staging', name: 'db/[prod]', version: 3 }],
    context: { user: 'a"b', host: 'höst', address: '', program: 'node', session: 'CI_JOB_ID=1\n2' },
    detail: null,
  });
  expect(line).toBe(
    '<108>1 2026-11-22T08:00:38.123Z hst vault - get [vault@32473 seq="7" result="failed" code="SECRET_EXPIRED"' +
      ' principal="ci" environment="staging" secret="staging/db/[prod\\]#3" user="a\\"b" program="node"' +
      ' session="CI_JOB_ID=1u+000a2"] get SECRET_EXPIRED by ci in staging\n',
  );
});
