/** Ways to manipulate an audit log, each with what is right to say of it: which line, which record, what happened. */
import fc from 'fast-check';
import type { FaultKind } from '../../src/audit/fault.ts';
import { makeRecord } from '../../src/audit/record.ts';
import { Domain } from '../../src/crypto/pae.ts';
import type { SignedRecord } from '../../src/format/audit-record.ts';
import type { EventfulLog } from './eventful-log.ts';

/** What must be said. Lines and records are counted from 1. */
export interface Right {
  readonly line: number;
  readonly kind: FaultKind;
  /** The number that is right; where a line is no record any more, it may be left open. */
  readonly sequence: number;
  readonly open?: boolean;
  /** Who notices, of a log whose end is gone or was exchanged. */
  readonly by?: 'the vault' | 'this machine' | 'the checkpoint';
}

export interface Manipulated {
  readonly what: string;
  /** A function, so that no counterexample prints them. */
  readonly bytes: () => Buffer;
  readonly right: Right;
}

type Manipulation = fc.Arbitrary<Promise<Manipulated>>;
type Lines = readonly Buffer[];

const joined = (lines: Lines): Buffer => Buffer.concat([...lines]);
const replaced = (lines: Lines, index: number, ...by: Lines): Buffer[] => lines.toSpliced(index, 1, ...by);
const record = (line: Buffer): SignedRecord => JSON.parse(line.toString('utf8')) as SignedRecord;
const lineOf = (value: object): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);

/** Well-formed values of members, other than those of this record. */
function otherMembers(line: Buffer): [string, unknown][] {
  const { seq, header = 0, ...value } = record(line) as Partial<SignedRecord> & { seq: number; prev: string };
  const id = (size: number): string => `${'B'.repeat(size - 1)}A`;
  const all: [string, unknown][] = [
    ['log', id(22)],
    ['seq', seq + 1],
    ['seq', Math.max(1, seq - 1)],
    ['seq', seq + 1_000_000],
    ['time', '2001-01-01T00:00:00.000Z'],
    ['time', '2101-01-01T00:00:00.000Z'],
    ['prev', id(43)],
    ['prev', ''],
  ];
  if ('sig' in value)
    all.push(
      ['op', 'get'],
      ['op', 'join'],
      ['op', 'aborted'],
      ['op', 'prune'],
      ['ok', value.ok !== true],
      ['code', 'INTEGRITY'],
      ['principal', id(11)],
      ['environment', id(11)],
      ['environment', ''],
      ['secrets', [[id(11), id(43), 7]]],
      ['secrets', []],
      ['context', { user: 'x', host: '', address: '', program: '', session: '' }],
      ['source', 'elsewhere'],
      ['detail', '12'],
      ['header', header + 1],
      ['header', 1],
      ['from', id(43)],
      ['to', id(43)],
      ['to', ''],
      ['sig', `${'B'.repeat(85)}A`],
    );
  else all.push(['count', 2]);
  const present = record(line) as unknown as Record<string, unknown>;
  return all.filter(([member, other]) => JSON.stringify(present[member]) !== JSON.stringify(other));
}

