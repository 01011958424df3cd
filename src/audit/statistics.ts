/**
 * What a log says in numbers: its records by operation and result. docs/format.md section 9.
 *
 * Counting reads how lines begin and verifies nothing: `verifyChain` proves a log. All that counts is text of the file, and nothing is decided
 * by it. A log of a million records is read in chunks; a count that was kept is carried on where the last record that it counted still stands.
 */
import type { Bytes } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import { mostOperations, type Counted } from '../storage/count-store.ts';
import type { LogScan } from '../storage/log-scan.ts';
import { recordDigest } from './record.ts';
import { operationOf, recordHeadAt, type RecordHead } from './record-head.ts';

const lineFeed = 0x0a;

export interface OperationCount {
  readonly operation: string;
  readonly ok: number;
  readonly failed: number;
}

export interface AuditStatistics {
  /** Ascending by operation. Records that the log itself needs are among them. */
  readonly operations: readonly OperationCount[];
  /** All operations. An unsigned record counts for as many as it says. */
  readonly total: number;
  readonly failed: number;
  /** Attempts to unlock that failed, of those. */
  readonly failedUnlocks: number;
  readonly last: { readonly time: string; readonly operation: string; readonly success: boolean } | null;
  /** The last record's log and number; `null` where there is none. */
  readonly head: { readonly log: string; readonly sequence: number } | null;
  readonly records: number;
  /** Lines that are no records of this log. */
  readonly unreadable: number;
  readonly sizeBytes: number;
}

export const noStatistics: AuditStatistics = {
  operations: [],
  total: 0,
  failed: 0,
  failedUnlocks: 0,
  last: null,
  head: null,
  records: 0,
  unreadable: 0,
  sizeBytes: 0,
};

/** What is counted under it has one of more operations than are told apart. */
export const otherOperations = '(other)';

interface Results {
  readonly operation: string;
  ok: number;
  failed: number;
}

/** A record that was counted, and where its line is. */
type Place = Pick<Counted['last'], 'log' | 'sequence' | 'time' | 'operation' | 'ok' | 'offset' | 'length'>;

/** Counts lines one after the other. */
class Tally {
  records: number;
  failedUnlocks: number;
  /** Lines that are no records, up to the last record. */
  unreadable: number;
  /** And after it. */
  unreadableSince = 0;
  #last: Place | null;
  readonly #operations: Map<string, Results>;
  readonly #bySpelling = new Map<string, Results>();

  constructor(known: Counted | null) {
    this.records = known?.records ?? 0;
    this.failedUnlocks = known?.failedUnlocks ?? 0;
    this.unreadable = known?.unreadable ?? 0;
    this.#last = known?.last ?? null;
    const operations = known?.operations ?? [];
    this.#operations = new Map(
      operations.map(([operation, ok, failed]) => [operation, { operation, ok, failed }]),
    );
  }

  get last(): Place | null {
    return this.#last;
  }

  /** Ascending by operation. */
  get operations(): OperationCount[] {
    return [...this.#operations.values()].sort((a, b) => (a.operation < b.operation ? -1 : 1));
  }

  line(text: string, at: number, offset: number, length: number): void {
    const head = recordHeadAt(text, at);
    const results = head === null ? null : this.#resultsOf(head);
    if (head === null || results === null) {
      this.unreadableSince += 1;
      return;
    }
    const attempts = head.attempts ?? 1;
    if (head.ok) results.ok += attempts;
    else results.failed += attempts;
    if (head.attempts !== null) this.failedUnlocks += attempts;
    this.records += 1;
    this.unreadable += this.unreadableSince;
    this.unreadableSince = 0;
    const { log, sequence, time, ok } = head;
    this.#last = { log, sequence, time, operation: results.operation, ok, offset, length };
  }

  #resultsOf({ log, operation: spelling }: RecordHead): Results | null {
    if (log !== (this.#last?.log ?? log)) return null;
    const known = this.#bySpelling.get(spelling);
    if (known !== undefined) return known;
    const name = operationOf(spelling);
    if (name === null) return null;
    if (!this.#operations.has(name) && this.#operations.size >= mostOperations)
      return this.#named(otherOperations);
    const results = this.#named(name);
    // A piece of a text keeps all of it in memory: the key is a copy.
    this.#bySpelling.set(Buffer.from(spelling, 'latin1').toString('latin1'), results);
    return results;
  }

  #named(operation: string): Results {
    const results = this.#operations.get(operation) ?? { operation, ok: 0, failed: 0 };
    this.#operations.set(operation, results);
    return results;
  }
}

/** The line at a place, without its LF; `null` if none ends there. */
function lineAt(scan: LogScan, { offset, length }: Pick<Place, 'offset' | 'length'>): Bytes | null {
  const raw = scan.read(offset, length + 1);
  return raw?.at(-1) === lineFeed ? raw.subarray(0, -1) : null;
}

/** Whether the record that was counted last is still where it was: the chain then says that those before it are, too. */
async function stillThere(domain: Domain, scan: LogScan, { last }: Counted): Promise<boolean> {
  const raw = lineAt(scan, last);
  return raw !== null && (await recordDigest(domain, raw)) === last.digest;
}

/**
 * @param known what was kept of an earlier count, of whatever log
 * @returns also what is to be kept of this one; `null` if there is no record, or the log was cut meanwhile
 */
export async function countRecords(
  domain: Domain,
  scan: LogScan,
  known: Counted | null,
): Promise<{ readonly statistics: AuditStatistics; readonly keep: Counted | null }> {
  const usable = known !== null && (await stillThere(domain, scan, known)) ? known : null;
  const tally = new Tally(usable);
  const from = usable === null ? 0 : usable.last.offset + usable.last.length + 1;
  scan.lines(from, (text, at, offset, length) => {
    tally.line(text, at, offset, length);
  });
  const statistics = statisticsOf(tally, scan.size);
  const { last, records, unreadable, failedUnlocks, operations } = tally;
  const raw = last === null ? null : lineAt(scan, last);
  if (last === null || raw === null) return { statistics, keep: null };
  const digest = await recordDigest(domain, raw);
  const { log, sequence, time, operation, ok, offset, length } = last;
  const keep: Counted = {
    last: { log, sequence, time, operation, ok, digest, offset, length },
    records,
    unreadable,
    failedUnlocks,
    operations: operations.map((one) => [one.operation, one.ok, one.failed]),
  };
  return { statistics, keep };
}

function statisticsOf(tally: Tally, sizeBytes: number): AuditStatistics {
  const { last, operations } = tally;
  const failed = operations.reduce((sum, one) => sum + one.failed, 0);
  return {
    operations: operations.map(({ operation, ok, failed: wrong }) => ({ operation, ok, failed: wrong })),
    total: operations.reduce((sum, one) => sum + one.ok, failed),
    failed,
    failedUnlocks: tally.failedUnlocks,
    last: last === null ? null : { time: last.time, operation: last.operation, success: last.ok },
    head: last === null ? null : { log: last.log, sequence: last.sequence },
    records: tally.records,
    unreadable: tally.unreadable + tally.unreadableSince,
    sizeBytes,
  };
}
