/** Names of secrets in audit records: there they are keyed hashes, which only who can list an environment can tell. */
import { nameHash } from '../../audit/record.ts';
import { parseBase64url, type Bytes } from '../../crypto/bytes.ts';
import type { EnvironmentReader } from '../environment-reader.ts';
import { openCarry } from '../new-environment.ts';
import type { Scope } from '../scope.ts';

/** Audit keys of an environment, the present one first: names of earlier epochs were hashed with earlier keys. */
export async function auditKeysOf(scope: Scope, reader: EnvironmentReader): Promise<Bytes[]> {
  const { auditKeys } = await openCarry(scope.authority.domain, reader.part.entry, reader.keys);
  const earlier = auditKeys.map(([, key]) => parseBase64url(key) ?? new Uint8Array(0));
  return [reader.keys.audit, ...earlier.reverse()];
}

/** A name as records of one environment may have it: by each of its keys. */
export async function hashesOf(scope: Scope, reader: EnvironmentReader, name: string): Promise<string[]> {
  return hashesBy(await auditKeysOf(scope, reader), name);
}

/** The same, by keys that are there. */
export async function hashesBy(keys: readonly Bytes[], name: string): Promise<string[]> {
  return Promise.all(keys.map(async (key) => nameHash(key, name)));
}

/** The names that these hashes stand for, as far as the principal can list them. */
export async function namesOf(
  scope: Scope,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  for (const environment of scope.accessible()) {
    if (names.size === wanted.size) break;
    const reader = await scope.readerOf(environment);
    const entries = await reader.entries();
    for (const key of await auditKeysOf(scope, reader)) {
      for (const { name } of entries) {
        const hash = await nameHash(key, name);
        if (wanted.has(hash)) names.set(hash, name);
      }
    }
  }
  return names;
}
