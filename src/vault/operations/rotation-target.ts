/** What a rotation starts from: the secret as it is, and which old values were let go. */
import { SecretNotFoundError } from '../../errors.ts';
import { isSigned, parseRecord } from '../../audit/record.ts';
import { openLogReader } from '../../storage/log-file.ts';
import { linesBackward } from '../../storage/log-lines.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import type { SecretInfo } from '../secret-info.ts';
import { auditKeysOf, hashesBy } from './audit-names.ts';
import { findSecret, infoOf } from './secret.ts';

/** The secret, or `null` where there is none: whoever tries to rotate it puts that on record. */
export async function rotationTarget(
  scope: Scope,
  environment: string | null,
  name: string,
): Promise<SecretInfo | null> {
  try {
    return await infoOf(await findSecret(scope, environment, name));
  } catch (error) {
    if (error instanceof SecretNotFoundError) return null;
    throw error;
  }
}

/** The operation by which an old value is let go; its record has the version that had come in its place. */
export const retireOperation = 'rotate-retire';

const marked = Buffer.from(`"op":"${retireOperation}"`);

type Version = Pick<SecretInfo, 'environment' | 'name' | 'version'>;

/**
 * Those of these versions in whose place nothing old is valid any more, as this place's audit log has it. Letting go twice does no harm, so
 * a log elsewhere, or one that was pruned, costs a second time and nothing else.
 */
export async function retiredAmong<T extends Version>(
  scope: Scope,
  place: Place,
  versions: readonly T[],
): Promise<ReadonlySet<T>> {
  if (versions.length === 0) return new Set();
  const wanted = new Map<string, T>();
  const keys = new Map<string, readonly Bytes[]>();
  for (const one of versions) {
    const reader = await scope.reader(one.environment);
    const own = keys.get(reader.id) ?? (await auditKeysOf(scope, reader));
    keys.set(reader.id, own);
    for (const hash of await hashesBy(own, one.name)) wanted.set(`${reader.id} ${hash} ${one.version}`, one);
  }
  const found = new Set<T>();
  const log = openLogReader(place.fs, place.audit.path);
  if (log === null) return found;
  try {
    for (const { raw } of linesBackward(log)) {
      if (!Buffer.from(raw.buffer, raw.byteOffset, raw.length).includes(marked)) continue;
      const record = parseRecord(raw);
      if (!isSigned(record) || !record.value.ok) continue;
      for (const [environment, hash, version] of record.value.secrets) {
        const one = wanted.get(`${environment} ${hash} ${version}`);
        if (one !== undefined) found.add(one);
      }
    }
  } finally {
    log.close();
  }
  return found;
}

/** Of secrets with a hook those whose value before was in use until a time that has passed, and was not let go from here. */
export async function pastGrace<T extends Version & Pick<SecretInfo, 'hook' | 'graceUntil'>>(
  scope: Scope,
  place: Place,
  secrets: readonly T[],
): Promise<T[]> {
  const now = scope.now.toISOString();
  const past = secrets.filter(
    ({ graceUntil, hook }) => hook !== null && graceUntil !== null && graceUntil <= now,
  );
  const done = await retiredAmong(scope, place, past);
  return past.filter((secret) => !done.has(secret));
}
