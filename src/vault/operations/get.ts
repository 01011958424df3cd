/** Reading one value, or a version or a field of it. */
import type { SecretBytes } from '../../crypto/secret-bytes.ts';
import { SecretBytes as Secret } from '../../crypto/secret-bytes.ts';
import { readField } from '../../lifecycle/field.ts';
import type { Scope } from '../scope.ts';
import { checkExpiry, findSecret, infoFrom, pickVersion, type SecretInfo, type VersionWanted } from './secret.ts';

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
  if (options.field === null) return { value, info };
  try {
    return { value: new Secret(readField(value.bytes, options.field)), info };
  } finally {
    value.wipe();
  }
}
