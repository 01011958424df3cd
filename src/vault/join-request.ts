/** Joining by request: the newcomer makes its keys and hands over the public ones; what is sealed stays on its machine until then. */
import { ConcurrencyError, IntegrityError, SecretNotFoundError, UnlockError, UsageError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import { closeIdentity, openBundle, type Identity } from '../access/bundle.ts';
import { signatureHolds } from '../access/digest.ts';
import { signLine } from '../access/signing.ts';
import { openSlot, shortIdLength, slotTypeOf, stretchWith, unwrapBundleKey } from '../access/slot.ts';
import { encodeBase64url, encodeHex, parseUtf8, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { Domain } from '../crypto/pae.ts';
import { VaultDocument } from '../format/document.ts';
import { joinRequest, type JoinRequest } from '../format/join-text.ts';
import { encodeJson, parseLine, type Line } from '../format/json-line.ts';
import {
  bundleLine,
  slotLine,
  type BundleLine,
  type PrincipalEntry,
  type SlotLine,
} from '../format/lines.ts';
import { loadPendingJoin, removePendingJoin, savePendingJoin } from '../storage/pending-join.ts';
import { openVaultFile } from '../storage/vault-file.ts';
import type { Place } from './place.ts';
import { checkPins } from './unlock.ts';
import type { CredentialSource } from './opening.ts';
import { Vault } from './vault.ts';

import { makeOwnKeys, publish, type Newcomer } from './join.ts';

const requestLabel = 'join-request';

/** SHA-256 of a request's id and public keys in groups of four, to be compared over another channel. */
export async function fingerprintOf(
  request: Pick<JoinRequest, 'id' | 'signPub' | 'sealPub'>,
): Promise<string> {
  const digest = encodeHex(await sha256(utf8(`${request.id} ${request.signPub} ${request.sealPub}`)));
  return (digest.slice(0, 32).match(/.{4}/g) ?? []).join(' ');
}

/** Make keys and a request. The sealed private half stays on this machine. @throws UsageError on a machine without a state folder */
export async function makeJoinRequest(
  place: Place,
  name: string,
  newcomer: () => Promise<Newcomer>,
  replace = false,
): Promise<JoinRequest> {
  const folder = place.stateFolder;
  if (folder === null)
    throw new UsageError('there is no folder to keep your keys in', { hint: 'set HOME or XDG_STATE_HOME' });
  const made: JoinRequest[] = [];
  const vault = await Vault.arrive(place, async (document, authority) => {
    const principal = encodeBase64url(place.random(shortIdLength));
    if (!replace && loadPendingJoin(place.fs, folder, document.vaultId) !== null) {
      const hint = 'finish it with `vault join`, or give its keys up with --replace';
      throw new ConcurrencyError(
        'you have made a request for this vault already',
        { hint },
        'ALREADY_EXISTS',
      );
    }
    const { keys, identity } = await makeOwnKeys(place, authority, principal, await newcomer());
    const { signPub, sealPub, slots, bundle } = keys;
    if (bundle === null) throw new UsageError('no keys were made');
    const fields = {
      kind: 'join-request',
      vault: document.vaultId,
      id: principal,
      name,
      time: place.now().toISOString(),
      signPub,
      sealPub,
    } as const;
    const { domain } = authority;
    const line = await signLine<JoinRequest>(
      domain,
      identity.signing,
      fields,
      joinRequest,
      'request',
      requestLabel,
    );
    savePendingJoin(place.fs, folder, {
      vault: document.vaultId,
      principal,
      slots: slots.map(({ raw }) => parseUtf8(raw)),
      bundle: parseUtf8(bundle.raw),
    });
    made.push(line.value);
    return identity;
  });
  vault.close();
  const [request] = made;
  if (request === undefined) throw new UsageError('no request was made');
  return request;
}

/** @throws UsageError if the request is for another vault, or not signed with the key that it carries */
export async function checkJoinRequest(vaultId: string, request: JoinRequest): Promise<void> {
  if (request.vault !== vaultId) throw new UsageError('the request is for another vault');
  const line = { value: request, raw: encodeJson(request, joinRequest, 'request') };
  if (!(await signatureHolds(new Domain(vaultId), line, request.signPub, requestLabel)))
    throw new UsageError('the request was changed: its signature is wrong');
}

/** Whether a request of this machine waits for the vault at this place. */
export function hasPendingJoin(place: Place): boolean {
  const file = openVaultFile(place.fs, place.path);
  try {
    const { vaultId } = new VaultDocument(file);
    return place.stateFolder !== null && loadPendingJoin(place.fs, place.stateFolder, vaultId) !== null;
  } finally {
    file.close();
  }
}

/** Name of the newcomer if the bundle in the document is its own already: nobody else has the key that opens it. */
async function broughtBy({ document, authority, identity }: Vault): Promise<string | null> {
  const entry = authority.principal(identity.principal);
  const present = document.bundleOf(identity.principal);
  if (entry === null || present === null) return null;
  const opened = { slot: identity.slot, slotKey: null, bundleKey: new Uint8Array(identity.bundleKey) };
  try {
    closeIdentity(await openBundle(authority.domain, present, opened, entry.signPub));
    return entry.name;
  } catch (error) {
    if (error instanceof IntegrityError) return null;
    throw error;
  }
}

/** Bring the credentials of a request that an administrator has accepted. @returns the principal's name */
export async function finishRequest(place: Place, credentials: CredentialSource): Promise<string> {
  const folder = place.stateFolder;
  let slots: Line<SlotLine>[] = [];
  const vault = await Vault.arrive(place, async (document, authority) => {
    const pending = folder === null ? null : loadPendingJoin(place.fs, folder, document.vaultId);
    if (pending === null) {
      const hint = 'ask for access with `vault join --request`, or give the invitation that you were sent';
      throw new SecretNotFoundError(
        'this machine has made no request for this vault',
        { hint },
        'VAULT_NOT_FOUND',
      );
    }
    const entry = authority.principal(pending.principal);
    if (entry === null) {
      const hint = 'an administrator adds you with `vault access add NAME --request FILE`';
      throw new UnlockError('your request has not been accepted yet', { hint });
    }
    slots = pending.slots.map((raw) => parseLine(utf8(raw), slotLine, 'slot'));
    const bundle = parseLine(utf8(pending.bundle), bundleLine, 'bundle');
    const identity = await openOwn(place, authority, entry, { slots, bundle }, credentials);
    // What stands there now must descend from what stood there when the request was made.
    checkPins(document, authority, entry, identity, place.now());
    return identity;
  });
  try {
    // A run before this one may have ended before it could forget the request.
    const name = (await broughtBy(vault)) ?? (await publish(vault, { slots, succession: null }));
    if (folder !== null) removePendingJoin(place.fs, folder, vault.document.vaultId);
    return name;
  } finally {
    vault.close();
  }
}

async function openOwn(
  place: Place,
  authority: Authority,
  entry: PrincipalEntry,
  own: { readonly slots: readonly Line<SlotLine>[]; readonly bundle: Line<BundleLine> },
  credentials: CredentialSource,
): Promise<Identity> {
  const [slot] = own.slots;
  if (slot === undefined) throw new UnlockError('no credential was kept');
  for (let attempt = 1, failure = new UnlockError('no credential was given'); ; attempt++) {
    const credential = await credentials(attempt, () => new Set([slot.value.type]));
    if (credential === null) throw failure;
    if (slotTypeOf(credential) !== slot.value.type)
      throw new UnlockError('the request was made with another kind of credential', {
        hint: 'a passphrase, with or without a key file, as it was then',
      });
    try {
      const slotKey = await openSlot(authority.domain, slot.value, credential, stretchWith(place.kdfEngine));
      const bundleKey = await unwrapBundleKey(authority.domain, slot.value, slotKey);
      const opened = { slot: slot.value.id, slotKey, bundleKey };
      return await openBundle(authority.domain, own.bundle, opened, entry.signPub);
    } catch (error) {
      if (!(error instanceof UnlockError)) throw error;
      failure = error;
    }
  }
}
