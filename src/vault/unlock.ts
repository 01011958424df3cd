/**
 * From a credential to an unlocked principal. docs/format.md section 6, steps 2 (own bundle) to 4 and 6.
 *
 * Invariants: slots are bound by their bundle's signature before any KDF runs; a wrong credential (UNLOCK_FAILED) and a damaged slot
 * (INTEGRITY) are never confused.
 */
import { AccessDeniedError, IntegrityError, UnlockError, UsageError } from '../errors.ts';
import { boundSlots } from '../access/bound-slots.ts';
import type { Authority } from '../access/authority.ts';
import { isAwaited } from '../access/header-rules.ts';
import { openBundle, type Identity, type OpenedSlot } from '../access/bundle.ts';
import {
  openSlot,
  slotTypeOf,
  stretchWith,
  unwrapBundleKey,
  type Credential,
  type Stretcher,
} from '../access/slot.ts';
import type { VaultDocument } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import type { PrincipalEntry, SlotLine } from '../format/lines.ts';

/** Credentials by the type of their slot, for people. */
const words: Readonly<Record<SlotLine['type'], string>> = {
  passphrase: 'a passphrase alone',
  'passphrase+keyfile': 'a passphrase and a key file',
  recovery: 'a recovery key',
  token: 'an access token',
  pkcs11: 'a passphrase and a device',
  age: 'an age identity',
  removed: 'what was removed',
};

/** For tokens: theirs are random keys, which nothing stretches. */
const noStretching = stretchWith('native');

/** Passphrases tried cost a KDF each; random keys cost nothing. */
const passphraseSlotsTried = 4;

/** Whose token it is. Where several slots have its id, the one that it opens says so: without a KDF that costs next to nothing. */
async function tokenOwner(
  document: VaultDocument,
  authority: Authority,
  token: Extract<Credential, { type: 'token' }>,
): Promise<PrincipalEntry | null> {
  const slots = document.slotsById(token.slot);
  const owners = slots.map((slot) => authority.principal(slot.value.principal));
  if (slots.length > 1) {
    for (const [index, slot] of slots.entries()) {
      try {
        (await openSlot(authority.domain, slot.value, token, noStretching)).fill(0);
        return owners[index] ?? null;
      } catch (error) {
        if (!(error instanceof UnlockError || error instanceof IntegrityError)) throw error;
      }
    }
  }
  return owners[0] ?? null;
}

/** The slots of somebody who may have joined. Those that somebody took out are damage, not a credential that is missing. @throws IntegrityError */
async function soundSlots(
  document: VaultDocument,
  authority: Authority,
  principal: PrincipalEntry,
): Promise<Line<SlotLine>[]> {
  if (!isAwaited(principal) && document.bundleOf(principal.id) === null)
    throw new IntegrityError(`the credentials of ${principal.name} were taken out of the vault`);
  return boundSlots(document, authority, principal.id);
}

/** @throws IntegrityError where credentials of anybody were taken out or exchanged */
async function checkAllBound(document: VaultDocument, authority: Authority): Promise<void> {
  for (const principal of authority.principals)
    if (!isAwaited(principal)) await soundSlots(document, authority, principal);
}

/** Whose slots a credential is tried on. */
async function choosePrincipal(
  document: VaultDocument,
  authority: Authority,
  credential: Credential,
  wanted: string | null,
): Promise<PrincipalEntry> {
  if (credential.type === 'token') {
    const owner = await tokenOwner(document, authority, credential);
    if (owner === null) {
      await checkAllBound(document, authority);
      throw new UnlockError('the access token opens nothing here: revoked, or of another vault', {
        hint: 'ask an administrator for a new one: `vault access add NAME --token`, or `access reissue`',
      });
    }
    if (wanted !== null && owner.name !== wanted)
      throw new UsageError(`the access token belongs to ${owner.name}, not to ${wanted}`);
    return owner;
  }
  const all = [...authority.principals];
  if (wanted !== null) {
    const named = all.find((principal) => principal.name === wanted);
    if (named === undefined) throw new UnlockError(`the vault has no principal ${wanted}`);
    return named;
  }
  const type = slotTypeOf(credential);
  const able = all.filter((principal) =>
    document.slotsOf(principal.id).some((slot) => slot.value.type === type),
  );
  const [only, ...more] = able;
  if (only === undefined) {
    await checkAllBound(document, authority);
    throw new UnlockError(`nobody in this vault unlocks with ${words[type]}`);
  }
  if (more.length > 0) {
    const names = able.map((principal) => principal.name).join(', ');
    throw new UsageError(`say who you are: ${names}`, { hint: 'with --as NAME, or VAULT_PRINCIPAL' });
  }
  return only;
}

