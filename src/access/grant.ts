/**
 * Grants: one principal's copy of one environment's key. docs/format.md sections 3 ("grant") and 7.
 *
 * Invariants: a grant that opens to anything but what the signed header commits to is refused, so grants need no signature and
 * whoever holds one may wrap it anew.
 */
import { EncryptionError, IntegrityError } from '../errors.ts';
import { open, seal, type RandomSource } from '../crypto/aead.ts';
import { encodeBase64url, equalBytes, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import { deriveKey } from '../crypto/hash.ts';
import { hpkeOpen, hpkeSeal } from '../crypto/hpke.ts';
import type { Domain } from '../crypto/pae.ts';
import { encodeLine, type Line } from '../format/json-line.ts';
import { grantLine, type EnvironmentEntry, type GrantLine } from '../format/lines.ts';
import type { Identity } from './bundle.ts';
import { catalogKeys, environmentKeys, type EnvironmentKeys, type KeyPlace } from './environment-key.ts';

export type GrantLevel = 'list' | 'read';

const keyLength = 32;

type Fields = Omit<GrantLine, 'ct' | 'kind' | 'form'>;

function grantData(domain: Domain, { principal, environment, epoch, level }: Fields): Bytes {
  return domain.encode('grant', principal, environment, epoch, level);
}

function fieldsOf(principal: string, place: KeyPlace, level: GrantLevel): Fields {
  return { principal, environment: place.id, epoch: place.epoch, level };
}

function lineOf(fields: Fields, form: GrantLine['form'], ct: Bytes): Line<GrantLine> {
  return encodeLine<GrantLine>(
    { kind: 'grant', ...fields, form, ct: encodeBase64url(ct) },
    grantLine,
    'grant',
  );
}

/**
 * A grant under the principal's own wrap key: symmetric, so that nothing in it can be harvested now and broken later. All borrowed.
 * @param key the environment key for `read`, the catalog key for `list`
 */
export async function wrapGrant(
  domain: Domain,
  random: RandomSource,
  { principal, wrapKey }: Pick<Identity, 'principal' | 'wrapKey'>,
  place: KeyPlace,
  level: GrantLevel,
  key: Bytes,
): Promise<Line<GrantLine>> {
  const fields = fieldsOf(principal, place, level);
  return lineOf(fields, 'wrap', await seal(random, wrapKey, key, grantData(domain, fields)));
}

/** A grant to somebody else, sealed to the X-Wing public key that the header lists (base64url). All borrowed. */
export async function sealGrant(
  domain: Domain,
  random: RandomSource,
  { id, sealPub }: { readonly id: string; readonly sealPub: string },
  place: KeyPlace,
  level: GrantLevel,
  key: Bytes,
): Promise<Line<GrantLine>> {
  const fields = fieldsOf(id, place, level);
  const publicKey = parseBase64url(sealPub) ?? new Uint8Array(0);
  const info = domain.encode('hpke', 'grant');
  return lineOf(fields, 'seal', await hpkeSeal(random, publicKey, info, grantData(domain, fields), key));
}

/** Whether something can be sealed to a public key that somebody else made. */
export async function isSealKey(random: RandomSource, sealPub: string): Promise<boolean> {
  const publicKey = parseBase64url(sealPub) ?? new Uint8Array(0);
  const nothing = new Uint8Array(0);
  try {
    await hpkeSeal(random, publicKey, nothing, nothing, nothing);
    return true;
  } catch (error) {
    if (error instanceof EncryptionError) return false;
    throw error;
  }
}

async function openText(domain: Domain, identity: Identity, grant: GrantLine): Promise<Bytes> {
  const ct = parseBase64url(grant.ct) ?? new Uint8Array(0);
  const aad = grantData(domain, grant);
  if (grant.form === 'wrap') return open(identity.wrapKey, ct, aad);
  const seed = parseBase64url(identity.content.sealSeed) ?? new Uint8Array(0);
  try {
    return await hpkeOpen(seed, domain.encode('hpke', 'grant'), aad, ct);
  } finally {
    seed.fill(0);
  }
}

/** Open one's own grant. @throws IntegrityError if what it opens to is not what the header commits to. */
export async function openGrant(
  domain: Domain,
  identity: Identity,
  entry: EnvironmentEntry,
  grant: GrantLine,
): Promise<EnvironmentKeys> {
  if (grant.epoch !== entry.epoch) throw new IntegrityError('grant: it is of another epoch');
  const key = await openText(domain, identity, grant);
  const list = grant.level === 'list';
  const label = list ? 'commit-catalog' : 'commit-env';
  const commitment = await deriveKey(domain, key, label, entry.id, entry.epoch);
  const wanted = parseBase64url(list ? entry.commitCatalog : entry.commitEnv) ?? new Uint8Array(0);
  if (key.length !== keyLength || !equalBytes(commitment, wanted))
    throw new IntegrityError('grant: it opens to a key that the header does not commit to');
  return list ? catalogKeys(domain, entry, key) : environmentKeys(domain, entry, key);
}
