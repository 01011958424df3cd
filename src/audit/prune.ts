/** What stands in a log for the records that were removed from its start. docs/format.md section 9, "Pruning". Pure. */
import { IntegrityError } from '../errors.ts';
import { digest } from '../format/schema.ts';
import type { AnyRecord } from './record.ts';

export interface Pruned {
  /** Sequence of the first record that was removed; 1, unless it had been pruned before. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** Digest of the last record that was removed: what the first kept one continues. */
  readonly digest: string;
  /** SHA-256 of the bytes that were removed, as base64url. */
  readonly sha256: string;
}

const form = /^([1-9]\d{0,15}) ([1-9]\d{0,15}) ([1-9]\d{0,15}) (\S{43}) (\S{43})$/;

export function pruneDetail({ first, last, count, digest: of, sha256 }: Pruned): string {
  return `${first} ${last} ${count} ${of} ${sha256}`;
}

/** @throws IntegrityError */
export function parsePruneDetail(detail: string): Pruned {
  const [, first, last, count, of = '', sha256 = ''] = form.exec(detail) ?? [];
  const pruned = { first: Number(first), last: Number(last), count: Number(count), digest: of, sha256 };
  if (!(pruned.first <= pruned.last && pruned.count <= pruned.last - pruned.first + 1))
    throw new IntegrityError('audit log: the summary of removed records is malformed');
  digest(of, 'digest of the last removed record');
  digest(sha256, 'digest of the removed records');
  return pruned;
}

/** What of a log's first record the next one continues: its own digest, or that of the last record that it stands for. */
export function prunedDigest(record: AnyRecord): string | null {
  return 'sig' in record && record.op === 'prune' ? parsePruneDetail(record.detail).digest : null;
}
