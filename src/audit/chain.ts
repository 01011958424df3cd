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
import type { SignedRecord } from '../format/audit-record.ts';
import type { Line } from '../format/json-line.ts';

export interface ChainReport {
  readonly log: string;
  readonly records: number;
  readonly lastSeq: number;
  readonly lastDigest: string;
  /** Records after the last one whose signature holds: not sealed yet. */
  readonly unsealed: number;
  /** Digest by sequence, for the anchors that were asked for. */
  readonly anchors: ReadonlyMap<number, string>;
  readonly parsed: readonly Line<AnyRecord>[];
}

const batch = 64;

/** What the walk along the chain carries from record to record. */
interface Walk {
  log: string;
  seq: number;
  prev: string;
}

/** What is wrong with a record's place in the chain, or `null`. */
function placeProblem(walk: Walk, index: number, { log, seq, prev, op }: AnyRecord): string | null {
  if (index === 0 && op !== 'log') return 'does not begin a log';
  if (log !== walk.log) return 'belongs to another log';
  if (index === 0 && seq !== 1) return 'is not the first: records before it were removed';
  if (index > 0 && seq > walk.seq + 1) return `follows ${walk.seq}: records were removed`;
  if (index > 0 && seq <= walk.seq) return `follows ${walk.seq}: reordered or inserted`;
  return prev === walk.prev ? null : 'does not continue the record before it, which was changed or removed';
}

async function signatureFault(
  authority: Authority,
  line: Line<SignedRecord>,
  index: number,
): Promise<IntegrityError | null> {
  const { principal, header, seq } = line.value;
  const publicKey = authority.keyAt(principal, header);
  if (publicKey === null) return fault(index, seq, 'is signed by nobody that the vault knows');
  const holds = await signatureHolds(authority.domain, line, publicKey, 'audit');
  return holds ? null : fault(index, seq, 'was changed: its signature is wrong');
}

/**
 * @param anchors sequence numbers whose digests are wanted
 * @throws IntegrityError naming the first line that is wrong, its sequence number and what is wrong with it
 */
export async function verifyChain(
  authority: Authority,
  bytes: Bytes,
  anchors: ReadonlySet<number>,
): Promise<ChainReport> {
  const { lines, torn } = splitTail(bytes);
  const parsed: Line<AnyRecord>[] = [];
  const found = new Map<number, string>();
  const walk: Walk = { log: '', seq: 0, prev: '' };
  const voided = abortedJoins(lines);
  let unsealed = 0;
  // Checked while the walk goes on; settled in order, so that the first fault is the one that is told.
  let signatures: Promise<IntegrityError | null>[] = [];
  const settle = async (): Promise<void> => {
    const faults = await Promise.all(signatures);
    signatures = [];
    const first = faults.find((one): one is IntegrityError => one !== null);
    if (first !== undefined) throw first;
  };
  const refuse = async (error: IntegrityError): Promise<never> => {
    await settle();
    throw error;
  };
  for (const [index, raw] of lines.entries()) {
    const line = parseAt(raw, index);
    if (line instanceof IntegrityError) return refuse(line);
    const { value } = line;
    if (index === 0) walk.log = value.log;
    const problem = placeProblem(walk, index, value);
    if (problem !== null) return refuse(fault(index, value.seq, problem));
    walk.seq = value.seq;
    walk.prev = await recordDigest(authority.domain, raw);
    if (anchors.has(value.seq)) found.set(value.seq, walk.prev);
    const lost = voided.has(index);
    const proves = isSigned(line) && (!lost || (await signatureFault(authority, line, index)) === null);
    unsealed = proves ? 0 : unsealed + 1;
    if (proves && !lost) signatures.push(signatureFault(authority, line, index));
    if (signatures.length >= batch) await settle();
    parsed.push(line);
  }
  if (torn > 0) {
    const what = 'is unfinished (a killed process leaves this; the next command mends it)';
    return refuse(fault(lines.length, 0, what));
  }
  await settle();
  const { log, seq: lastSeq, prev: lastDigest } = walk;
  return { log, records: lines.length, lastSeq, lastDigest, unsealed, anchors: found, parsed };
}

/** What somebody who joins may have to record before, when the log is new, torn, or left open by somebody else. */
const preliminary: ReadonlySet<string> = new Set(['log', 'torn', 'aborted', 'replaced']);

/**
 * Records of somebody who was joining, and whose join did not come to be: killed, or stopped by the disk, before the vault was replaced.
 * Their keys may have reached no file, and then nobody can check them. They count as unsigned ones, sealed by whoever comes next.
 * @returns line indexes
 */
function abortedJoins(lines: readonly Bytes[]): ReadonlySet<number> {
  const voided = new Set<number>();
  /** The next signed record in a direction: attempts that nobody signed may stand between. */
  const signedFrom = (from: number, step: 1 | -1): [number, SignedRecord] | null => {
    for (let index = from; ; index += step) {
      const raw = lines[index];
      const line = raw === undefined ? null : parseAt(raw, index);
      if (line === null || line instanceof IntegrityError) return null;
      if (isSigned(line)) return [index, line.value];
    }
  };
  const wanted = Buffer.from('"op":"join"');
  for (const [index, raw] of lines.entries()) {
    if (!Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.length, 256)).includes(wanted)) continue;
    const join = signedFrom(index, 1)?.[1];
    if (join?.op !== 'join') continue;
    const after = signedFrom(index + 1, 1);
    if (after !== null) {
      const [next, { op, detail, principal }] = after;
      if (op !== 'aborted' || detail !== String(join.seq)) continue;
      if (principal === join.principal) voided.add(next);
    }
    voided.add(index);
    for (let before = signedFrom(index - 1, -1); before !== null; before = signedFrom(before[0] - 1, -1)) {
      const [at, { op, principal }] = before;
      if (principal !== join.principal || !preliminary.has(op)) break;
      voided.add(at);
    }
  }
  return voided;
}

function parseAt(raw: Bytes, index: number): Line<AnyRecord> | IntegrityError {
  try {
    return parseRecord(raw);
  } catch (cause) {
    return fault(index, 0, 'was changed: it is not a well-formed record', cause);
  }
}

function fault(index: number, seq: number, what: string, cause?: unknown): IntegrityError {
  const number = seq === 0 ? '' : ` (sequence ${seq})`;
  return new IntegrityError(`audit log: line ${index + 1}${number} ${what}`, { cause });
}
