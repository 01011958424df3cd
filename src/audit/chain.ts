/**
 * Verifying a whole log: encoding, sequence, hash chain, signatures. docs/format.md section 9.
 * The first fault is located; what comes before it is proven.
 */
import { EncryptionError, IntegrityError } from '../errors.ts';
import { signatureHolds } from '../access/digest.ts';
import type { Authority } from '../access/authority.ts';
import type { SignedRecord } from '../format/audit-record.ts';
import type { Line } from '../format/json-line.ts';
import type { LogLine } from '../storage/log-lines.ts';
import { AuditFault, type FaultKind, type Proven } from './fault.ts';
import { OpenJoins, type Doubtful } from './open-joins.ts';
import { parsePruneDetail, pruneDetail, type Pruned } from './prune.ts';
import { isSigned, parseRecord, recordDigest, type AnyRecord } from './record.ts';

/** Whole lines of one file, in order; what follows the last LF is returned. */
export type LogLines = Generator<LogLine, number>;

export interface ChainReport {
  readonly log: string;
  readonly records: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly lastDigest: string;
  /** The last record whose signature holds seals all before it. */
  readonly proven: Proven | null;
  /** Records after that one: not sealed yet. */
  readonly unsealed: number;
  /** What stands for records that were removed before, where the first file begins with it. */
  readonly pruned: Pruned | null;
  /** Digest by sequence, for the records that were asked for. */
  readonly found: ReadonlyMap<number, string>;
}

export interface ChainOptions {
  /** Sequence numbers whose digests are wanted. */
  readonly wanted?: ReadonlySet<number>;
  /** Told now and then how many records have been looked at. */
  readonly progress?: (records: number) => void;
}

/** So many signatures are checked at a time: enough to keep every core busy, few enough to stop early. */
const window = 256;

/** A record that was read and is not settled yet: its signature is being checked, or it may turn out to be a join that was aborted. */
interface Pending extends Doubtful {
  readonly line: number;
  readonly record: AnyRecord;
  readonly holds: Promise<boolean> | null;
}

class Walk {
  readonly #authority: Authority;
  readonly #options: ChainOptions;
  readonly #joins = new OpenJoins<Pending>();
  readonly #found = new Map<number, string>();
  #pending: Pending[] = [];
  #line = 0;
  #records = 0;
  #log = '';
  #firstSeq = 0;
  #seq = 0;
  #prev = '';
  #proven: Proven | null = null;
  #settled = 0;
  #pruned: Pruned | null = null;
  /** What a summary at the start of a file still needs: the record of whoever pruned. */
  readonly #promised = new Set<string>();

  constructor(authority: Authority, options: ChainOptions) {
    this.#authority = authority;
    this.#options = options;
  }

