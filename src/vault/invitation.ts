/** A one-time invitation: a signing key whose public half the header lists. docs/format.md sections 3 and 8. */
import { shortIdLength } from '../access/slot.ts';
import type { RandomSource } from '../crypto/aead.ts';
import { encodeBase64url } from '../crypto/bytes.ts';
import { importSigningKey } from '../crypto/signature.ts';
import { encodeInvitation } from '../format/join-text.ts';
import type { Entrance } from './operations/access.ts';

export interface NewInvitation {
  readonly entrance: Extract<Entrance, { type: 'invitation' }>;
  /** Shown once. */
  readonly text: string;
}

/** @param id of a principal that is there and is to make new keys; else somebody new */
export async function newInvitation(
  random: RandomSource,
  id = encodeBase64url(random(shortIdLength)),
): Promise<NewInvitation> {
  const seed = random(32);
  const { publicKey } = await importSigningKey(seed);
  const text = encodeInvitation({ principal: id, seed });
  seed.fill(0);
  return { entrance: { type: 'invitation', id, publicKey: encodeBase64url(publicKey) }, text };
}
