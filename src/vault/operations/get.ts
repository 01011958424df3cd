/** Reading one value, or a version or a field of it. */
import { equalBytes, type Bytes } from '../../crypto/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';
import { SecretBytes } from '../../crypto/secret-bytes.ts';
import { expiryState, warningMs } from '../../lifecycle/due.ts';
import { certificateField } from '../../lifecycle/certificate.ts';
import { urlOf } from '../../lifecycle/database-credential.ts';
import { readField } from '../../lifecycle/field.ts';
import type { Scope } from '../scope.ts';
import {
  checkExpiry,
  findSecret,
  infoFrom,
  pickVersion,
  type SecretInfo,
  type VersionWanted,
} from './secret.ts';

export interface GetOptions {
  readonly environment: string | null;
  readonly name: string;
  readonly version: VersionWanted;
  readonly field: string | null;
  readonly allowExpired: boolean;
}

export interface GotSecret {
  /** Owned by the caller, who wipes it. */
  readonly value: SecretBytes;
  readonly info: SecretInfo;
  /** Days until it expires, rounded up; `null` while these are more than the policy's `expiry.days`. */
  readonly daysLeft: number | null;
}

/** @throws SecretNotFoundError, SecretExpiredError, AccessDeniedError, IntegrityError */
export async function getSecret(scope: Scope, options: GetOptions): Promise<GotSecret> {
  const found = await findSecret(scope, options.environment, options.name);
  const { reader, entry, history } = found;
  const line = pickVersion(found, options.version);
  await scope.trace.name(reader, entry.name, line.value.version);
  const [note] = await Promise.all([reader.note(line), reader.checkVersion(history, line.value.version)]);
  if (!options.allowExpired) checkExpiry(entry, note, scope.now);
  const value = await reader.open(line);
  const info = infoFrom(reader, entry, line, note);
  const daysLeft = daysUntil(scope, info.expires);
  if (options.field === null) return { value, info, daysLeft };
  try {
    return { value: new SecretBytes(fieldOf(value.bytes, options.field, info.type)), info, daysLeft };
  } finally {
    value.wipe();
  }
}

function daysUntil(scope: Scope, expires: string | null): number | null {
  const now = scope.now.getTime();
  if (expiryState(expires, now, warningMs(scope.policy)) === 'live' || expires === null) return null;
  return Math.ceil((Date.parse(expires) - now) / 86_400_000);
}

const openBrace = 0x7b;

/** A database credential has a field that is made of the others: its URL. Those of a certificate are in it. */
function fieldOf(value: Bytes, field: string, type: SecretInfo['type']): Bytes {
  if (type === 'database-credential' && field === 'url') return urlOf(value);
  const isJson = value[0] === openBrace;
  return type === 'certificate' && !isJson ? certificateField(value, field) : readField(value, field);
}

/** Whether a candidate (borrowed) is the current value. Digests are compared, so that time depends on nothing but lengths. */
export async function verifySecret(
  scope: Scope,
  environment: string | null,
  name: string,
  candidate: Bytes,
): Promise<boolean> {
  const { value } = await getSecret(scope, {
    environment,
    name,
    version: null,
    field: null,
    allowExpired: true,
  });
  const [stored, given] = await Promise.all([sha256(value.bytes), sha256(candidate)]);
  value.wipe();
  return equalBytes(stored, given);
}
