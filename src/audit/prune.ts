/** What stands in a log for the records that were removed from its start. docs/format.md section 9, "Pruning". Pure. */
import { parseBase64url } from '../crypto/bytes.ts';
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

/** `null` if it is no such text. */
export function parsePruneDetail(detail: string): Pruned | null {
  const [, first, last, count, of = '', sha256 = ''] = form.exec(detail) ?? [];
  const pruned = { first: Number(first), last: Number(last), count: Number(count), digest: of, sha256 };
  const isDigest = (text: string): boolean => parseBase64url(text)?.length === 32;
  const holds = pruned.first <= pruned.last && pruned.count === pruned.last - pruned.first + 1;
  return holds && isDigest(of) && isDigest(sha256) ? pruned : null;
}

/** What the record after a log's first one continues, where that stands for others: the last of them. */
export function prunedDigest(first: AnyRecord): string | null {
  return 'sig' in first && first.op === 'prune' ? (parsePruneDetail(first.detail)?.digest ?? null) : null;
}
