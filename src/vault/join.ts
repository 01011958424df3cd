/**
 * How people come into a vault that is there. docs/format.md sections 3 ("succession", `invited`) and 8.
 *
 * By request: the newcomer makes its keys and hands over the public ones; an administrator lists them; the newcomer brings its
 * credentials. By invitation: an administrator lists the public half of a one-time key; who has the other half names keys of its own.
 * Either way nobody else ever has the newcomer's private keys.
 */
import { ConcurrencyError, IntegrityError, SecretNotFoundError, UnlockError, UsageError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import { closeIdentity, openBundle, type Identity } from '../access/bundle.ts';
import { lineDigest, signatureHolds } from '../access/digest.ts';
import { signLine } from '../access/signing.ts';
import { openSlot, shortIdLength, slotTypeOf, unwrapBundleKey, type Credential } from '../access/slot.ts';
import { encodeBase64url, encodeHex, equalBytes, parseUtf8, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { KdfParameters } from '../crypto/kdf.ts';
import { Domain } from '../crypto/pae.ts';
import { importSigningKey } from '../crypto/signature.ts';
import { VaultDocument } from '../format/document.ts';
import { joinRequest, type Invitation, type JoinRequest } from '../format/join-text.ts';
import { invitationPin } from './invitation.ts';
import { encodeJson, parseLine, type Line } from '../format/json-line.ts';
import {
  bundleLine,
  principalEntry,
  slotLine,
  successionLine,
  type BundleLine,
  type PrincipalEntry,
  type SlotLine,
  type SuccessionLine,
} from '../format/lines.ts';
import { loadPendingJoin, removePendingJoin, savePendingJoin } from '../storage/pending-join.ts';
import { openVaultFile } from '../storage/vault-file.ts';
import { readPolicy } from '../lifecycle/policy.ts';
import { checkKeyFile } from './founding.ts';
import { kdfFor } from './kdf-policy.ts';
import type { Place } from './place.ts';
import { checkPins } from './unlock.ts';
import { makePrincipalKeys, type PrincipalKeys } from './principal-keys.ts';
import { Vault, type CredentialSource } from './vault.ts';

export interface Newcomer {
  readonly credential: Extract<Credential, { type: 'passphrase' }>;
  /** `null` for what the policy of the vault has by default. */
  readonly kdf: KdfParameters | null;
}

const requestLabel = 'join-request';

function pinsOf(authority: Authority): { root: number; rootDigest: string; floor: number } {
  const root = authority.rootDigests.length - 1;
  return { root, rootDigest: authority.rootDigests[root] ?? '', floor: authority.header.n };
}

async function makeOwnKeys(
  place: Place,
  authority: Authority,
  principal: string,
  { credential, kdf }: Newcomer,
): Promise<{ keys: PrincipalKeys; identity: Identity }> {
  checkKeyFile(credential.keyFile);
  return makePrincipalKeys(authority.domain, place.random, {
    principal,
    pins: pinsOf(authority),
    time: place.now().toISOString(),
    n: 1,
    credentials: [{ credential, kdf: kdfFor(readPolicy(authority.header.policy), kdf) }],
    engine: place.kdfEngine,
  });
}

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

interface Arrival {
  readonly slots: readonly Line<SlotLine>[];
  readonly succession: Line<SuccessionLine> | null;
}

async function publish(vault: Vault, arrival: Arrival): Promise<string> {
  return vault.write('join', async (scope) => {
    scope.slots = arrival.slots;
    scope.succession = arrival.succession;
    const own = scope.authority.principal(scope.identity.principal);
    if (own === null) throw new UnlockError('you were removed meanwhile');
    if (scope.document.bundleOf(own.id) !== null)
      throw new ConcurrencyError('somebody has joined with this already');
    // What an administrator sealed is opened once, so that it is wrapped under the own key from now on.
    if (arrival.succession === null) for (const entry of scope.accessible()) await scope.readerOf(entry);
    return own.name;
  });
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
    const credential = await credentials(attempt, new Set([slot.value.type]));
    if (credential === null) throw failure;
    if (slotTypeOf(credential) !== slot.value.type)
      throw new UnlockError('the request was made with another kind of credential', {
        hint: 'a passphrase, with or without a key file, as it was then',
      });
    try {
      const slotKey = await openSlot(authority.domain, slot.value, credential, place.kdfEngine);
      const bundleKey = await unwrapBundleKey(authority.domain, slot.value, slotKey);
      const opened = { slot: slot.value.id, slotKey, bundleKey };
      return await openBundle(authority.domain, own.bundle, opened, entry.signPub);
    } catch (error) {
      if (!(error instanceof UnlockError)) throw error;
      failure = error;
    }
  }
}

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
