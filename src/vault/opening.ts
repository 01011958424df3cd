/**
 * From a path and a credential to a checked document and its unlocked principal. docs/format.md section 6.
 *
 * Invariant: nobody is asked for a credential, and no KDF runs, before every signature of the file has been checked. A machine token
 * needs neither: where its principal has vouched on this machine for this very document, all was checked before.
 */
import { AccessDeniedError, IntegrityError, UnlockError } from '../errors.ts';
import { Authority } from '../access/authority.ts';
import { closeIdentity, type Identity } from '../access/bundle.ts';
import { stretchWith, type Credential, type Stretcher } from '../access/slot.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { VaultDocument } from '../format/document.ts';
import { limits } from '../format/limits.ts';
import type { SlotLine } from '../format/lines.ts';
import { openVaultFile, type OpenFile } from '../storage/vault-file.ts';
import { Journal } from './journal.ts';
import { lockLog } from './locks.ts';
import { checkMemory, isVouchedFor, openMemory, vouchedBy, type Memory } from './memory.ts';
import { settle } from './outcome.ts';
import type { Place } from './place.ts';
import { unlock, unlockUnchecked } from './unlock.ts';

/**
 * Where credentials come from. Called only after every signature of the file has been checked; called again after a wrong one
 * until it returns `null`.
 */
export type CredentialSource = (
  attempt: number,
  /** Types of the slots that there are, of the principal that was named or of all. */
  types: () => ReadonlySet<SlotLine['type']>,
) => Promise<Credential | null>;

export type TokenCredential = Extract<Credential, { readonly type: 'token' }>;

export interface OpenOptions {
  /** A machine token; nothing else is tried then. Owned by the vault, and wiped. */
  readonly token?: TokenCredential | null;
  readonly credentials: CredentialSource;
  /** Name of the principal, where the credential alone does not say. */
  readonly principal: string | null;
  /** Accept an older vault, or the loss of the audit log, against what this machine remembers. Administrators only. */
  readonly acceptRollback?: boolean;
}

/** A document whose signatures hold. */
export interface Loaded {
  readonly file: OpenFile;
  readonly document: VaultDocument;
  readonly authority: Authority;
}

export interface Opened {
  readonly memory: Memory;
  readonly loaded: Loaded;
  readonly identity: Identity;
  /** What the key derivation of this unlock took; `null` where there was none, as for a token. */
  readonly stretchSeconds: number | null;
}

