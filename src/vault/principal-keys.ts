/** A principal's keys and credentials as they are made: fresh keys, slots over them, the bundle that signs the slots. docs/format.md section 3. */
import type { Authority } from '../access/authority.ts';
import { identityOf, makeBundle, type Identity } from '../access/bundle.ts';
import { makeSlot, newSlotId, sortSlots, wrapSlot, type Credential } from '../access/slot.ts';
import type { RandomSource } from '../crypto/aead.ts';
import { encodeBase64url, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import { sealPublicKey } from '../crypto/hpke.ts';
import type { KdfEngine, KdfParameters } from '../crypto/kdf.ts';
import type { Domain } from '../crypto/pae.ts';
import { encodeToken } from '../format/key-text.ts';
import type { Line } from '../format/json-line.ts';
import type { BundleContent, BundleLine, SlotLine } from '../format/lines.ts';

/** Keys and credentials of a principal, made by itself or, for a token, by the administrator. */
export interface PrincipalKeys {
  readonly signPub: string;
  readonly sealPub: string;
  /** Public key of an invitation, or `signPub` for one who was added by public keys and has not arrived; else `""`. */
  readonly invited: string;
  readonly slots: readonly Line<SlotLine>[];
  readonly bundle: Line<BundleLine> | null;
  /** Where the administrator has it, grants are wrapped under it. Borrowed. */
  readonly wrapKey: Bytes | null;
}

/** The last root and header that a bundle's holder accepted. */
export type Pins = Pick<BundleContent, 'root' | 'rootDigest' | 'floor'>;

/** What keys that are made now pin: the root and header of the file as it is. */
export function presentPins({ rootDigests, header }: Authority): Pins {
  const root = rootDigests.length - 1;
  return { root, rootDigest: rootDigests[root] ?? '', floor: header.n };
}

export interface NewCredentialOfKeys {
  readonly credential: Credential;
  /** For a passphrase; `null` for random keys. */
  readonly kdf: KdfParameters | null;
  /** What finds a device again. */
  readonly hint?: () => string;
}

export interface WantedKeys {
  readonly principal: string;
  readonly pins: Pins;
  readonly time: string;
  /** Number of the bundle: 1, or one more than that of the bundle it replaces. */
  readonly n: number;
  /** Each becomes a slot. Borrowed. */
  readonly credentials: readonly NewCredentialOfKeys[];
  /** A slot that stays for the credential that opened it, with its key (borrowed). */
  readonly kept?: { readonly slot: SlotLine; readonly slotKey: Bytes };
  readonly engine: KdfEngine;
}

export interface MadeKeys {
  readonly keys: PrincipalKeys;
  /** Unlocked; owned by the caller, who closes it. `keys.wrapKey` is its own. */
  readonly identity: Identity;
}

/** Fresh private keys of a principal. */
export function newBundleContent(
  random: RandomSource,
  vault: string,
  principal: string,
  pins: Pins,
): BundleContent {
  const fresh = (): string => encodeBase64url(random(32));
  const keys = { signSeed: fresh(), sealSeed: fresh(), wrapKey: fresh() };
  const { root, rootDigest, floor } = pins;
  return { ...keys, vault, principal, root, rootDigest, floor };
}

export async function makePrincipalKeys(
  domain: Domain,
  random: RandomSource,
  wanted: WantedKeys,
): Promise<MadeKeys> {
  const { principal, pins, time, n, engine } = wanted;
  const bundleKey = random(32);
  const made = [];
  for (const credential of wanted.credentials)
    made.push(await makeSlot(domain, random, { principal, engine, time, ...credential }, bundleKey));
  for (const { slotKey } of made) slotKey.fill(0);
  const { kept } = wanted;
  const stays =
    kept === undefined ? [] : [await wrapSlot(domain, random, kept.slot, kept.slotKey, bundleKey)];
  const slots = sortSlots([...stays, ...made.map(({ line }) => line)]);
  const content = newBundleContent(random, domain.vaultId, principal, pins);
  const opened = kept?.slot.id ?? made[0]?.line.value.id ?? '';
  const identity = await identityOf(content, bundleKey, opened, kept?.slotKey.slice() ?? null);
  const bundle = await makeBundle(domain, random, identity, slots, { n, time });
  const keys = {
    signPub: encodeBase64url(identity.signing.publicKey),
    sealPub: await ownSealKey(identity),
    invited: '',
    slots,
    bundle,
    wrapKey: identity.wrapKey,
  };
  return { keys, identity };
}

/** The X-Wing public key (base64url) that others seal to. */
export async function ownSealKey(identity: Identity): Promise<string> {
  const seed = parseBase64url(identity.content.sealSeed) ?? new Uint8Array(0);
  try {
    return encodeBase64url(await sealPublicKey(seed));
  } finally {
    seed.fill(0);
  }
}

export interface NewToken {
  readonly credential: Extract<Credential, { type: 'token' }>;
  /** Shown once. */
  readonly text: string;
}

/** A machine token of 256 random bits. Caller wipes the credential's secret. */
export function newToken(random: RandomSource): NewToken {
  const [slot, secret] = [newSlotId(random), random(32)];
  return {
    credential: { type: 'token', slot: encodeBase64url(slot), secret },
    text: encodeToken(slot, secret),
  };
}