  async file(lines: LogLines): Promise<void> {
    let first = true;
    for (let next = lines.next(); ; next = lines.next()) {
      if (next.done === true) {
        if (next.value > 0) {
          this.#line += 1;
          await this.#refuse(
            'unfinished',
            null,
            'is unfinished: a killed process leaves this, and the next command mends it',
          );
        }
        return;
      }
      this.#line += 1;
      await this.#record(next.value.raw, first, lines);
      first = false;
    }
  }

  async end(): Promise<ChainReport> {
    this.#joins.end();
    await this.#settle(0);
    if (this.#promised.size > 0) {
      const message = 'stands for removed records, but no administrator has recorded that they were removed';
      throw new AuditFault({ kind: 'removed', line: 1, sequence: this.#firstSeq, message }, null);
    }
    return {
      log: this.#log,
      records: this.#records,
      firstSeq: this.#firstSeq,
      lastSeq: this.#seq,
      lastDigest: this.#prev,
      proven: this.#proven,
      unsealed: this.#records - this.#settled,
      pruned: this.#pruned,
      found: this.#found,
    };
  }

  async #record(raw: LogLine['raw'], first: boolean, rest: LogLines): Promise<void> {
    let line: Line<AnyRecord>;
    try {
      line = parseRecord(raw);
    } catch (cause) {
      return this.#refuse('changed', null, 'was changed: it is not a well-formed record', cause);
    }
    const { value } = line;
    if (first && isSigned(line) && value.op === 'prune') return this.#summary(line);
    const holds = isSigned(line) ? this.#holds(line) : null;
    if (this.#log === '') await this.#begin(value);
    if (value.log !== this.#log || value.seq !== this.#seq + 1 || value.prev !== this.#prev)
      return this.#misplaced(value, holds, rest);
    this.#records += 1;
    this.#seq = value.seq;
    this.#prev = await recordDigest(this.#authority.domain, raw);
    if (this.#options.wanted?.has(value.seq) === true) this.#found.set(value.seq, this.#prev);
    this.#wait(line, holds);
    if (this.#pending.length >= window) await this.#settle(window / 2);
    return undefined;
  }

  async #begin({ log, seq, op }: AnyRecord): Promise<void> {
    if (seq !== 1) await this.#refuse('removed', seq, 'is not the first: records before it were removed');
    if (op !== 'log') await this.#refuse('changed', seq, 'was changed: it does not begin a log');
    this.#log = log;
    this.#firstSeq = 1;
  }

  #wait(line: Line<AnyRecord>, holds: Promise<boolean> | null): void {
    const { value: record } = line;
    const entry: Pending = { line: this.#line, record, holds, voided: false };
    this.#pending.push(entry);
    if (!isSigned(line)) return;
    this.#joins.add(line.value, entry);
    if (record.op === 'audit-prune') this.#promised.delete(`${line.value.principal} ${line.value.detail}`);
  }

  async #holds(line: Line<SignedRecord>): Promise<boolean> {
    const publicKey = this.#authority.keyAt(line.value.principal, line.value.header);
    if (publicKey === null) return false;
    try {
      return await signatureHolds(this.#authority.domain, line, publicKey, 'audit');
    } catch (error) {
      // A key that is none: nothing holds under it.
      if (error instanceof EncryptionError) return false;
      throw error;
    }
  }

  /** Settle what has been decided, in order, until so many are left. @throws AuditFault for the first that does not hold */
  async #settle(left: number): Promise<void> {
    const open = this.#joins.open;
    const decided = open === null ? this.#pending.length : this.#pending.indexOf(open);
    const count = Math.min(decided, this.#pending.length - left);
    for (const { line, record, holds, voided } of this.#pending.slice(0, Math.max(0, count))) {
      const proves = holds !== null && (await holds);
      if (holds !== null && !proves && !voided) {
        const signer = 'sig' in record ? this.#authority.keyAt(record.principal, record.header) : '';
        const message =
          signer === null
            ? 'is signed by nobody that the vault knows'
            : 'was changed: its signature is wrong';
        throw new AuditFault({ kind: 'changed', line, sequence: record.seq, message }, this.#proven);
      }
      if (!proves) continue;
      this.#proven = { sequence: record.seq, time: record.time };
      this.#settled = this.#records - (this.#seq - record.seq);
    }
    this.#pending = this.#pending.slice(Math.max(0, count));
    this.#options.progress?.(this.#records);
  }

  /** The first record of a pruned log: by an administrator, and for what came before, where that is here too. */
  async #summary(line: Line<SignedRecord>): Promise<void> {
    const { value } = line;
    const publicKey = this.#authority.keyAt(value.principal, value.header) ?? '';
    const pruned = parsePruneDetail(value.detail);
    if (
      !(await this.#holds(line)) ||
      !this.#authority.wasAdmin(value.principal, publicKey) ||
      value.prev !== '' ||
      value.seq !== pruned.last
    )
      return this.#refuse('changed', value.seq, 'was changed: it is no summary by an administrator');
    this.#promised.add(`${value.principal} ${pruneDetail(pruned)}`);
    if (this.#log === '') {
      this.#log = value.log;
      this.#firstSeq = pruned.last + 1;
      this.#seq = pruned.last;
      this.#prev = pruned.digest;
      this.#pruned = pruned;
    } else if (value.log !== this.#log || pruned.last !== this.#seq || pruned.digest !== this.#prev)
      return this.#refuse('removed', value.seq, 'stands for other records than those of the archive');
    return undefined;
  }

  /** A record that does not continue the one before it: who is to blame, and what happened. */
  async #misplaced(value: AnyRecord, holds: Promise<boolean> | null, rest: LogLines): Promise<void> {
    const { log, seq } = value;
    const expected = this.#seq + 1;
    if (log !== this.#log) return this.#refuse('inserted', seq, 'belongs to another log: it was inserted');
    if (holds !== null && !(await holds))
      return this.#refuse('changed', seq, 'was changed: its signature is wrong');
    if (seq === expected) {
      this.#line -= 1;
      return this.#refuse(
        'changed',
        this.#seq,
        'was changed or exchanged: the record after it continues another one',
      );
    }
    if (seq < expected)
      return this.#refuse(
        'inserted',
        seq,
        `follows record ${this.#seq}: it was inserted, or stands there twice`,
      );
    for (let next = rest.next(); next.done !== true; next = rest.next())
      if (sequenceOf(next.value.raw) === expected)
        return this.#refuse('reordered', seq, `follows record ${this.#seq}: records were reordered`);
    const gone = seq - 1 === expected ? `record ${expected} was` : `records ${expected} to ${seq - 1} were`;
    return this.#refuse('removed', seq, `follows record ${this.#seq}: ${gone} removed`);
  }

  /** An earlier fault that is still being looked into comes first. */
  async #refuse(kind: FaultKind, sequence: number | null, message: string, cause?: unknown): Promise<never> {
    const line = this.#line;
    this.#pending = this.#pending.filter((entry) => entry.line < line);
    this.#joins.end();
    await this.#settle(0);
    throw new AuditFault({ kind, line, sequence, message }, this.#proven, cause);
  }
}

/** The number that a line says it has, without parsing it. */
export function sequenceOf(raw: LogLine['raw']): number | null {
  const start = Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.length, 64)).toString('latin1');
  const found = /^\{"log":"[\w-]{22}","seq":(\d{1,16}),/.exec(start)?.[1];
  return found === undefined ? null : Number(found);
}

/**
 * @param files the log, after what was archived from its start, oldest first
 * @throws AuditFault for the first line that is wrong
 */
export async function verifyChain(
  authority: Authority,
  files: readonly LogLines[],
  options: ChainOptions = {},
): Promise<ChainReport> {
  const walk = new Walk(authority, options);
  for (const lines of files) await walk.file(lines);
  return walk.end();
}

/** @throws IntegrityError where something that was signed elsewhere names a record that is not this one */
export function checkAnchor(report: ChainReport, anchor: Anchor): void {
  const { log, lastSeq, pruned, firstSeq, found, proven, records } = report;
  if (anchor.log !== log)
    throw new IntegrityError(
      `audit log: ${anchor.by} names another log (${anchor.log}) than this one (${log})`,
    );
  if (anchor.seq > lastSeq) {
    const message = `is missing: the log ends at record ${lastSeq}, but ${anchor.by} names record ${anchor.seq}: it was cut`;
    throw new AuditFault(
      { kind: 'truncated', line: records + (pruned === null ? 1 : 2), sequence: lastSeq + 1, message },
      proven,
    );
  }
  if (anchor.seq < firstSeq) {
    if (pruned?.last === anchor.seq && pruned.digest !== anchor.digest)
      throw new IntegrityError(
        `audit log: record ${anchor.seq}, which was pruned, is not the one that ${anchor.by} names`,
      );
    return;
  }
  if (found.get(anchor.seq) === anchor.digest) return;
  const message = `was exchanged: it is not the one that ${anchor.by} names`;
  const line = anchor.seq - firstSeq + (pruned === null ? 1 : 2);
  throw new AuditFault({ kind: 'changed', line, sequence: anchor.seq, message }, null);
}

/** Something outside a log that names one of its records. */
export interface Anchor {
  /** For people: `the vault`, `this machine`. */
  readonly by: string;
  readonly log: string;
  readonly seq: number;
  readonly digest: string;
}
