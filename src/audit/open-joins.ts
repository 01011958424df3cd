/**
 * Records of somebody who was joining, and whose join did not come to be: killed, or stopped by the disk, before the vault was replaced, or
 * even before the join was recorded. Their keys may have reached no file, and then nobody can check them: they count as unsigned ones,
 * sealed by whoever comes next. docs/format.md section 9, `aborted`.
 */
import type { SignedRecord } from '../format/audit-record.ts';

/** What somebody who joins may have to record before, when the log is new, torn, or left open by somebody else. */
const preliminary: ReadonlySet<string> = new Set(['log', 'torn', 'aborted', 'replaced']);

/** Whether the signature of a record of this operation need not hold in the end. */
export function mayBeVoided(op: string): boolean {
  return op === 'join' || preliminary.has(op);
}

/** A signed record whose signature need not hold if its join turns out not to have happened. */
export interface Doubtful {
  voided: boolean;
  /** The record by which it was decided that its signature must hold. */
  decidedBy: Doubtful | null;
}

/**
 * Sees the signed records of a log in order. One is decided when it is clear whether it belongs to a join that happened; whoever asks gets
 * those that are still open.
 */
export class OpenJoins<T extends Doubtful> {
  #run: T[] = [];
  #join: SignedRecord | null = null;
  #principal = '';

  /** The next signed record. */
  add(record: SignedRecord, entry: T): void {
    const { op, detail, principal } = record;
    if (this.#join !== null) {
      const aborted = op === 'aborted' && detail === String(this.#join.seq);
      if (aborted) this.#void();
      if (aborted && principal === this.#principal) entry.voided = true;
      this.#close(entry);
      if (entry.voided) return;
    }
    if (!mayBeVoided(op) || principal !== this.#principal) this.#close(entry);
    if (!mayBeVoided(op)) return;
    this.#run.push(entry);
    this.#principal = principal;
    if (op === 'join') this.#join = record;
  }

  /** No record follows. */
  end(): void {
    if (this.#join !== null) this.#void();
    this.#close(null);
  }

  /** The first entry that is not decided, or `null`. */
  get open(): T | null {
    return this.#run[0] ?? null;
  }

  #void(): void {
    for (const entry of this.#run) entry.voided = true;
  }

  #close(by: T | null): void {
    // What may come before a join, and no join: whoever it was had no time for it.
    if (this.#join === null) this.#void();
    else for (const entry of this.#run) entry.decidedBy = by;
    this.#run = [];
    this.#join = null;
    this.#principal = '';
  }
}
