/** Joining by invitation: whoever has a one-time key names keys of its own. */
import { IntegrityError, UnlockError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import { lineDigest } from '../access/digest.ts';
import { signLine } from '../access/signing.ts';
import { encodeBase64url, equalBytes } from '../crypto/bytes.ts';
import { importSigningKey } from '../crypto/signature.ts';
import type { VaultDocument } from '../format/document.ts';
import type { Invitation } from '../format/join-text.ts';
import { invitationPin } from './invitation.ts';
import { encodeJson, type Line } from '../format/json-line.ts';
import { principalEntry, successionLine, type SlotLine, type SuccessionLine } from '../format/lines.ts';
import type { Place } from './place.ts';
import { Vault } from './vault.ts';

import { makeOwnKeys, publish, type Newcomer } from './join.ts';

/** The vault is the one that the invitation was made in, or descends from it. @throws IntegrityError */
async function checkInvitedTo({ domain, rootDigests }: Authority, { pin }: Invitation): Promise<void> {
  for (const digest of rootDigests) if (equalBytes(await invitationPin(domain, digest), pin)) return;
  throw new IntegrityError(
    'this is not the vault that you were invited to: its administrators do not descend from those who invited you',
  );
}

/** Take the place that an invitation keeps, with keys of one's own. @returns the principal's name */
export async function acceptInvitation(
  place: Place,
  invitation: Invitation,
  newcomer: () => Promise<Newcomer>,
): Promise<string> {
  const arrival: { slots: readonly Line<SlotLine>[]; succession: Line<SuccessionLine> | null } = {
    slots: [],
    succession: null,
  };
  const vault = await Vault.arrive(place, async (document: VaultDocument, authority) => {
    const invited = await importSigningKey(invitation.seed);
    const listed = document.header.value.principals.find(({ id }) => id === invitation.principal);
    if (listed === undefined || listed.invited !== encodeBase64url(invited.publicKey))
      throw new UnlockError('the invitation opens nothing here: withdrawn, used, or of another vault');
    if (document.bundleOf(listed.id) !== null) throw new UnlockError('the invitation was used already');
    await checkInvitedTo(authority, invitation);
    const present = place.now().toISOString();
    if (listed.expires !== '' && present > listed.expires)
      throw new UnlockError(`the invitation expired at ${listed.expires}`);
    const { keys, identity } = await makeOwnKeys(place, authority, listed.id, await newcomer());
    const value = {
      kind: 'succession',
      principal: listed.id,
      time: document.snapshot.value.time > present ? document.snapshot.value.time : present,
      signPub: keys.signPub,
      sealPub: keys.sealPub,
      prev: await lineDigest(authority.domain, encodeJson(listed, principalEntry, 'principal')),
    } as const;
    arrival.slots = keys.slots;
    arrival.succession = await signLine<SuccessionLine>(
      authority.domain,
      invited,
      value,
      successionLine,
      'succession',
    );
    return identity;
  });
  try {
    return await publish(vault, arrival);
  } finally {
    vault.close();
  }
}
