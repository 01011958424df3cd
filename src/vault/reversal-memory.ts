/**
 * Keeping what takes back a principal's last write at a place, sealed by a key that only its credentials open: names and metadata are in
 * it. docs/decisions/0014-undo.md.
 */
import type { Identity } from '../access/bundle.ts';
import { open, seal } from '../crypto/aead.ts';
import { encodeBase64url, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import { deriveKey } from '../crypto/hash.ts';
import type { Domain } from '../crypto/pae.ts';
import type { SignedRecord } from '../format/audit-record.ts';
import { encodeJson, parseJson } from '../format/json-line.ts';
import type { RememberedLog } from '../storage/state-store.ts';
import { openReversalStore, type ReversalStore } from '../storage/reversal-store.ts';
import { placeKey } from './memory.ts';
import type { Place } from './place.ts';
import { isReversible, reversal, type Reversal } from './reversal.ts';
import type { WriteScope } from './scope.ts';

/** The write that something is kept of: its record, and D of the vault that it made. */
interface Write {
  readonly log: string;
  readonly sequence: number;
  readonly to: string;
}

async function storeOf(place: Place, principal: string): Promise<ReversalStore> {
  return openReversalStore(place.fs, place.stateFolder, `${await placeKey(place)}-${principal}`);
}

const keyOf = async (domain: Domain, { wrapKey, principal }: Identity): Promise<Bytes> =>
  deriveKey(domain, wrapKey, 'undo', principal);

const dataOf = (domain: Domain, { principal }: Identity, { log, sequence, to }: Write): Bytes =>
  domain.encode('undo', principal, log, sequence, to);

/**
 * Keep what takes back a write that is done, in place of what was kept of an earlier one. Of operations that cannot be taken back nothing
 * is kept. Never rejects: the write stands, whatever happens here.
 * @param log where it stands: at the record of the write; @param to D of the vault that it made
 */
export async function keepReversal(
  place: Place,
  { authority, reversal: staged, stamp }: WriteScope,
  identity: Identity,
  operation: string,
  log: RememberedLog,
  to: string,
): Promise<void> {
  if (place.stateFolder === null) return;
  const { domain } = authority;
  const store = await storeOf(place, identity.principal);
  if (!isReversible(operation)) {
    store.remove();
    return;
  }
  const write = { log: log.id, sequence: log.seq, to };
  try {
    const text = encodeJson(staged.of(operation, stamp.time), reversal, 'reversal');
    const key = await keyOf(domain, identity);
    const sealed = await seal(place.random, key, text, dataOf(domain, identity, write));
    key.fill(0);
    text.fill(0);
    store.save({ ...write, sealed: encodeBase64url(sealed) });
  } catch {
    store.remove();
  }
}

/** What is kept of the write that has this record, or `null` if nothing is, or nothing that the identity can open. */
export async function loadReversal(
  place: Place,
  domain: Domain,
  identity: Identity,
  { log, seq: sequence, to }: SignedRecord,
): Promise<Reversal | null> {
  const kept = (await storeOf(place, identity.principal)).load();
  if (kept?.log !== log || kept.sequence !== sequence || kept.to !== to) return null;
  const key = await keyOf(domain, identity);
  try {
    const sealed = parseBase64url(kept.sealed) ?? new Uint8Array(0);
    const text = await open(key, sealed, dataOf(domain, identity, kept));
    return parseJson(text, reversal, 'what is kept for undo');
  } catch {
    return null;
  } finally {
    key.fill(0);
  }
}
