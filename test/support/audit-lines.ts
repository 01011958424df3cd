/** Lines of an audit log that nobody signed: well-formed by the format, for tests of what reads logs and verifies nothing. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { countRecords } from '../../src/audit/statistics.ts';
import { parseRecord } from '../../src/audit/record.ts';
import { encodeBase64url, utf8 } from '../../src/crypto/bytes.ts';
import { Domain } from '../../src/crypto/pae.ts';
import type { SignedRecord, UnsignedRecord } from '../../src/format/audit-record.ts';
import type { Counted } from '../../src/storage/count-store.ts';
import { realFileSystem, type FileSystem } from '../../src/storage/file-system.ts';
import { openLogScan } from '../../src/storage/log-scan.ts';

const filled = (length: number, byte: number): string => encodeBase64url(new Uint8Array(length).fill(byte));

export const logId = filled(16, 7);
const domain = new Domain(filled(16, 1));
export const moment = '2026-11-22T08:00:38.123Z';

export function signedLine(changes: Partial<SignedRecord> = {}): string {
  const record: SignedRecord = {
    log: logId,
    seq: 1,
    time: moment,
    op: 'get',
    ok: true,
    code: '',
    principal: filled(8, 2),
    environment: '',
    secrets: [[filled(8, 3), filled(32, 4), 1]],
    context: { user: 'ada', host: 'engine', address: '', program: 'vault', session: '' },
    source: 'file',
    detail: '',
    header: 1,
    from: '',
    to: '',
    prev: filled(32, 5),
    sig: filled(64, 6),
    ...changes,
  };
  return JSON.stringify(record);
}

export function unsignedLine(changes: Partial<UnsignedRecord> = {}): string {
  const record: UnsignedRecord = {
    log: logId,
    seq: 1,
    time: moment,
    op: 'unlock',
    ok: false,
    count: 1,
    prev: filled(32, 5),
    ...changes,
  };
  return JSON.stringify(record);
}

/** A record that is to follow others. */
type Following = (place: { readonly seq: number; readonly prev: string }) => string;

/** One after the other, as a log has them: each names the digest of the one before. */
export function chain(following: readonly Following[], first = 1): string[] {
  let prev = '';
  return following.map((line, index) => {
    const text = line({ seq: first + index, prev });
    prev = createHash('sha256')
      .update(domain.encode('record', utf8(text)))
      .digest('base64url');
    return text;
  });
}

const text = (most: number, least = 0): fc.Arbitrary<string> =>
  fc.string({ unit: 'binary', minLength: least, maxLength: most });

/** Names of operations: usual ones, any text, and text that looks like the members around it. */
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('get', 'put', 'exec', 'access-add', 'unlock', 'log', 'prune') },
  { weight: 1, arbitrary: text(16, 1) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('get","ok":true,"code":"', '\\', '\\"', '"op":"get"', '__proto__', 'ключ'),
  },
);
const hostile = fc.oneof(
  text(20),
  fc.constantFrom('"op":"get","ok":true,"code":"', '\n{"log":"', '","seq":9,"op":"put","ok":false', '\\'),
);

const signed = fc
  .record({
    op: operation,
    ok: fc.boolean(),
    code: hostile,
    detail: hostile,
    user: hostile,
    address: hostile,
  })
  .map(({ op, ok, code, detail, user, address }): Following => (place) => {
    const context = { user, host: 'engine', address, program: 'vault', session: '' };
    return signedLine({ ...place, op, ok, code, detail, context });
  });
const unsigned = fc.integer({ min: 1, max: 1_000 }).map(
  (count): Following =>
    (place) =>
      unsignedLine({ ...place, count }),
);

/** Records of one log, one after the other. */
export const recordLines: fc.Arbitrary<string[]> = fc
  .array(fc.oneof({ weight: 5, arbitrary: signed }, { weight: 1, arbitrary: unsigned }), { maxLength: 30 })
  .map((following) => chain(following));

export type Counts = Readonly<Record<string, readonly [ok: number, failed: number]>>;

/** Counted by parsing every line whole and strictly. */
export function naiveCounts(lines: readonly string[]): Counts {
  const counts = new Map<string, [number, number]>();
  for (const line of lines) {
    const record = parseRecord(utf8(line)).value;
    const [ok, failed] = counts.get(record.op) ?? [0, 0];
    const attempts = 'count' in record ? record.count : 1;
    counts.set(record.op, record.ok ? [ok + attempts, failed] : [ok, failed + attempts]);
  }
  return Object.fromEntries(counts);
}

export interface CountedLog extends Awaited<ReturnType<typeof countRecords>> {
  readonly counts: Counts;
}

/** Count what is in a file. */
export async function countFile(
  file: string,
  known: Counted | null = null,
  fs: FileSystem = realFileSystem,
): Promise<CountedLog> {
  const scan = openLogScan(fs, file);
  if (scan === null) throw new Error(`there is no ${file}`);
  try {
    const result = await countRecords(domain, scan, known);
    const { operations } = result.statistics;
    const pairs = operations.map(({ operation: name, ok, failed }) => [name, [ok, failed] as const] as const);
    return { ...result, counts: Object.fromEntries(pairs) };
  } finally {
    scan.close();
  }
}

export function writeLog(file: string, lines: readonly string[], rest = ''): void {
  writeFileSync(file, lines.map((line) => `${line}\n`).join('') + rest);
}
