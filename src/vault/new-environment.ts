/** An environment's entry in the header, its first keys and its empty parts. docs/format.md sections 3 and 4. */
import type { Identity } from '../access/bundle.ts';
import { environmentKeys, type EnvironmentKeys, type KeyPlace } from '../access/environment-key.ts';
import { commitmentsOf } from '../access/commitment.ts';
import { wrapGrant } from '../access/grant.ts';
import { shortIdLength } from '../access/slot.ts';
import { open, seal, type RandomSource } from '../crypto/aead.ts';
import { encodeBase64url, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import { carry, type Carry } from '../format/catalog.ts';
import { encodeJson, parseJson, type Line } from '../format/json-line.ts';
import type { EnvironmentEntry, GrantLine } from '../format/lines.ts';
import { withKeysSince } from './exposure.ts';
import { layOutWhole, type BuiltEnvironment, type WriteStamp } from './environment-layout.ts';

export interface MadeEnvironment {
  readonly entry: EnvironmentEntry;
  /** The maker's own grant. */
  readonly grant: Line<GrantLine>;
  /** Owned by the caller. */
  readonly keys: EnvironmentKeys;
  readonly built: BuiltEnvironment;
}

/** What an environment's entry keeps sealed: audit keys of earlier epochs, and policy that is not for a thief's eyes. */
export async function openCarry(
  domain: Domain,
  entry: EnvironmentEntry,
  keys: Pick<EnvironmentKeys, 'carry'>,
): Promise<Carry> {
  const aad = domain.encode('carry', entry.id, entry.epoch);
  const text = await open(keys.carry, parseBase64url(entry.sealed) ?? new Uint8Array(0), aad);
  return parseJson(text, carry, 'environment');
}

/** The same, sealed. */
export async function sealCarry(
  domain: Domain,
  random: RandomSource,
  place: KeyPlace,
  keys: Pick<EnvironmentKeys, 'carry'>,
  content: Carry,
): Promise<string> {
  const text = encodeJson(content, carry, 'environment');
  const sealed = await seal(random, keys.carry, text, domain.encode('carry', place.id, place.epoch));
  text.fill(0);
  return encodeBase64url(sealed);
}

/** Fresh keys for an environment and epoch, with the maker's own grant and the entry that commits to them. */
export async function makeEnvironmentKeys(
  domain: Domain,
  random: RandomSource,
  identity: Identity,
  place: KeyPlace & Pick<EnvironmentEntry, 'name'>,
  content: Carry,
): Promise<Omit<MadeEnvironment, 'built'>> {
  const environmentKey: Bytes = random(32);
  const commitments = await commitmentsOf(domain, place, environmentKey);
  const grant = await wrapGrant(domain, random, identity, place, 'read', environmentKey);
  const keys = await environmentKeys(domain, place, environmentKey);
  const sealed = await sealCarry(domain, random, place, keys, content);
  const { id, name, epoch } = place;
  return { entry: { id, name, epoch, ...commitments, sealPub: '', sealed }, grant, keys };
}

/** A new, empty environment with an id of its own. */
export async function makeEnvironment(
  domain: Domain,
  stamp: WriteStamp,
  name: string,
): Promise<MadeEnvironment> {
  const place = { id: encodeBase64url(stamp.random(shortIdLength)), epoch: 1, name };
  const nothing: Carry = { auditKeys: [], policy: withKeysSince([], stamp.time) };
  const made = await makeEnvironmentKeys(domain, stamp.random, stamp.identity, place, nothing);
  const whole = { keys: made.keys, entries: [], lines: [], n: { names: 1, values: 1 } };
  return { ...made, built: await layOutWhole(domain, stamp, whole) };
}
