/** Making and reading single audit records: signing, digests, hashes of names. docs/format.md section 9. */
import { encodeBase64url, utf8, type Bytes } from '../crypto/bytes.ts';
import { hmacSha256, sha256 } from '../crypto/hash.ts';
import type { Domain } from '../crypto/pae.ts';
import type { SigningKey } from '../crypto/signature.ts';
import { signLine } from '../access/signing.ts';
import { encodeLine, parseLine, type Line } from '../format/json-line.ts';
import {
  signedRecord,
  unsignedRecord,
  type SignedRecord,
  type UnsignedRecord,
} from '../format/audit-record.ts';

export type AnyRecord = SignedRecord | UnsignedRecord;

/** Digest of a record: what the next one's `prev` and the snapshot's `logs` hold. */
export async function recordDigest(domain: Domain, raw: Bytes): Promise<string> {
  return encodeBase64url(await sha256(domain.encode('record', raw)));
}

/** HMAC of a secret's name under the environment's audit key: finds its records, tells a thief nothing. */
export async function nameHash(auditKey: Bytes, name: string): Promise<string> {
  return encodeBase64url(await hmacSha256(auditKey, utf8(name)));
}

export async function makeRecord(
  domain: Domain,
  key: SigningKey,
  value: Omit<SignedRecord, 'sig'>,
): Promise<Line<SignedRecord>> {
  return signLine<SignedRecord>(domain, key, value, signedRecord, 'audit record', 'audit');
}

export function makeUnsignedRecord(value: UnsignedRecord): Line<UnsignedRecord> {
  return encodeLine(value, unsignedRecord, 'audit record');
}

export function isSigned(line: Line<AnyRecord>): line is Line<SignedRecord> {
  return 'sig' in line.value;
}

/** Parse a record strictly. @throws IntegrityError */
export function parseRecord(raw: Bytes): Line<AnyRecord> {
  // Told apart by the one member that only a signed record has at its end; the shape then checks all of it.
  const ending = Buffer.from(
    raw.buffer,
    raw.byteOffset + Math.max(0, raw.length - 96),
    Math.min(96, raw.length),
  );
  return ending.includes(',"sig":"')
    ? parseLine<AnyRecord>(raw, signedRecord, 'audit record')
    : parseLine<AnyRecord>(raw, unsignedRecord, 'audit record');
}

/** The number that a line says it has, without parsing it; `null` also if it is not of the log that is meant. */
export function sequenceOf(raw: Bytes, log?: string): number | null {
  const start = Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.length, 64)).toString('latin1');
  const [, id, digits] = /^\{"log":"([\w-]{22})","seq":(\d{1,16}),/.exec(start) ?? [];
  return digits === undefined || (log !== undefined && id !== log) ? null : Number(digits);
}

/** The time that a line says it has, without parsing the rest; `null` if it does not begin like a record. */
export function timeOf(raw: Bytes): string | null {
  const start = Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.length, 96)).toString('latin1');
  return /^\{"log":"[\w-]{22}","seq":\d{1,16},"time":"([\dT:.-]{23}Z)",/.exec(start)?.[1] ?? null;
}
