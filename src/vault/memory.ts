/** What this machine remembers of a vault, held against what it finds. docs/format.md section 6, "What a machine remembers". */
import { IntegrityError } from '../errors.ts';
import { lineDigest } from '../access/digest.ts';
import type { Authority } from '../access/authority.ts';
import type { Identity } from '../access/bundle.ts';
import { encodeBase64url, encodeHex, utf8 } from '../crypto/bytes.ts';
import { deriveKey, hmacSha256, sha256 } from '../crypto/hash.ts';
import type { VaultDocument } from '../format/document.ts';
import {
  openStateStore,
  type Remembered,
  type RememberedLog,
  type StateStore,
} from '../storage/state-store.ts';
import type { Place } from './place.ts';

type Part = Remembered['parts'][number];

export interface Memory {
  readonly store: StateStore;
  /** `null` on a machine that has no memory of this path. */
  state: Remembered | null;
  /** What was remembered and is given up, because somebody accepts an older vault or the loss of the log. */
  readonly givenUp: Remembered | null;
}

/** By what a place's files in the state folder are called. */
export async function placeKey({ path }: Pick<Place, 'path'>): Promise<string> {
  return encodeHex(await sha256(utf8(path.toWellFormed()))).slice(0, 32);
}

/** @param accept give up what is remembered, on the record */
export async function openMemory(place: Place, accept = false): Promise<Memory> {
  const store = openStateStore(place.fs, place.stateFolder, await placeKey(place));
  const known = store.load();
  return accept ? { store, state: null, givenUp: known } : { store, state: known, givenUp: null };
}

/** Every numbered part of a document with its digest; of bundles only one's own. */
async function partsOf(
  document: VaultDocument,
  authority: Authority,
  principal: string | null,
): Promise<Part[]> {
  const lines: { key: string; n: number; raw: Uint8Array<ArrayBuffer> }[] = [
    { key: 'header', n: document.header.value.n, raw: document.header.raw },
  ];
  const bundle = principal === null ? null : document.bundleOf(principal);
  if (bundle !== null && principal !== null) {
    // With new keys of its own a principal's bundle counts anew.
    const key = `bundle:${principal}:${authority.principal(principal)?.signPub ?? ''}`;
    lines.push({ key, n: bundle.value.n, raw: bundle.raw });
  }
  for (const { entry, names, values, changes } of document.environments) {
    lines.push({ key: `names:${entry.id}`, n: names.value.n, raw: names.raw });
    lines.push({ key: `values:${entry.id}`, n: values.value.n, raw: values.raw });
    for (const line of changes)
      lines.push({ key: `changes:${entry.id}:${line.value.by}`, n: line.value.n, raw: line.raw });
  }
  const roots: Part[] = authority.rootDigests.map((digest, n) => [`root:${n}`, n, digest]);
  const others = lines.map(async ({ key, n, raw }): Promise<Part> => [
    key,
    n,
    await lineDigest(authority.domain, raw),
  ]);
  return [...roots, ...(await Promise.all(others))];
}

function refuse(message: string): never {
  throw new IntegrityError(message, {}, 'ROLLBACK');
}

/**
 * Compare a document with what is remembered. Nothing to do where the head is the very one that was seen last.
 * @throws IntegrityError INTEGRITY for another vault at this path, ROLLBACK for a lower number or two histories
 */
