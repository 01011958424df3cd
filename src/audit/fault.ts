/** What can be wrong with an audit log, where, and what is proven in spite of it. */
import { IntegrityError } from '../errors.ts';

export type FaultKind =
  | 'changed'
  | 'removed'
  | 'inserted'
  | 'reordered'
  /** The end is gone: something elsewhere names a later record. */
  | 'truncated'
  /** A killed process left half a record; the next command mends it. */
  | 'unfinished';

export interface Fault {
  readonly kind: FaultKind;
  /** Number of the archive that the line is in, from 1; `null` for the log itself. */
  readonly archive: number | null;
  /** Counted from 1. Of a truncated log, the line that is missing. */
  readonly line: number;
  /** Number of the record, as far as it can be told. */
  readonly sequence: number | null;
  readonly message: string;
}

/** What comes before a fault, or all of it: sealed by the last record whose signature holds. */
export interface Proven {
  readonly sequence: number;
  readonly time: string;
}

/** The first fault of a log. */
export class AuditFault extends IntegrityError {
  readonly fault: Fault;
  readonly proven: Proven | null;

  constructor(fault: Fault, proven: Proven | null, cause?: unknown) {
    const number = fault.sequence === null ? '' : ` (record ${fault.sequence})`;
    const before =
      proven === null
        ? 'nothing before it is proven'
        : `proven up to record ${proven.sequence}, of ${proven.time}`;
    const where = fault.archive === null ? 'audit log' : `audit log, archive ${fault.archive}`;
    super(`${where}: line ${fault.line}${number} ${fault.message}; ${before}`, {
      cause,
      hint: 'keep this log for whoever looks into it; compare it with a backup or a checkpoint',
    });
    this.fault = fault;
    this.proven = proven;
  }
}
