/** What the header lists of an environment key, so that a grant can open to nothing else. docs/format.md section 4. */
import { encodeBase64url, type Bytes } from '../crypto/bytes.ts';
import { deriveKey } from '../crypto/hash.ts';
import type { Domain } from '../crypto/pae.ts';
import type { KeyPlace } from './environment-key.ts';

export interface Commitments {
  readonly commitEnv: string;
  readonly commitCatalog: string;
}

/** What the header lists of an environment key (borrowed). */
export async function commitmentsOf(
  domain: Domain,
  place: KeyPlace,
  environmentKey: Bytes,
): Promise<Commitments> {
  const [commitEnv, catalog] = await Promise.all([
    deriveKey(domain, environmentKey, 'commit-env', place.id, place.epoch),
    deriveKey(domain, environmentKey, 'catalog', place.id, place.epoch),
  ]);
  const commitCatalog = await deriveKey(domain, catalog, 'commit-catalog', place.id, place.epoch);
  catalog.fill(0);
  return { commitEnv: encodeBase64url(commitEnv), commitCatalog: encodeBase64url(commitCatalog) };
}
