/**
 * Verifying a whole log: encoding, sequence, hash chain, signatures, anchors. docs/format.md section 9.
 * The first fault is located; what comes before it is proven.
 */
import { EncryptionError, IntegrityError } from '../errors.ts';
import { signatureHolds } from '../access/digest.ts';
import type { Authority } from '../access/authority.ts';
import type { SignedRecord } from '../format/audit-record.ts';
import type { Line } from '../format/json-line.ts';
import type { LogLine } from '../storage/log-lines.ts';
import { checkAnchors, type Anchor, type Found, type Walked } from './anchors.ts';
import { AuditFault, type Fault, type FaultKind, type Proven } from './fault.ts';
import { blame, ofAnotherLog, wrongSignature, type Misplaced } from './misplaced.ts';
import { mayBeVoided, OpenJoins, type Doubtful } from './open-joins.ts';
import { parsePruneDetail, pruneDetail, type Pruned } from './prune.ts';
import { isSigned, parseRecord, recordDigest, type AnyRecord } from './record.ts';

/** Whole lines of one file, in order; what follows the last LF is returned. */
export type LogLines = Generator<LogLine, number>;

export interface ChainReport {
  readonly log: string;
  readonly records: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** The last record whose signature holds seals all before it. */
  readonly proven: Proven | null;
  /** Records after that one: not sealed yet. */
  readonly unsealed: number;
  /** What stands for records that were removed before, where the first file begins with it. */
  readonly pruned: Pruned | null;
}

export interface ChainOptions {
  /** What names records of the log. */
  readonly anchors?: readonly Anchor[];
  /** Told now and then how many records have been looked at. */
  readonly progress?: (records: number) => void;
}

/** So many signatures are checked at a time: enough to keep every core busy, few enough to stop early. */
const window = 256;

/** A record that was read and is not settled yet: its signature is being checked, or it may turn out to be a join that was aborted. */
interface Pending extends Doubtful {
  readonly archive: number | null;
  readonly line: number;
  readonly record: AnyRecord;
  readonly holds: Promise<boolean> | null;
  decidedBy: Pending | null;
}

type Place = Pick<Fault, 'archive' | 'line'>;

class Walk {
  readonly #authority: Authority;
  readonly #options: ChainOptions;
  readonly #joins = new OpenJoins<Pending>();
  readonly #wanted: ReadonlySet<number>;
  /** Id of the log that an anchor names. */
  readonly #meant: string | null;
  readonly #found = new Map<number, Found>();
  #pending: Pending[] = [];
  #first: Pending | null = null;
  #last: Pending | null = null;
  #archive: number | null = null;
  #line = 0;
  #records = 0;
  #log = '';
  #firstSeq = 1;
  #seq = 0;
  #prev = '';
  #proven: Proven | null = null;
  #settled = 0;
  #pruned: Pruned | null = null;
  /** Who has signed a record before, and so has joined: from then on every signature of theirs holds. */
  readonly #established = new Set<string>();
  /** What a summary at the start of a file still needs: the record of whoever pruned. */
  readonly #promised = new Map<string, Place & { readonly sequence: number }>();

  constructor(authority: Authority, options: ChainOptions) {
    this.#authority = authority;
    this.#options = options;
    this.#wanted = new Set(options.anchors?.map(({ seq }) => seq));
    this.#meant = options.anchors?.find(({ everyPlace }) => everyPlace !== true)?.log ?? null;
  }

  /** @returns whether the last line is unfinished */
  async file(lines: LogLines, archive: number | null): Promise<boolean> {
    this.#archive = archive;
    this.#line = 0;
    for (;;) {
      const next = await this.#next(lines);
      if (next.done === true) {
        if (next.value > 0 && archive !== null) await this.#unfinished();
        return next.value > 0;
      }
      this.#line += 1;
      await this.#record(next.value.raw, lines);
    }
  }