export function manipulations(log: EventfulLog, by: 'this machine' | 'the checkpoint'): Manipulation {
  const { lines, named, ofAnotherPlace, ofAnotherVault } = log;
  const count = lines.length;
  const all = joined(lines);
  const index = (from = 0, to = count - 1): fc.Arbitrary<number> => fc.integer({ min: from, max: to });
  /** The last record that whoever notices can know. */
  const known = by === 'this machine' ? count : count - 2;
  const cutAt = (left: number): Right => ({
    line: left + 1,
    kind: 'truncated',
    sequence: left + 1,
    // The vault names the logs of every place: of which one this is, a log without a record does not say.
    by: left > 0 && left < named ? 'the vault' : by,
  });
  const is = (what: string, bytes: Buffer | Lines, right: Right): Manipulated => ({
    what,
    bytes: () => (Buffer.isBuffer(bytes) ? bytes : joined(bytes)),
    right,
  });
  const at = (place: number, kind: FaultKind, sequence = place + 1): Right => ({
    line: place + 1,
    kind,
    sequence,
  });
  const plain = (of: fc.Arbitrary<Manipulated>): Manipulation => of.map(async (one) => Promise.resolve(one));
  const exists = (place: number): Buffer => {
    const line = lines[place];
    if (line === undefined) throw new Error('no such line');
    return line;
  };

  const editByte = fc.tuple(index(0, known - 1), fc.nat(), index(0, 255)).map(([place, offset, byte]) => {
    const line = Buffer.from(exists(place));
    const within = offset % line.length;
    line[within] = byte;
    const what = `byte ${within} of line ${place + 1} is ${byte}`;
    // Without its line feed the last line is unfinished, and so not there.
    const last = place === count - 1 && within === exists(place).length - 1;
    return is(
      what,
      replaced(lines, place, line),
      last ? cutAt(place) : { ...at(place, 'changed'), open: true },
    );
  });
  const editMember = fc.tuple(index(0, known - 1), fc.nat()).map(([place, pick]) => {
    const others = otherMembers(exists(place));
    const [member, value] = others[pick % others.length] ?? ['', ''];
    const line = lineOf({ ...record(exists(place)), [member]: value });
    const what = `${member} of line ${place + 1} is ${JSON.stringify(value)}`;
    return is(what, replaced(lines, place, line), at(place, 'changed'));
  });
  const remove = fc.tuple(index(0, known - 1), index(1, 12)).map(([place, size]) => {
    const left = [...lines.slice(0, place), ...lines.slice(place + size)];
    const what = `${size} lines from line ${place + 1} on are gone`;
    return is(what, left, place + size >= count ? cutAt(place) : at(place, 'removed', place + size + 1));
  });
  const swap = fc.tuple(index(), index()).map(([one, other]) => {
    const [low, high] = [Math.min(one, other), Math.max(one, other)];
    const changed = [...lines];
    [changed[low], changed[high]] = [exists(high), exists(low)];
    return is(`lines ${low + 1} and ${high + 1} are swapped`, changed, at(low, 'reordered', high + 1));
  });
  const move = fc.tuple(index(), index()).map(([from, to]) => {
    const changed = lines.toSpliced(from, 1).toSpliced(to, 0, exists(from));
    const right = from < to ? at(from, 'reordered', from + 2) : at(to, 'reordered', from + 1);
    return is(`line ${from + 1} is moved to ${to + 1}`, changed, right);
  });
  const duplicate = fc.tuple(index(), index(0, count)).map(([from, to]) => {
    // A copy right before a line, or right after it, is the same bytes: the second one is to blame.
    const place = to === from ? from + 1 : to;
    const what = `line ${from + 1} stands at ${place + 1} too`;
    return is(what, lines.toSpliced(place, 0, exists(from)), at(place, 'inserted', from + 1));
  });
  const cutLines = index(1, known - 1).map((left) =>
    is(`cut after line ${left}`, lines.slice(0, left), cutAt(left)),
  );
  const cutBytes = fc
    .integer({ min: 1, max: joined(lines.slice(0, known)).length - 1 })
    .map((left) =>
      is(`cut after byte ${left}`, all.subarray(0, left), cutAt(linesIn(all.subarray(0, left)))),
    );
  const splice = fc
    .tuple(
      fc.constantFrom(['another vault', ofAnotherVault] as const, ['another place', ofAnotherPlace] as const),
      fc.nat(),
      index(1, 4),
      index(),
      index(0, 3),
    )
    .map(([[whose, foreign], start, size, place, over]) => {
      const first = start % foreign.length;
      const inserted = foreign.slice(first, first + size);
      const what = `${inserted.length} lines of ${whose}, from its line ${first + 1} on, stand at ${place + 1} over ${over}`;
      return is(what, lines.toSpliced(place, over, ...inserted), at(place, 'inserted', first + 1));
    });
  const genuine = fc
    .tuple(index(0, known - 1), fc.constantFrom(...log.signers.values()), fc.boolean())
    .map(async ([place, signer, keepsOp]) => {
      const { log: id, seq, prev, time, ...rest } = record(exists(place));
      const op = 'op' in rest && keepsOp ? rest.op : 'get';
      const own = {
        log: id,
        seq,
        time,
        op,
        ok: true,
        code: '',
        principal: signer.principal,
        environment: '',
        secrets: [],
        context: { user: 'u', host: 'h', address: '', program: 'p', session: '' },
        source: 'file',
        detail: '',
        header: 9,
        from: '',
        to: '',
        prev,
      };
      const domain = new Domain(log.team.vaultId);
      const line = await makeRecord(domain, signer.signing, own);
      const what = `line ${place + 1} is another record that somebody has signed`;
      const right: Right = { ...at(place, 'changed'), ...(place === count - 1 ? { by } : {}) };
      return is(
        what,
        replaced(lines, place, Buffer.from(`${Buffer.from(line.raw).toString('utf8')}\n`)),
        right,
      );
    });
  const unsigned = lines.flatMap((line, place) => ('sig' in record(line) ? [] : [place]));
  const exchange = fc
    .tuple(fc.constantFrom(...unsigned), fc.constantFrom(...unsigned))
    .map(([one, other]) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      const changed = [...lines];
      [changed[low], changed[high]] = [exists(high), exists(low)];
      const what = `the unsigned lines ${low + 1} and ${high + 1} are swapped`;
      return is(what, changed, at(low, 'reordered', high + 1));
    });
  const retime = fc.tuple(fc.constantFrom(...unsigned), fc.constantFrom(...unsigned)).map(([one, other]) => {
    const changed = replaced(
      lines,
      one,
      lineOf({ ...record(exists(one)), time: record(exists(other)).time, count: 3 }),
    );
    return is(
      `the unsigned line ${one + 1} has the time of ${other + 1}, and counts 3`,
      changed,
      at(one, 'changed'),
    );
  });
  const others = [editByte, editMember, remove, swap, move, duplicate, cutLines, cutBytes, splice, exchange];
  return fc.oneof(genuine, ...[...others, retime].map(plain));
}

function linesIn(bytes: Buffer): number {
  return bytes.filter((byte) => byte === 0x0a).length;
}
