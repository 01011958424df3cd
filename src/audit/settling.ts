/**
 * Records that were read and are not settled yet: their signatures are being checked, many at a time, or they may turn out to belong to a
 * join that was aborted. They are settled in order, so that the first fault is told.
 */
import { EncryptionError } from '../errors.ts';
import { signatureHolds } from '../access/digest.ts';
import type { Authority } from '../access/authority.ts';
import type { SignedRecord } from '../format/audit-record.ts';
import type { Line } from '../format/json-line.ts';
import type { Found } from './anchors.ts';
import { AuditFault, type Fault, type Proven } from './fault.ts';
import { ofAnotherLog, wrongSignature } from './misplaced.ts';
import { mayBeVoided, OpenJoins, type Doubtful } from './open-joins.ts';
import { isSigned, type AnyRecord } from './record.ts';

/** Where a line stands. */
export type LinePlace = Pick<Fault, 'archive' | 'line'>;

interface Pending extends Doubtful, LinePlace {
  readonly record: AnyRecord;
  readonly holds: Promise<boolean> | null;
  /** Where an anchor names it. */
  readonly found: Found | null;
  decidedBy: Pending | null;
}

/** Enough signatures at a time to keep every core busy, few enough to stop early. */
const window = 256;

export class Settling {
  readonly #authority: Authority;
  readonly #meant: string | null;
  readonly #joins = new OpenJoins<Pending>();
  /** Who has signed a record before, and so has joined: from then on every signature of theirs holds. */
  readonly #established = new Set<string>();
  #pending: Pending[] = [];
  #first: Pending | null = null;
  #last: Pending | null = null;
  /** The last record whose signature holds. */
  proven: Proven | null = null;
  /** How many records were added since that one. */
  unsealed = 0;

  /** @param meant id of the log that an anchor names */
  constructor(authority: Authority, meant: string | null) {
    this.#authority = authority;
    this.#meant = meant;
  }

  async holds(line: Line<SignedRecord>): Promise<boolean> {
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

  /** Whether the last record holds by its own signature. */
  async lastHolds(): Promise<boolean> {
    return this.#last?.holds ?? false;
  }

  /** The next record, whose place in the chain is right. @throws AuditFault for an earlier one */
  async add(
    line: Line<AnyRecord>,
    place: LinePlace,
    holds: Promise<boolean> | null,
    found: Found | null,
  ): Promise<void> {
    const entry: Pending = { ...place, record: line.value, holds, found, voided: false, decidedBy: null };
    this.#pending.push(entry);
    this.#first ??= entry;
    this.#last = entry;
    if (isSigned(line)) this.#joins.add(line.value, entry);
    if (this.#pending.length >= window) await this.#settle(window / 2);
  }

  /** No record follows. @throws AuditFault for the first one that does not hold */
  async end(): Promise<void> {
    this.#joins.end();
    await this.#settle(0);
  }

  /** The same where a line is wrong: what it has decided is open again. */
  async endBefore(place: LinePlace): Promise<void> {
    const isBefore = (entry: LinePlace): boolean =>
      entry.archive !== place.archive || entry.line < place.line;
    this.#joins.end();
    for (const entry of this.#pending)
      if (entry.decidedBy !== null && !isBefore(entry.decidedBy)) entry.voided = true;
    this.#pending = this.#pending.filter(isBefore);
    await this.#settle(0);
  }

  /** Where something is wrong with a log that began with records of another one than the one that is meant: that, else `null`. */
  async foreign(): Promise<AuditFault | null> {
    const first = this.#first;
    if (first === null || this.#meant === null || first.record.log === this.#meant) return null;
    const { archive, line, record, holds } = first;
    const fault = { archive, line, sequence: record.seq };
    return this.#keyOf(record) !== null && (await holds) === false
      ? new AuditFault({ kind: 'changed', ...fault, message: wrongSignature }, null)
      : new AuditFault({ kind: 'inserted', ...fault, message: ofAnotherLog }, null);
  }

  /** In order, until so many are left, as far as it has been decided. */
  async #settle(left: number): Promise<void> {
    const open = this.#joins.open;
    const decided = open === null ? this.#pending.length : this.#pending.indexOf(open);
    const count = Math.max(0, Math.min(decided, this.#pending.length - left));
    for (const entry of this.#pending.slice(0, count)) {
      const { record, holds, voided, found } = entry;
      if (found !== null) found.before = this.proven;
      this.unsealed += 1;
      if (holds === null) continue;
      const signer = 'sig' in record ? `${record.principal} ${this.#keyOf(record) ?? ''}` : '';
      if (await holds) {
        this.#established.add(signer);
        this.proven = { sequence: record.seq, time: record.time };
        this.unsealed = 0;
      } else if (!voided || this.#established.has(signer)) throw await this.#fault(entry);
    }
    this.#pending = this.#pending.slice(count);
  }

  /** Of a record; `''` for an unsigned one, `null` for nobody's. */
  #keyOf(record: AnyRecord): string | null {
    return 'sig' in record ? this.#authority.keyAt(record.principal, record.header) : '';
  }

  /** A signature that is wrong; that of the record which says that it must hold may be wrong, too, and so the reason. */
  async #fault(entry: Pending): Promise<AuditFault> {
    const { decidedBy } = entry;
    const isReason = decidedBy !== null && !mayBeVoided(decidedBy.record.op) && !(await decidedBy.holds);
    const { archive, line, record } = isReason ? decidedBy : entry;
    const fault = { archive, line, sequence: record.seq };
    if (this.#keyOf(record) !== null)
      return new AuditFault({ kind: 'changed', ...fault, message: wrongSignature }, this.proven);
    const foreign = await this.foreign();
    if (foreign !== null) return foreign;
    const message = 'is signed by nobody that the vault knows';
    return new AuditFault({ kind: 'changed', ...fault, message }, this.proven);
  }
}
