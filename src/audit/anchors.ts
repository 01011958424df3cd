/** A verified log held against what was signed, or remembered, elsewhere and names one of its records. */
import { IntegrityError } from '../errors.ts';
import { AuditFault, type Proven } from './fault.ts';
import type { Pruned } from './prune.ts';

/** Something outside a log that names one of its records. */
export interface Anchor {
  /** For people: `the vault`, `this machine`. */
  readonly by: string;
  readonly log: string;
  readonly seq: number;
  readonly digest: string;
  /** It speaks of the logs of every place: what it says of another log is not about this one. */
  readonly everyPlace?: boolean;
}

/** A record that was asked for. */
export interface Found {
  readonly digest: string;
  readonly archive: number | null;
  readonly line: number;
  /** What is proven before it. */
  before: Proven | null;
}

/** What a walk through the log has come to. */
export interface Walked {
  readonly log: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Lines of the log itself, without an unfinished one. */
  readonly lines: number;
  readonly proven: Proven | null;
  readonly pruned: Pruned | null;
  readonly found: ReadonlyMap<number, Found>;
}

/** @throws IntegrityError where an anchor names a record that is not this one */
export function checkAnchors(walked: Walked, anchors: readonly Anchor[]): void {
  for (const anchor of anchors)
    if (anchor.everyPlace !== true || anchor.log === walked.log) checkAnchor(walked, anchor);
}

function checkAnchor({ log, firstSeq, lastSeq, lines, proven, pruned, found }: Walked, anchor: Anchor): void {
  const { by, seq } = anchor;
  if (anchor.log !== log && log !== '')
    throw new IntegrityError(`audit log: ${by} names another log (${anchor.log}) than this one (${log})`);
  if (seq > lastSeq) {
    const message = `is missing: the log ends at record ${lastSeq}, but ${by} names record ${seq}: it was cut`;
    const fault = { archive: null, line: lines + 1, sequence: lastSeq + 1, message };
    throw new AuditFault({ kind: 'truncated', ...fault }, proven);
  }
  if (seq < firstSeq) {
    if (pruned?.last === seq && pruned.digest !== anchor.digest)
      throw new IntegrityError(`audit log: record ${seq}, which was pruned, is not the one that ${by} names`);
    return;
  }
  const record = found.get(seq);
  if (record?.digest === anchor.digest) return;
  const { archive = null, line = lines, before = null } = record ?? {};
  const message = `was exchanged: it is not the one that ${by} names`;
  throw new AuditFault({ kind: 'changed', archive, line, sequence: seq, message }, before);
}