/** @param builtHead head bytes that this process has just written: checked by comparison, and memory has nothing to say yet */
export async function load(place: Place, memory: Memory, builtHead: Bytes | null = null): Promise<Loaded> {
  const file = openVaultFile(place.fs, place.path);
  try {
    const document = new VaultDocument(file);
    const authority = await (builtHead === null
      ? Authority.of(document)
      : Authority.ofOwn(document, builtHead));
    if (builtHead === null) await checkMemory(memory, document, authority);
    return { file, document, authority };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Open and unlock. Failed attempts are recorded. @throws as `Vault.open` says */
export async function openWithCredential(place: Place, options: OpenOptions): Promise<Opened> {
  const accept = options.acceptRollback === true;
  const memory = await openMemory(place, accept);
  const file = openVaultFile(place.fs, place.path);
  let identity: Identity | null = null;
  let stretchSeconds: number | null = null;
  try {
    const document = new VaultDocument(file);
    const authority = await Authority.unchecked(document);
    const loaded = { file, document, authority };
    identity = await knownIdentity(place, memory, loaded, options);
    if (identity === null) await authority.check(document);
    await checkMemory(memory, document, authority);
    if (identity === null)
      ({ identity, stretchSeconds } = await askForIdentity(place, loaded, options, async () =>
        recordFailedUnlock(place, authority),
      ));
    if (accept && !authority.isAdmin(identity.principal))
      throw new AccessDeniedError('only an administrator may accept a rollback');
    return { memory, loaded, identity, stretchSeconds };
  } catch (error) {
    if (identity !== null) closeIdentity(identity);
    file.close();
    throw error;
  } finally {
    options.token?.secret.fill(0);
  }
}

/** Whom the token opens, if they have vouched for this very document; `null` in every other case, whose reason is found the long way. */
async function knownIdentity(
  place: Place,
  memory: Memory,
  { document, authority }: Loaded,
  { token, principal }: OpenOptions,
): Promise<Identity | null> {
  if (token === undefined || token === null || !isVouchedFor(memory, document)) return null;
  const trial = await settle(async () => unlockUnchecked(document, authority, token, principal, place.now()));
  if ('error' in trial) return null;
  if (await vouchedBy(memory, document, authority, trial.value)) return trial.value;
  closeIdentity(trial.value);
  return null;
}

/**
 * Open a file that is not this machine's vault, such as a backup: nothing is remembered of it, and nothing is written to its log. It is read
 * once and whole: what is checked is what is used, whoever writes to the file meanwhile. The caller closes file and identity.
 */
export async function openDetached(
  place: Place,
  options: OpenOptions,
): Promise<Pick<Opened, 'loaded' | 'identity'>> {
  try {
    const file = readWhole(openVaultFile(place.fs, place.path));
    const document = new VaultDocument(file);
    const loaded = { file, document, authority: await Authority.of(document) };
    const { identity } = await askForIdentity(place, loaded, options, async () => Promise.resolve());
    return { loaded, identity };
  } finally {
    options.token?.secret.fill(0);
  }
}

/** The same bytes in memory; the file is closed. */
function readWhole(file: OpenFile): OpenFile {
  try {
    const { stamp, size } = file;
    if (size > limits.file) throw new IntegrityError('the file is larger than 1 GiB');
    const bytes = file.read(0, size);
    return {
      stamp,
      size,
      read: (offset, length) => {
        if (offset + length > bytes.length)
          throw new IntegrityError('the vault file is shorter than its parts say');
        return bytes.slice(offset, offset + length);
      },
      close: () => undefined,
    };
  } finally {
    file.close();
  }
}

async function askForIdentity(
  place: Place,
  loaded: Loaded,
  options: OpenOptions,
  failed: () => Promise<void>,
): Promise<Pick<Opened, 'identity' | 'stretchSeconds'>> {
  const { document, authority } = loaded;
  const { token, principal } = options;
  for (let attempt = 1, failure: UnlockError | null = null; ; attempt++) {
    const credential: Credential | null =
      token === undefined || token === null
        ? await options.credentials(attempt, () => slotTypes(loaded, principal))
        : attempt === 1
          ? token
          : null;
    if (credential === null) throw failure ?? new UnlockError('no credential was given');
    // Of several slots of one type the last that was tried is the one that opened.
    let stretchSeconds: number | null = null;
    const stretcher: Stretcher = async (...input) => {
      const begun = place.monotonic();
      const stretched = await stretchWith(place.kdfEngine)(...input);
      stretchSeconds = (place.monotonic() - begun) / 1_000;
      return stretched;
    };
    try {
      const identity = await unlock(document, authority, credential, principal, stretcher, place.now());
      return { identity, stretchSeconds };
    } catch (error) {
      if (!(error instanceof UnlockError)) throw error;
      failure = error;
      await failed();
    } finally {
      if ('secret' in credential) credential.secret.fill(0);
    }
  }
}

function slotTypes({ document, authority }: Loaded, named: string | null): ReadonlySet<SlotLine['type']> {
  const all = [...authority.principals].filter(({ name }) => named === null || name === named);
  return new Set(all.flatMap(({ id }) => document.slotsOf(id).map(({ value }) => value.type)));
}

async function recordFailedUnlock(place: Place, authority: Authority): Promise<void> {
  const lock = await lockLog(place);
  try {
    await Journal.appendFailedUnlock(place, authority.domain);
  } finally {
    lock.release();
  }
}
