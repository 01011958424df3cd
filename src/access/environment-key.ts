/** The key tree of one environment and epoch, and the grants that hold its keys. docs/format.md sections 3 and 4. */
import { AccessDeniedError, IntegrityError } from '../errors.ts';
import { open, seal, type RandomSource } from '../crypto/aead.ts';
import { encodeBase64url, equalBytes, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import { deriveKey } from '../crypto/hash.ts';
import type { Domain } from '../crypto/pae.ts';
import { encodeLine, type Line } from '../format/json-line.ts';
import { grantLine, type EnvironmentEntry, type GrantLine } from '../format/lines.ts';
import type { Identity } from './bundle.ts';

export type GrantLevel = 'list' | 'read';

/** Keys that a grant opens. `value` is `null` for a grant of level `list`. Owned; `closeEnvironmentKeys` wipes. */
export interface EnvironmentKeys {
  readonly environment: string;
  readonly epoch: number;
  readonly environmentKey: Bytes | null;
  readonly value: Bytes | null;
  readonly block: Bytes;
  readonly note: Bytes;
  readonly carry: Bytes;
  readonly index: Bytes;
  readonly audit: Bytes;
}

export function closeEnvironmentKeys(keys: EnvironmentKeys): void {
  const all = [keys.environmentKey, keys.value, keys.block, keys.note, keys.carry, keys.index, keys.audit];
  for (const key of all) key?.fill(0);
}

type Place = Pick<EnvironmentEntry, 'id' | 'epoch'>;

/** Derive everything below an environment key (taken over, 32 bytes). */
export async function environmentKeys(
  domain: Domain,
  place: Place,
  environmentKey: Bytes,
): Promise<EnvironmentKeys> {
  const [catalog, value] = await Promise.all([
    deriveKey(domain, environmentKey, 'catalog', place.id, place.epoch),
    deriveKey(domain, environmentKey, 'value', place.id, place.epoch),
  ]);
  const below = await catalogKeys(domain, place, catalog);
  catalog.fill(0);
  return { ...below, environmentKey, value };
}

async function catalogKeys(domain: Domain, place: Place, catalog: Bytes): Promise<EnvironmentKeys> {
  const derive = async (label: string): Promise<Bytes> =>
    deriveKey(domain, catalog, label, place.id, place.epoch);
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
    value: null,
    block,
    note,
    carry,
    index,
    audit,
  };
}

export interface Commitments {
  readonly commitEnv: string;
  readonly commitCatalog: string;
}

/** What the header lists of an environment key (borrowed). */
export async function commitmentsOf(
  domain: Domain,
  place: Place,
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

function grantData(domain: Domain, grant: Omit<GrantLine, 'ct' | 'kind'>): Bytes {
  return domain.encode('grant', grant.principal, grant.environment, grant.epoch, grant.level);
}

/** A grant to oneself: symmetric, so that nothing in it can be harvested now and broken later. Key borrowed. */
export async function wrapGrant(
  domain: Domain,
  random: RandomSource,
  identity: Identity,
  place: Place,
  level: GrantLevel,
  key: Bytes,
): Promise<Line<GrantLine>> {
  const fields = {
    principal: identity.principal,
    environment: place.id,
    epoch: place.epoch,
    level,
    form: 'wrap',
  } as const;
  const ct = encodeBase64url(await seal(random, identity.wrapKey, key, grantData(domain, fields)));
  return encodeLine<GrantLine>({ kind: 'grant', ...fields, ct }, grantLine, 'grant');
}

/** Open one's own grant. @throws IntegrityError if what it opens to is not what the header commits to. */
export async function openGrant(
  domain: Domain,
  identity: Identity,
  entry: EnvironmentEntry,
  grant: GrantLine,
): Promise<EnvironmentKeys> {
  if (grant.epoch !== entry.epoch) throw new IntegrityError('grant: it is of another epoch');
  if (grant.form === 'seal') {
    throw new AccessDeniedError(
      'this grant is sealed with HPKE, which this version of the program cannot open',
    );
  }
  const key = await open(
    identity.wrapKey,
    parseBase64url(grant.ct) ?? new Uint8Array(0),
    grantData(domain, grant),
  );
  const list = grant.level === 'list';
  const label = list ? 'commit-catalog' : 'commit-env';
  const commitment = await deriveKey(domain, key, label, entry.id, entry.epoch);
  const wanted = parseBase64url(list ? entry.commitCatalog : entry.commitEnv) ?? new Uint8Array(0);
  if (!equalBytes(commitment, wanted))
    throw new IntegrityError('grant: it opens to a key that the header does not commit to');
  return list ? catalogKeys(domain, entry, key) : environmentKeys(domain, entry, key);
}
