/**
 * The end of an audit log held against its anchors: what this machine remembers of it, and what the snapshot names. docs/format.md
 * section 6, "What a machine remembers".
 */
import { IntegrityError } from '../errors.ts';
import { prunedDigest } from '../audit/prune.ts';
import { isSigned, parseRecord, recordDigest } from '../audit/record.ts';
import type { Bytes } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import type { SignedRecord } from '../format/audit-record.ts';
import type { VaultDocument } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import type { LogFile } from '../storage/log-file.ts';
import type { RememberedLog } from '../storage/state-store.ts';
import type { Place } from './place.ts';

/** The last record of a log. */
export interface LogPoint {
  readonly id: string;
  readonly seq: number;
  readonly digest: string;
}

/**
 * Where an existing log stands, after holding its end against what is remembered and what the snapshot names.
 * @throws IntegrityError if it is another log, cut, or changed where it is anchored
 */
export async function attachPoint(
  place: Place,
  domain: Domain,
  file: LogFile,
  known: RememberedLog | null,
  document: VaultDocument,
): Promise<LogPoint> {
  const first = known?.seq ?? 0;
  const { lines, complete } = file.tail((tail) => known === null || sequenceOf(tail[0]) <= first);
  const last = lines.at(-1);
  if (last === undefined) throw missing(place, 'it has no whole record');
  const record = parseRecord(last).value;
  const { log, seq } = record;
  if (known !== null && known.id !== log) throw missing(place, 'another log stands in its place');
  const anchors = new Map<number, string>();
  if (known !== null) anchors.set(known.seq, known.digest);
  const anchored = document.snapshot.value.logs.find(([id]) => id === log);
  if (anchored !== undefined) anchors.set(anchored[1], anchored[2]);
  for (const [wanted, digest] of anchors) {
    if (wanted > seq) throw cut(place, seq, wanted);
    const index = lines.length - 1 - (seq - wanted);
    const raw = lines[index];
    if (raw === undefined) {
      // Further back than was read: full verification covers it. A complete log that lacks it was cut or pruned.
      if (complete && sequenceOf(lines[0]) <= wanted) throw cut(place, seq, wanted);
      continue;
    }
    if ((await linkDigest(domain, raw, complete && index === 0)) !== digest) {
      throw new IntegrityError(
        `audit log ${place.audit.path}: record ${wanted} is not the one that was anchored`,
      );
    }
  }
  const linked = lines.slice(-1 - Math.max(0, seq - (known?.seq ?? seq)));
  await checkLinks(place, domain, linked, complete && linked.length === lines.length);
  return { id: log, seq, digest: await recordDigest(domain, last) };
}

/** The last record that somebody signed, or `null`; not that of a cut, which says nothing of the vault. */
export function lastSigned(lines: readonly Bytes[]): Line<SignedRecord> | null {
  for (let index = lines.length - 1; index >= 0; index--) {
    const raw = lines[index];
    const line = raw === undefined ? null : parseRecord(raw);
    if (line !== null && isSigned(line) && line.value.op !== 'torn') return line;
  }
  return null;
}

function sequenceOf(raw: Bytes | undefined): number {
  return raw === undefined ? 0 : parseRecord(raw).value.seq;
}

/** What the next record continues. The first one of a log may stand for others. */
async function linkDigest(domain: Domain, raw: Bytes, isFirst: boolean): Promise<string> {
  const pruned = isFirst ? prunedDigest(parseRecord(raw).value) : null;
  return pruned ?? recordDigest(domain, raw);
}

async function checkLinks(
  place: Place,
  domain: Domain,
  lines: readonly Bytes[],
  fromStart: boolean,
): Promise<void> {
  for (const [index, raw] of lines.entries()) {
    const before = lines[index - 1];
    if (before === undefined) continue;
    const { seq, prev } = parseRecord(raw).value;
    if (prev !== (await linkDigest(domain, before, fromStart && index === 1))) {
      throw new IntegrityError(
        `audit log ${place.audit.path}: record ${seq} does not continue the one before it`,
      );
    }
  }
}

const acceptHint =
  'put the log back; if it is lost for good, an administrator accepts that with `vault verify --accept-rollback`';

export function missing(place: Place, why: string): IntegrityError {
  return new IntegrityError(`the audit log ${place.audit.path} is missing: ${why}`, { hint: acceptHint });
}

function cut(place: Place, found: number, wanted: number): IntegrityError {
  const message = `the audit log ${place.audit.path} was cut: it ends at record ${found}, record ${wanted} is anchored`;
  return new IntegrityError(message, { hint: acceptHint });
}
