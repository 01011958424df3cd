/** One version of a secret as a line: sealed, signed, chained. docs/format.md section 5, "value". */
import { AccessDeniedError, EncryptionError, IntegrityError } from '../errors.ts';
import { sealSeedOf, type EnvironmentKeys } from '../access/environment-key.ts';
import { signLine } from '../access/signing.ts';
import { open, pad, seal, unpad } from '../crypto/aead.ts';
import { concatBytes, encodeBase64url, equalBytes, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import { digestLength, sha256 } from '../crypto/hash.ts';
import { hpkeOpen, hpkeSeal, sealPublicKey } from '../crypto/hpke.ts';
import type { Domain } from '../crypto/pae.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import { note as noteShape, type Note } from '../format/catalog.ts';
import { encodeJson, parseJson, type Line } from '../format/json-line.ts';
import { limits } from '../format/limits.ts';
import { valueLine, type EnvironmentEntry, type ValueLine } from '../format/lines.ts';
import type { WriteStamp } from './environment-layout.ts';

/** What a version is; author, times and numbers are the caller's to decide. */
export interface NewVersion extends Pick<
  ValueLine,
  'secret' | 'version' | 'state' | 'time' | 'author' | 'prev' | 'decision'
> {
  /** Borrowed. */
  readonly value: Bytes;
  readonly note: Note;
}

/** Base64url of the largest value with checksum, padding, encapsulated key, nonce and tag. */
const mostSealedCharacters = Math.ceil(((limits.value + 65_536 * 2) * 4) / 3);

type Place = Pick<EnvironmentEntry, 'id' | 'epoch' | 'sealPub' | 'name'>;

/**
 * Seal and sign a version. Who cannot read the environment seals it to its public key, and cannot open it afterwards.
 * @throws AccessDeniedError where the environment has no public key and the principal no value key
 */
export async function makeValueLine(
  domain: Domain,
  stamp: Pick<WriteStamp, 'identity' | 'random'>,
  place: Place,
  keys: EnvironmentKeys,
  wanted: NewVersion,
): Promise<Line<ValueLine>> {
  const { identity, random } = stamp;
  const { id, epoch } = place;
  const { secret, version, state, time, author, prev, decision } = wanted;
  const aad = domain.encode('value', id, epoch, secret, version);
  const plain = concatBytes(await sha256(wanted.value), wanted.value);
  const ct = await sealPlain(domain, stamp, place, keys, plain, aad);
  plain.fill(0);
  const noteText = encodeJson(wanted.note, noteShape, 'note');
  const note = await seal(random, keys.note, noteText, domain.encode('note', id, epoch, secret, version));
  const line = await signLine<ValueLine>(
    domain,
    identity.signing,
    {
      kind: 'value',
      environment: id,
      epoch,
      secret,
      version,
      state,
      time,
      author,
      by: identity.principal,
      form: keys.value === null ? 'seal' : 'sym',
      ct: encodeBase64url(ct),
      note: encodeBase64url(note),
      prev,
      decision,
    },
    valueLine,
    'value',
  );
  if (line.raw.length > limits.line) throw new IntegrityError('value: its line is too long');
  return line;
}

/**
 * A pending version in its final state: what is sealed in it, its author, its place and its time stay. Who could open it while it was pending
 * knows it: by its time it counts as seen.
 */
export async function settledLine(
  domain: Domain,
  { identity }: Pick<WriteStamp, 'identity'>,
  pending: ValueLine,
  state: 'live' | 'withdrawn',
): Promise<Line<ValueLine>> {
  const { sig: _, ...unsigned } = pending;
  const value = { ...unsigned, state, by: identity.principal };
  return signLine<ValueLine>(domain, identity.signing, value, valueLine, 'value');
}

async function sealPlain(
  domain: Domain,
  { random }: Pick<WriteStamp, 'random'>,
  place: Place,
  keys: EnvironmentKeys,
  plain: Bytes,
  aad: Bytes,
): Promise<Bytes> {
  if (keys.value !== null) return seal(random, keys.value, plain, aad);
  const publicKey = parseBase64url(place.sealPub);
  if (publicKey === null || publicKey.length === 0) {
    const hint = 'an administrator grants the right anew: `vault access grant`';
    throw new AccessDeniedError(`${place.name} has no public key to seal a value to`, { hint });
  }
  const padded = pad(plain);
  try {
    return await hpkeSeal(random, publicKey, domain.encode('hpke', 'value'), aad, padded);
  } finally {
    padded.fill(0);
  }
}

/** The value of a version; caller wipes, and has checked the line. @throws EncryptionError; AccessDeniedError */
export async function openValueLine(
  domain: Domain,
  place: Place,
  keys: EnvironmentKeys,
  line: Line<ValueLine>,
): Promise<SecretBytes> {
  const { secret, version, form } = line.value;
  if (keys.value === null || keys.environmentKey === null)
    throw new AccessDeniedError(`you may list ${place.name}, not read its values`);
  if (line.value.ct.length > mostSealedCharacters)
    throw new IntegrityError('value: it is larger than a value may be');
  const aad = domain.encode('value', place.id, place.epoch, secret, version);
  const ct = parseBase64url(line.value.ct) ?? new Uint8Array(0);
  const plain =
    form === 'sym'
      ? await open(keys.value, ct, aad)
      : await openSealed(domain, place, keys.environmentKey, ct, aad);
  if (plain.length < digestLength) throw new EncryptionError('value: it is too short');
  const value = plain.slice(digestLength);
  const checksum = await sha256(value);
  const same = equalBytes(checksum, plain.subarray(0, digestLength));
  plain.fill(0);
  if (!same) throw new EncryptionError('value: its checksum is wrong');
  return new SecretBytes(value);
}

async function openSealed(
  domain: Domain,
  place: Place,
  environmentKey: Bytes,
  ct: Bytes,
  aad: Bytes,
): Promise<Bytes> {
  const seed = await sealSeedOf(domain, place, environmentKey);
  const padded = await hpkeOpen(seed, domain.encode('hpke', 'value'), aad, ct);
  seed.fill(0);
  const plain = unpad(padded);
  padded.fill(0);
  return plain;
}

/** The public key (base64url) that values of an environment are sealed to by who cannot read it. */
export async function sealPublicKeyOf(domain: Domain, place: Place, environmentKey: Bytes): Promise<string> {
  const seed = await sealSeedOf(domain, place, environmentKey);
  const publicKey = encodeBase64url(await sealPublicKey(seed));
  seed.fill(0);
  return publicKey;
}

export async function openNote(
  domain: Domain,
  { id, epoch }: Pick<Place, 'id' | 'epoch'>,
  keys: EnvironmentKeys,
  line: Line<ValueLine>,
): Promise<Note> {
  const { secret, version, note } = line.value;
  const aad = domain.encode('note', id, epoch, secret, version);
  const text = await open(keys.note, parseBase64url(note) ?? new Uint8Array(0), aad);
  return parseJson(text, noteShape, 'note');
}
