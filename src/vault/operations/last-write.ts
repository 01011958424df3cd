/** The last write of the principal at this place, as the audit log has it. */
import { IntegrityError } from '../../errors.ts';
import { signatureHolds } from '../../access/digest.ts';
import { isSigned, parseRecord } from '../../audit/record.ts';
import type { Line } from '../../format/json-line.ts';
import type { SignedRecord } from '../../format/audit-record.ts';
import { openLogReader } from '../../storage/log-file.ts';
import { linesBackward, type LogSource } from '../../storage/log-lines.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';

const aborted = Buffer.from('"op":"aborted"');
const noWrite = Buffer.from('"to":""');

/**
 * `null` where the log has none. What was tried, failed or did not happen is none; what others did since is passed over.
 * @throws IntegrityError if its signature does not hold
 */
export async function lastOwnWrite(scope: Scope, { fs, audit }: Place): Promise<SignedRecord | null> {
  const log = openLogReader(fs, audit.path);
  if (log === null) return null;
  try {
    const line = findOwn(log, scope.identity.principal);
    if (line === null) return null;
    const { authority } = scope;
    const { principal, header, seq } = line.value;
    const key = authority.keyAt(principal, header);
    if (key !== null && (await signatureHolds(authority.domain, line, key, 'audit'))) return line.value;
    throw new IntegrityError(`audit log: the signature of record ${seq} is wrong`, {
      hint: '`vault audit verify` says what is wrong with the log',
    });
  } finally {
    log.close();
  }
}

/** The lock is held and the log was mended: what has no `aborted` after it has happened. */
function findOwn(log: LogSource, principal: string): Line<SignedRecord> | null {
  const own = Buffer.from(`"principal":"${principal}"`);
  const undone = new Set<string>();
  for (const { raw } of linesBackward(log)) {
    const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
    const isAborted = bytes.includes(aborted);
    if (!isAborted && (!bytes.includes(own) || bytes.includes(noWrite))) continue;
    const line = parseRecord(raw);
    if (!isSigned(line)) continue;
    const { value } = line;
    if (value.op === 'aborted') undone.add(value.detail);
    else if (value.principal === principal && value.to !== '' && !undone.has(String(value.seq))) return line;
  }
  return null;
}
