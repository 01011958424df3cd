/** A record that does not continue the one before it: which line is to blame, and what happened. */
import type { FaultKind } from './fault.ts';
import { mayBeVoided } from './open-joins.ts';
import type { AnyRecord } from './record.ts';

/** Where the chain stands before the record. */
export interface Position {
  readonly log: string;
  readonly seq: number;
  readonly prev: string;
  /** Whether the record before it holds by its own signature. */
  readonly holds: boolean;
}

/** The record, and what is known of it. */
export interface Misplaced {
  readonly record: AnyRecord;
  /** Whether its signature holds; `null` for an unsigned one. */
  readonly holds: boolean | null;
  /** Whether the line after it continues it; `null` if none follows. */
  readonly continued: boolean | null;
  /** Numbers of the lines that follow, as far as they say that they are of this log. */
  readonly later: ReadonlySet<number>;
}

export interface Blame {
  readonly kind: FaultKind;
  /** Whether the line before is to blame. */
  readonly before: boolean;
  /** Number of the record that is to blame. */
  readonly sequence: number;
  readonly message: string;
}

export const ofAnotherLog = 'belongs to another log: it was inserted';
export const wrongSignature = 'was changed: its signature is wrong';

export function blame(at: Position, { record, holds, continued, later }: Misplaced): Blame {
  const { log, seq, prev, op } = record;
  const expected = at.seq + 1;
  const here = (kind: FaultKind, sequence: number, message: string): Blame => ({
    kind,
    before: false,
    sequence,
    message,
  });
  if (prev === at.prev && holds !== true)
    return here('changed', expected, 'was changed: it has the number or the log of another record');
  if (log !== at.log) return here('inserted', seq, ofAnotherLog);
  if (holds === false && !mayBeVoided(op)) return here('changed', seq, wrongSignature);
  if (seq === expected) {
    // What the next line continues is as it was.
    const intact = holds === true || (continued ?? !(at.holds || holds === false));
    if (!intact) return here('changed', seq, 'was changed: it continues another record');
    const message = 'was changed or exchanged: the record after it continues another one';
    return { kind: 'changed', before: true, sequence: at.seq, message };
  }
  const follows = at.seq === 0 ? 'stands first' : `follows record ${at.seq}`;
  if (seq < expected || (later.has(expected) && later.has(seq)))
    return here('inserted', seq, `${follows}: it was inserted, or stands there twice`);
  if (later.has(expected)) return here('reordered', seq, `${follows}: records were reordered`);
  const gone = seq - 1 === expected ? `record ${expected} was` : `records ${expected} to ${seq - 1} were`;
  return here('removed', seq, `${follows}: ${gone} removed`);
}
