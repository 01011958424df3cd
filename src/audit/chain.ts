/**
 * Verifying a whole log: encoding, sequence, hash chain, signatures. docs/format.md section 9.
 * The first fault is located; what comes before it is proven.
 */
import { IntegrityError } from '../errors.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { signatureHolds } from '../access/digest.ts';
import type { Authority } from '../access/authority.ts';
import { splitTail } from '../storage/log-file.ts';
import { isSigned, parseRecord, recordDigest, type AnyRecord } from './record.ts';
import type { Line } from '../format/json-line.ts';

export interface ChainReport {
  readonly log: string;
  readonly records: number;
  readonly lastSeq: number;
  readonly lastDigest: string;
  /** Unsigned records after the last signed one: not sealed yet. */
  readonly unsealed: number;
  /** Digest by sequence, for the anchors that were asked for. */
  readonly anchors: ReadonlyMap<number, string>;
  readonly parsed: readonly Line<AnyRecord>[];
}

const batch = 64;

/**
 * @param anchors sequence numbers whose digests are wanted
 * @throws IntegrityError naming the line, the sequence number and what is wrong with it
 */
export async function verifyChain(
  authority: Authority,
  bytes: Bytes,
  anchors: ReadonlySet<number>,
): Promise<ChainReport> {
  const { lines, torn } = splitTail(bytes);
  if (torn > 0)
    throw fault(lines.length, 0, 'is unfinished (a killed process leaves this; the next command mends it)');
  const parsed: Line<AnyRecord>[] = [];
  const found = new Map<number, string>();
  let log = '';
  let seq = 0;
  let prev = '';
  let unsealed = 0;
  const pending: Promise<void>[] = [];
  for (const [index, raw] of lines.entries()) {
    const line = parseAt(raw, index);
    const { value } = line;
    if (index === 0) log = value.log;
    if (index === 0 && value.op !== 'log') throw fault(index, value.seq, 'does not begin a log');
    if (value.log !== log) throw fault(index, value.seq, 'belongs to another log');
    if (index === 0 && value.seq !== 1)
      throw fault(index, value.seq, 'is not the first: records before it were removed');
    if (index > 0 && value.seq !== seq + 1) {
      throw fault(
        index,
        value.seq,
        value.seq > seq + 1
          ? `follows ${seq}: records were removed`
          : `follows ${seq}: reordered or inserted`,
      );
    }
    if (value.prev !== prev)
      throw fault(index, value.seq, 'does not continue the record before it, which was changed or removed');
    seq = value.seq;
    prev = await recordDigest(authority.domain, raw);
    if (anchors.has(seq)) found.set(seq, prev);
    if (isSigned(line)) {
      unsealed = 0;
      const publicKey = authority.keyAt(line.value.principal, line.value.header);
      if (publicKey === null) throw fault(index, seq, 'is signed by nobody that the vault knows');
      pending.push(
        signatureHolds(authority.domain, line, publicKey, 'audit').then((holds) => {
          if (!holds) throw fault(index, value.seq, 'was changed: its signature is wrong');
        }),
      );
      if (pending.length >= batch) await Promise.all(pending.splice(0));
    } else unsealed += 1;
    parsed.push(line);
  }
  await Promise.all(pending);
  return { log, records: lines.length, lastSeq: seq, lastDigest: prev, unsealed, anchors: found, parsed };
}

function parseAt(raw: Bytes, index: number): Line<AnyRecord> {
  try {
    return parseRecord(raw);
  } catch (cause) {
    throw fault(index, 0, 'was changed: it is not a well-formed record', cause);
  }
}

function fault(index: number, seq: number, what: string, cause?: unknown): IntegrityError {
  const number = seq === 0 ? '' : ` (sequence ${seq})`;
  return new IntegrityError(`audit log: line ${index + 1}${number} ${what}`, { cause });
}