  async #next(lines: LogLines): Promise<IteratorResult<LogLine, number>> {
    try {
      return lines.next();
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      this.#line += 1;
      return this.#refuse('changed', null, 'was changed: it is longer than a record may be', error);
    }
  }

  /** @param unfinished whether a line without its end follows the last whole one */
  async end(unfinished: boolean): Promise<ChainReport> {
    this.#joins.end();
    await this.#settle(0);
    checkAnchors(this.#walked(), this.#options.anchors ?? []);
    if (unfinished) await this.#unfinished();
    for (const place of this.#promised.values()) {
      const message = 'stands for removed records, but no administrator has recorded that they were removed';
      throw new AuditFault({ kind: 'removed', ...place, message }, null);
    }
    return {
      ...this.#walked(),
      records: this.#records,
      unsealed: this.#records - this.#settled,
    };
  }

  async #unfinished(): Promise<never> {
    this.#line += 1;
    const why = 'a killed process leaves this, and the next command mends it';
    return this.#refuse('unfinished', null, `is unfinished: ${this.#archive === null ? why : 'it was cut'}`);
  }

  #walked(): Walked {
    return {
      log: this.#log,
      firstSeq: this.#firstSeq,
      lastSeq: this.#seq,
      lines: this.#line,
      proven: this.#proven,
      pruned: this.#pruned,
      found: this.#found,
    };
  }

  async #record(raw: LogLine['raw'], rest: LogLines): Promise<void> {
    let line: Line<AnyRecord>;
    try {
      line = parseRecord(raw);
    } catch (cause) {
      const number = sequenceOf(raw) === this.#seq + 1 ? this.#seq + 1 : null;
      return this.#refuse('changed', number, 'was changed: it is not a well-formed record', cause);
    }
    const { value } = line;
    if (this.#line === 1 && isSigned(line) && value.op === 'prune') return this.#summary(line);
    const holds = isSigned(line) ? this.#holds(line) : null;
    if (this.#log === '') this.#log = value.log;
    if (value.log !== this.#log || value.seq !== this.#seq + 1 || value.prev !== this.#prev)
      return this.#misplaced(line, holds, rest);
    if ((value.seq === 1) !== (value.op === 'log') || value.op === 'prune')
      return this.#refuse(
        'changed',
        value.seq,
        'was changed: it does not stand where a log begins, or it should',
      );
    this.#records += 1;
    this.#seq = value.seq;
    this.#prev = await recordDigest(this.#authority.domain, raw);
    if (this.#wanted.has(value.seq))
      this.#found.set(value.seq, { ...this.#place(), digest: this.#prev, before: null });
    this.#wait(line, holds);
    if (this.#pending.length >= window) await this.#settle(window / 2);
    return undefined;
  }

  #place(): Place {
    return { archive: this.#archive, line: this.#line };
  }

  #wait(line: Line<AnyRecord>, holds: Promise<boolean> | null): void {
    const { value: record } = line;
    const entry: Pending = { ...this.#place(), record, holds, voided: false, decidedBy: null };
    this.#pending.push(entry);
    this.#first ??= entry;
    this.#last = entry;
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
    for (const entry of this.#pending.slice(0, Math.max(0, count))) {
      const { record, holds, voided } = entry;
      const found = this.#found.get(record.seq);
      if (found !== undefined) found.before = this.#proven;
      const proves = holds !== null && (await holds);
      const signer = this.#signerOf(record);
      if (holds !== null && !proves && (!voided || this.#established.has(signer)))
        throw await this.#unsigned(entry);
      if (!proves) continue;
      this.#established.add(signer);
      this.#proven = { sequence: record.seq, time: record.time };
      this.#settled = this.#records - (this.#seq - record.seq);
    }
    this.#pending = this.#pending.slice(Math.max(0, count));
    this.#options.progress?.(this.#records);
  }

  /** A principal and a key of theirs. */
  #signerOf(record: AnyRecord): string {
    return 'sig' in record
      ? `${record.principal} ${this.#authority.keyAt(record.principal, record.header) ?? ''}`
      : '';
  }

  /** A signature that is wrong; that of the record which says that it must hold may be wrong, too, and so the reason. */
  async #unsigned(entry: Pending): Promise<AuditFault> {
    const { decidedBy } = entry;
    const isReason = decidedBy !== null && !mayBeVoided(decidedBy.record.op) && !(await decidedBy.holds);
    const { archive, line, record } = isReason ? decidedBy : entry;
    const signer = 'sig' in record ? this.#authority.keyAt(record.principal, record.header) : '';
    const fault = { archive, line, sequence: record.seq };
    if (signer !== null)
      return new AuditFault({ kind: 'changed', ...fault, message: wrongSignature }, this.#proven);
    if (this.#meant !== null && record.log !== this.#meant)
      return new AuditFault({ kind: 'inserted', ...fault, message: ofAnotherLog }, this.#proven);
    const message = 'is signed by nobody that the vault knows';
    return new AuditFault({ kind: 'changed', ...fault, message }, this.#proven);
  }

  /** The first record of a pruned log: by an administrator, and for what came before, where that is here too. */
  async #summary(line: Line<SignedRecord>): Promise<void> {
    const { value } = line;
    const publicKey = this.#authority.keyAt(value.principal, value.header) ?? '';
    const pruned = parsePruneDetail(value.detail);
    if (
      pruned === null ||
      !(await this.#holds(line)) ||
      !this.#authority.wasAdmin(value.principal, publicKey) ||
      value.prev !== '' ||
      value.seq !== pruned.last
    )
      return this.#refuse('changed', value.seq, 'was changed: it is no summary by an administrator');
    this.#promised.set(`${value.principal} ${pruneDetail(pruned)}`, {
      ...this.#place(),
      sequence: value.seq,
    });
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

  async #misplaced(line: Line<AnyRecord>, signed: Promise<boolean> | null, rest: LogLines): Promise<never> {
    const { value } = line;
    if (this.#first !== null && this.#log !== this.#meant && value.log === this.#meant)
      throw await this.#foreign(this.#first);
    if (this.#seq === 0 && this.#meant !== null && value.log !== this.#meant)
      return this.#refuse('inserted', value.seq, ofAnotherLog);
    const digest = await recordDigest(this.#authority.domain, line.raw);
    const later = new Set<number>();
    let continued: boolean | null = null;
    for (let next = rest.next(); next.done !== true; next = rest.next()) {
      const { raw } = next.value;
      continued ??= Buffer.from(raw).includes(`"prev":"${digest}"`);
      const number = sequenceOf(raw, this.#log);
      if (number !== null) later.add(number);
    }
    const misplaced: Misplaced = { record: value, holds: await signed, continued, later };
    const last = await (this.#last?.holds ?? false);
    const at = { log: this.#log, seq: this.#seq, prev: this.#prev, holds: last };
    const { kind, before, sequence, message } = blame(at, misplaced);
    if (before) this.#line -= 1;
    return this.#refuse(kind, sequence, message);
  }

  /** The log that is meant begins only after this one. */
  async #foreign({ archive, line, record, holds }: Pending): Promise<AuditFault> {
    const known = 'sig' in record && this.#authority.keyAt(record.principal, record.header) !== null;
    const fault = { archive, line, sequence: record.seq };
    return known && !(await holds)
      ? new AuditFault({ kind: 'changed', ...fault, message: 'was changed: its signature is wrong' }, null)
      : new AuditFault(
          { kind: 'inserted', ...fault, message: 'belongs to another log: it was inserted' },
          null,
        );
  }

  /** An earlier fault that is still being looked into comes first. */
  async #refuse(kind: FaultKind, sequence: number | null, message: string, cause?: unknown): Promise<never> {
    const place = this.#place();
    const isBefore = (entry: Place): boolean => entry.archive !== place.archive || entry.line < place.line;
    this.#joins.end();
    // What this line has decided is open again.
    for (const entry of this.#pending)
      if (entry.decidedBy !== null && !isBefore(entry.decidedBy)) entry.voided = true;
    this.#pending = this.#pending.filter(isBefore);
    await this.#settle(0);
    throw new AuditFault({ kind, ...place, sequence, message }, this.#proven, cause);
  }
}

/** The number that a line says it has, without parsing it; `null` also if it is not of the log that is meant. */
export function sequenceOf(raw: LogLine['raw'], log?: string): number | null {
  const start = Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.length, 64)).toString('latin1');
  const [, id, digits] = /^\{"log":"([\w-]{22})","seq":(\d{1,16}),/.exec(start) ?? [];
  return digits === undefined || (log !== undefined && id !== log) ? null : Number(digits);
}

/**
 * @param files the log, after what was archived from its start, oldest first
 * @throws AuditFault for the first line that is wrong; IntegrityError for another log than the one that an anchor names
 */
export async function verifyChain(
  authority: Authority,
  files: readonly LogLines[],
  options: ChainOptions = {},
): Promise<ChainReport> {
  const walk = new Walk(authority, options);
  let unfinished = false;
  for (const [index, lines] of files.entries())
    unfinished = await walk.file(lines, index === files.length - 1 ? null : index + 1);
  return walk.end(unfinished);
}
