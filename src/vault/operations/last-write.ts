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

const signed = Buffer.from(',"sig":"');
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

/**
 * The lock is held and the log was mended. What was killed before it happened is told from the record after it, which found the vault as it was
 * before: what anybody says of it in words (`aborted`) is not asked.
 */
function findOwn(log: LogSource, principal: string): Line<SignedRecord> | null {
  const own = Buffer.from(`"principal":"${principal}"`);
  let found: Buffer | null = null;
  for (const { raw } of linesBackward(log)) {
    const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
    if (!bytes.includes(signed)) continue;
    const newer: Buffer | null = found;
    found = bytes;
    if (!bytes.includes(own) || bytes.includes(noWrite)) continue;
    const line = parseRecord(raw);
    if (!isSigned(line) || line.value.principal !== principal || line.value.to === '') continue;
    const { from, to } = line.value;
    if (newer === null || from === to || fromOf(newer) !== from) return line;
  }
  return null;
}

/** The vault as a signed record found it. */
function fromOf(bytes: Buffer): string | null {
  const line = parseRecord(Uint8Array.from(bytes));
  return isSigned(line) ? line.value.from : null;
}
