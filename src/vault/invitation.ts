/** A one-time invitation: a signing key whose public half the header lists. docs/format.md sections 3 and 8. */
import { shortIdLength } from '../access/slot.ts';
import type { RandomSource } from '../crypto/aead.ts';
import { encodeBase64url } from '../crypto/bytes.ts';
import type { Authority } from '../access/authority.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Domain } from '../crypto/pae.ts';
import { importSigningKey } from '../crypto/signature.ts';
import { encodeInvitation } from '../format/join-text.ts';
import type { Entrance } from './operations/entrance.ts';

export interface NewInvitation {
  readonly entrance: Extract<Entrance, { type: 'invitation' }>;
  /** Shown once. */
  readonly text: string;
}

/** What an invitation says of the vault that it is for: 16 bytes over its id and its root of then. */
export async function invitationPin(domain: Domain, rootDigest: string): Promise<Bytes> {
  return (await sha256(domain.encode('invitation', rootDigest))).slice(0, 16);
}

/** @param id of a principal that is there and is to make new keys; else somebody new */
export async function newInvitation(
  random: RandomSource,
  { domain, rootDigests }: Pick<Authority, 'domain' | 'rootDigests'>,
  id = encodeBase64url(random(shortIdLength)),
): Promise<NewInvitation> {
  const seed = random(32);
  const { publicKey } = await importSigningKey(seed);
  const pin = await invitationPin(domain, rootDigests.at(-1) ?? '');
  const text = encodeInvitation({ principal: id, seed, pin });
  seed.fill(0);
  return { entrance: { type: 'invitation', id, publicKey: encodeBase64url(publicKey) }, text };
}
