/**
 * A principal's bundle: its private keys, and the root and header that it last accepted, sealed under the bundle key that
 * every slot of the principal wraps. docs/format.md section 3, "bundle".
 */
import { IntegrityError } from '../errors.ts';
import { open, seal, type RandomSource } from '../crypto/aead.ts';
import { encodeBase64url, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import { importSigningKey, type SigningKey } from '../crypto/signature.ts';
import { encodeJson, parseJson, type Line } from '../format/json-line.ts';
import {
  bundleContent,
  bundleLine,
  type BundleContent,
  type BundleLine,
  type SlotLine,
} from '../format/lines.ts';
import { lineDigest } from './digest.ts';
import { signLine } from './signing.ts';

const smallestBucket = 1_024;

/** An unlocked principal. Owns its keys; `close` wipes what can be wiped. */
export interface Identity {
  readonly principal: string;
  readonly signing: SigningKey;
  /** Wraps grants to oneself. */
  readonly wrapKey: Bytes;
  readonly bundleKey: Bytes;
  readonly content: BundleContent;
  /** The slot by which it was opened. */
  readonly slot: string;
  /** That slot's key, by which a new bundle key can be wrapped for the same credential; `null` for who has just been made. */
  readonly slotKey: Bytes | null;
}

/** What a credential opens: a slot, and through it the key of a bundle. Owned. */
export type OpenedSlot = Pick<Identity, 'slot' | 'slotKey' | 'bundleKey'>;

export function closeIdentity(identity: Identity): void {
  identity.wrapKey.fill(0);
  identity.bundleKey.fill(0);
  identity.slotKey?.fill(0);
}

export async function identityOf(
  content: BundleContent,
  bundleKey: Bytes,
  slot: string,
  slotKey: Bytes | null = null,
): Promise<Identity> {
  const seed = parseBase64url(content.signSeed);
  const wrapKey = parseBase64url(content.wrapKey);
  if (seed === null || wrapKey === null) throw new IntegrityError('bundle: malformed keys');
  const signing = await importSigningKey(seed);
  seed.fill(0);
  return { principal: content.principal, signing, wrapKey, bundleKey, content, slot, slotKey };
}

/**
 * Open a bundle with the keys of an opened slot (taken over). @throws IntegrityError if it is another vault's or principal's, or its signing
 * key is not the one that the header lists.
 */
export async function openBundle(
  domain: Domain,
  line: Line<BundleLine>,
  { slot, slotKey, bundleKey }: OpenedSlot,
  signPub: string,
): Promise<Identity> {
  const { by, n, sealed } = line.value;
  const text = await open(
    bundleKey,
    parseBase64url(sealed) ?? new Uint8Array(0),
    domain.encode('bundle', by, n),
    smallestBucket,
  );
  const content = parseJson(text, bundleContent, 'bundle content');
  text.fill(0);
  if (content.vault !== domain.vaultId || content.principal !== by)
    throw new IntegrityError('bundle: it belongs elsewhere');
  const identity = await identityOf(content, bundleKey, slot, slotKey);
  if (encodeBase64url(identity.signing.publicKey) !== signPub)
    throw new IntegrityError('bundle: its key is not the listed one');
  return identity;
}

/** Seal and sign the bundle's next line over its slots (in file order). */
export async function makeBundle(
  domain: Domain,
  random: RandomSource,
  identity: Identity,
  slots: readonly Pick<Line<SlotLine>, 'raw'>[],
  stamp: { readonly n: number; readonly time: string },
): Promise<Line<BundleLine>> {
  const text = encodeJson(identity.content, bundleContent, 'bundle content');
  const aad = domain.encode('bundle', identity.principal, stamp.n);
  const sealed = await seal(random, identity.bundleKey, text, aad, smallestBucket);
  text.fill(0);
  const digests = await Promise.all(slots.map((slot) => lineDigest(domain, slot.raw)));
  const value = {
    kind: 'bundle',
    n: stamp.n,
    time: stamp.time,
    by: identity.principal,
    slots: digests,
    sealed: encodeBase64url(sealed),
  } as const;
  return signLine<BundleLine>(domain, identity.signing, value, bundleLine, 'bundle');
}
