/**
 * Verifying a whole log: encoding, sequence, hash chain, signatures, anchors. docs/format.md section 9.
 * The first fault is located; what comes before it is proven.
 */
import { IntegrityError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import type { SignedRecord } from '../format/audit-record.ts';
import type { Line } from '../format/json-line.ts';
import type { LogLine } from '../storage/log-lines.ts';
import { checkAnchors, type Anchor, type Found, type Walked } from './anchors.ts';
import { AuditFault, type FaultKind, type Proven } from './fault.ts';
import { blame, ofAnotherLog, type Misplaced } from './misplaced.ts';
import { parsePruneDetail, pruneDetail, type Pruned } from './prune.ts';
import { isSigned, parseRecord, recordDigest, sequenceOf, type AnyRecord } from './record.ts';
import { Settling, type LinePlace } from './settling.ts';

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

/** Progress is told after so many records. */
const often = 128;

class Walk {
  readonly #authority: Authority;
  readonly #options: ChainOptions;
  readonly #settling: Settling;
  readonly #wanted: ReadonlySet<number>;
  /** Id of the log that an anchor names. */
  readonly #meant: string | null;
  readonly #found = new Map<number, Found>();
  #archive: number | null = null;
  #line = 0;
  #records = 0;
  #log = '';
  #firstSeq = 1;
  #seq = 0;
  #prev = '';
  #pruned: Pruned | null = null;
  /** What a summary at the start of a file still needs: the record of whoever pruned. */
  readonly #promised = new Map<string, LinePlace & { readonly sequence: number }>();

  constructor(authority: Authority, options: ChainOptions) {
    this.#authority = authority;
    this.#options = options;
    this.#wanted = new Set(options.anchors?.map(({ seq }) => seq));
    this.#meant = options.anchors?.find(({ everyPlace }) => everyPlace !== true)?.log ?? null;
    this.#settling = new Settling(authority, this.#meant);
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
    await this.#settling.end();
    this.#options.progress?.(this.#records);
    checkAnchors(this.#walked(), this.#options.anchors ?? []);
    if (unfinished) await this.#unfinished();
    for (const place of this.#promised.values()) {
      const message = 'stands for removed records, but no administrator has recorded that they were removed';
      throw new AuditFault({ kind: 'removed', ...place, message }, null);
    }
    return {
      ...this.#walked(),
      records: this.#records,
      unsealed: this.#settling.unsealed,
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
      proven: this.#settling.proven,
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
    const holds = isSigned(line) ? this.#settling.holds(line) : null;
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
    const found = this.#wanted.has(value.seq) ? { ...this.#place, digest: this.#prev, before: null } : null;
    if (found !== null) this.#found.set(value.seq, found);
    if (isSigned(line) && value.op === 'audit-prune')
      this.#promised.delete(`${line.value.principal} ${line.value.detail}`);
    await this.#settling.add(line, this.#place, holds, found);
    if (this.#records % often === 0) this.#options.progress?.(this.#records);
    return undefined;
  }

  get #place(): LinePlace {
    return { archive: this.#archive, line: this.#line };
  }

  /** The first record of a pruned log: by an administrator, and for what came before, where that is here too. */
  async #summary(line: Line<SignedRecord>): Promise<void> {
    const { value } = line;
    const publicKey = this.#authority.keyAt(value.principal, value.header) ?? '';
    const pruned = parsePruneDetail(value.detail);
    if (
      pruned === null ||
      !(await this.#settling.holds(line)) ||
      !this.#authority.wasAdmin(value.principal, publicKey) ||
      value.prev !== '' ||
      value.seq !== pruned.last
    )
      return this.#refuse('changed', value.seq, 'was changed: it is no summary by an administrator');
    this.#promised.set(`${value.principal} ${pruneDetail(pruned)}`, {
      ...this.#place,
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
    const foreign = await this.#settling.foreign();
    if (foreign !== null) throw foreign;
    if (this.#seq === 0 && this.#meant !== null && value.log !== this.#meant)
      return this.#refuse('inserted', value.seq, ofAnotherLog);
    const digest = await recordDigest(this.#authority.domain, line.raw);
    const later = new Set<number>();
    let continued: boolean | null = null;
    for (const { raw } of asFarAsPossible(rest)) {
      continued ??= Buffer.from(raw).includes(`"prev":"${digest}"`);
      const number = sequenceOf(raw, this.#log);
      if (number !== null) later.add(number);
    }
    const misplaced: Misplaced = { record: value, holds: await signed, continued, later };
    const lastHolds = await this.#settling.lastHolds();
    const at = { log: this.#log, seq: this.#seq, prev: this.#prev, holds: lastHolds };
    const { kind, before, sequence, message } = blame(at, misplaced);
    if (before) this.#line -= 1;
    return this.#refuse(kind, sequence, message);
  }

  /** An earlier fault that is still being looked into comes first. */
  async #refuse(kind: FaultKind, sequence: number | null, message: string, cause?: unknown): Promise<never> {
    const place = this.#place;
    await this.#settling.endBefore(place);
    throw new AuditFault({ kind, ...place, sequence, message }, this.#settling.proven, cause);
  }
}

/** What can be read of the lines that follow a fault. */
function* asFarAsPossible(lines: LogLines): Generator<LogLine, undefined> {
  try {
    yield* lines;
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
  }
  return undefined;
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
