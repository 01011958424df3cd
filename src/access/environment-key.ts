/** The key tree of one environment and epoch. docs/format.md section 4. */
import type { Bytes } from '../crypto/bytes.ts';
import { deriveKey } from '../crypto/hash.ts';
import type { Domain } from '../crypto/pae.ts';
import type { EnvironmentEntry } from '../format/lines.ts';

/** Keys that a grant opens. `value` is `null` for a grant of level `list`. Owned; `closeEnvironmentKeys` wipes. */
export interface EnvironmentKeys {
  readonly environment: string;
  readonly epoch: number;
  readonly environmentKey: Bytes | null;
  readonly catalogKey: Bytes;
  readonly value: Bytes | null;
  readonly block: Bytes;
  readonly note: Bytes;
  readonly carry: Bytes;
  readonly index: Bytes;
  readonly audit: Bytes;
}

export function closeEnvironmentKeys(keys: EnvironmentKeys): void {
  const { environmentKey, catalogKey, value, block, note, carry, index, audit } = keys;
  for (const key of [environmentKey, catalogKey, value, block, note, carry, index, audit]) key?.fill(0);
}

/** Where keys belong: an environment's id and the number of its present keys. */
export type KeyPlace = Pick<EnvironmentEntry, 'id' | 'epoch'>;

/** Derive everything below an environment key (taken over, 32 bytes). */
export async function environmentKeys(
  domain: Domain,
  place: KeyPlace,
  environmentKey: Bytes,
): Promise<EnvironmentKeys> {
  const [catalog, value] = await Promise.all([
    deriveKey(domain, environmentKey, 'catalog', place.id, place.epoch),
    deriveKey(domain, environmentKey, 'value', place.id, place.epoch),
  ]);
  return { ...(await catalogKeys(domain, place, catalog)), environmentKey, value };
}

/** What follows from a catalog key alone (taken over, 32 bytes): everything but values. */
export async function catalogKeys(
  domain: Domain,
  place: KeyPlace,
  catalogKey: Bytes,
): Promise<EnvironmentKeys> {
  const derive = async (label: string): Promise<Bytes> =>
    deriveKey(domain, catalogKey, label, place.id, place.epoch);
  const [block, note, carry, index, audit] = await Promise.all([
    derive('block'),
    derive('note'),
    derive('carry'),
    derive('index'),
    derive('audit-name'),
  ]);
  return {
    environment: place.id,
    epoch: place.epoch,
    environmentKey: null,
    catalogKey,
    value: null,
    block,
    note,
    carry,
    index,
    audit,
  };
}

/** X-Wing seed of an environment's `sealPub` (32 bytes), from the environment key (borrowed). Caller wipes. */
export async function sealSeedOf(domain: Domain, place: KeyPlace, environmentKey: Bytes): Promise<Bytes> {
  return deriveKey(domain, environmentKey, 'seal', place.id, place.epoch);
}