/**
 * Unlock with one credential. @throws UnlockError UNLOCK_FAILED for a wrong one; IntegrityError; AccessDeniedError if the principal
 * has expired.
 */
export async function unlock(
  document: VaultDocument,
  authority: Authority,
  credential: Credential,
  wanted: string | null,
  stretcher: Stretcher,
  now: Date,
): Promise<Identity> {
  const principal = await choosePrincipal(document, authority, credential, wanted);
  const slots = await soundSlots(document, authority, principal);
  const type = slotTypeOf(credential);
  const tried = slots.filter(
    (slot) => slot.value.type === type && (credential.type !== 'token' || slot.value.id === credential.slot),
  );
  if (tried.length === 0) throw new UnlockError(`${principal.name} does not unlock with ${words[type]}`);
  let failure: unknown = null;
  for (const slot of await chosen(tried, credential)) {
    try {
      return await openedBy(document, authority, principal, slot.value, credential, stretcher, now);
    } catch (error) {
      if (!(error instanceof UnlockError)) throw error;
      failure = error;
    }
  }
  throw failure;
}

/**
 * Unlock by a machine token in a document whose signatures have not been checked: nothing of the identity may be used before they have, or
 * something that only it can say makes up for them. @throws what is wrong, or an error that the check of the signatures would explain better
 */
export async function unlockUnchecked(
  document: VaultDocument,
  authority: Authority,
  token: Extract<Credential, { type: 'token' }>,
  wanted: string | null,
  now: Date,
): Promise<Identity> {
  const principal = await choosePrincipal(document, authority, token, wanted);
  const slot = document.slotsOf(principal.id).find(({ value }) => value.id === token.slot);
  if (slot === undefined) throw new UnlockError('the token has no slot');
  return openedBy(document, authority, principal, slot.value, token, noStretching, now);
}

async function openedBy(
  document: VaultDocument,
  authority: Authority,
  principal: PrincipalEntry,
  slot: SlotLine,
  credential: Credential,
  stretcher: Stretcher,
  now: Date,
): Promise<Identity> {
  const slotKey = await openSlot(authority.domain, slot, credential, stretcher);
  const bundleKey = await unwrapBundleKey(authority.domain, slot, slotKey);
  return identityFor(document, authority, principal, { slot: slot.id, slotKey, bundleKey }, now);
}

/** Which of the slots of its type a credential is tried on, in order. */
async function chosen(
  slots: readonly Line<SlotLine>[],
  credential: Credential,
): Promise<readonly Line<SlotLine>[]> {
  if (credential.type === 'passphrase') return slots.slice(0, passphraseSlotsTried);
  if (credential.type !== 'pkcs11') return slots;
  // A PIN goes to one device and no other.
  for (const slot of slots) if (await credential.present(slot.value.hint)) return [slot];
  const wanted = slots.map(({ value }) => value.hint).join(', ');
  throw new UnlockError(`the device is not there: ${wanted}`, {
    hint: 'plug it in; to unlock with something else, unset VAULT_PKCS11_PIN_FILE and VAULT_PKCS11_MODULE',
  });
}

/** Open a principal's bundle and check its pins against the document. The keys are taken over. */
export async function identityFor(
  document: VaultDocument,
  authority: Authority,
  principal: PrincipalEntry,
  opened: OpenedSlot,
  now: Date,
): Promise<Identity> {
  const bundle = document.bundleOf(principal.id);
  if (bundle === null) throw new IntegrityError('the bundle is missing');
  const identity = await openBundle(authority.domain, bundle, opened, principal.signPub);
  checkPins(document, authority, principal, identity, now);
  return identity;
}

/** The document descends from what the principal knew, is not older, and the principal's time is not over. @throws IntegrityError; AccessDeniedError */
export function checkPins(
  document: VaultDocument,
  authority: Authority,
  principal: PrincipalEntry,
  identity: Identity,
  now: Date,
): void {
  const { root, rootDigest, floor } = identity.content;
  if (authority.rootDigests[root] !== rootDigest) {
    throw new IntegrityError(
      'the administrators of this vault do not descend from those that you knew: do not use it',
    );
  }
  if (authority.header.n < floor) {
    throw new IntegrityError(
      `rolled back: header is number ${authority.header.n}, you have seen ${floor}`,
      {},
      'ROLLBACK',
    );
  }
  const present = now.toISOString();
  const latest = document.snapshot.value.time > present ? document.snapshot.value.time : present;
  if (principal.expires !== '' && latest > principal.expires) {
    throw new AccessDeniedError(`the access of ${principal.name} expired at ${principal.expires}`);
  }
}