export async function checkMemory(
  memory: Memory,
  document: VaultDocument,
  authority: Authority,
): Promise<void> {
  const { state } = memory;
  const generation = document.snapshot.value.n;
  if (state === null) return;
  if (state.vault === document.vaultId && generation < state.generation) {
    refuse(`rolled back: generation ${generation}, this machine has seen ${state.generation}`);
  }
  if (state.head === document.snapshot.value.head) return;

  if (state.vault !== document.vaultId) {
    const hint = 'if you replaced it on purpose: `vault verify --accept-rollback`';
    throw new IntegrityError('another vault stands where this machine knew a different one', { hint });
  }
  const found = new Map(
    (await partsOf(document, authority, ownBundle(state))).map((part) => [part[0], part]),
  );
  if (generation === state.generation)
    refuse(`two histories: generation ${generation} is not the one that this machine has seen`);
  for (const [key, n, digest] of state.parts) {
    const now = found.get(key) ?? foundWithoutKey(found, key);
    const [kind = '', id = ''] = key.split(':');
    if (kind === 'changes') {
      const values = found.get(`values:${id}`)?.[1] ?? 0;
      const valuesSeen = state.parts.find(([other]) => other === `values:${id}`)?.[1] ?? 0;
      if (values > valuesSeen) continue;
    }
    if (now === undefined) {
      // An environment or a principal may be gone since, by a header that says so.
      if (kind === 'root' || document.header.value.n <= (headerSeen(state) ?? 0)) {
        refuse(
          `rolled back: ${kind} number ${n}, seen before, is missing (generation ${generation}, seen ${state.generation})`,
        );
      }
      continue;
    }
    if (now[1] < n) {
      refuse(
        `rolled back: ${kind} is number ${now[1]}, this machine has seen ${n} (generation ${generation}, seen ${state.generation})`,
      );
    }
    if (now[1] === n && now[2] !== digest) {
      refuse(
        `two histories: ${kind} number ${n} is not the one that this machine has seen (generation ${generation})`,
      );
    }
  }
}

/** A bundle that an earlier version of this program remembered, by its principal alone. */
function foundWithoutKey(found: ReadonlyMap<string, Part>, key: string): Part | undefined {
  if (!/^bundle:[^:]+$/u.test(key)) return undefined;
  return [...found].find(([other]) => other.startsWith(`${key}:`))?.[1];
}

function headerSeen(state: Remembered): number | undefined {
  return state.parts.find(([key]) => key === 'header')?.[1];
}

function ownBundle(state: Remembered): string | null {
  return state.parts.find(([key]) => key.startsWith('bundle:'))?.[0].split(':')[1] ?? null;
}

/**
 * What a principal says of a document whose signatures it has checked: a MAC by a key that only its credentials open, so that nobody
 * who can write to the machine's memory can say it for them. The snapshot has the digest of the head.
 */
async function vouch(document: VaultDocument, { domain }: Authority, identity: Identity): Promise<string> {
  const key = await deriveKey(domain, identity.wrapKey, 'checked', identity.principal);
  const tag = await hmacSha256(key, domain.encode('checked', document.snapshot.raw));
  key.fill(0);
  return encodeBase64url(tag);
}

/** Whether somebody may have vouched for this document here. */
export function isVouchedFor({ state }: Memory, document: VaultDocument): boolean {
  return state !== null && state.checked !== '' && state.head === document.snapshot.value.head;
}

/** Whether this principal has, and so need not check its signatures again: they depend on nothing but its head and its snapshot. */
export async function vouchedBy(
  { state }: Memory,
  document: VaultDocument,
  authority: Authority,
  identity: Identity,
): Promise<boolean> {
  return state?.checked === (await vouch(document, authority, identity));
}

/** Remember a verified document and the log's last record. Returns whether it could. */
export async function remember(
  memory: Memory,
  place: Place,
  document: VaultDocument,
  authority: Authority,
  identity: Identity,
  log: RememberedLog,
  durable: boolean,
): Promise<boolean> {
  const { state } = memory;
  const { head, n: generation } = document.snapshot.value;
  const same = state?.head === head && state.vault === document.vaultId;
  const parts = same ? state.parts : await partsOf(document, authority, identity.principal);
  const checked = await vouch(document, authority, identity);
  const logs = [...(state?.logs ?? []).filter((known) => known.path !== log.path), log];
  const next: Remembered = {
    vault: document.vaultId,
    path: place.path,
    generation,
    head,
    parts,
    logs,
    checked,
  };
  memory.state = next;
  return memory.store.save(next, durable);
}
