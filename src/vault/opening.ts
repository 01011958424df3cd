/**
 * From a path and a credential to a checked document and its unlocked principal. docs/format.md section 6.
 *
 * Invariant: nobody is asked for a credential, and no KDF runs, before every signature of the file has been checked. A machine token
 * needs neither: it is tried while they are being checked, and what it opened is forgotten if one does not hold. Where its principal has
 * vouched on this machine for this very document, that was all checked before.
 */
import { AccessDeniedError, UnlockError } from '../errors.ts';
import { Authority } from '../access/authority.ts';
import { closeIdentity, type Identity } from '../access/bundle.ts';
import type { Credential } from '../access/slot.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { VaultDocument } from '../format/document.ts';
import type { SlotLine } from '../format/lines.ts';
import { openVaultFile, type OpenFile } from '../storage/vault-file.ts';
import { Journal } from './journal.ts';
import { lockLog } from './locks.ts';
import { checkMemory, isVouchedFor, openMemory, vouchedBy, type Memory } from './memory.ts';
import { settle, type Outcome } from './outcome.ts';
import type { Place } from './place.ts';
import { unlock } from './unlock.ts';

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
  const memory = await openMemory(place, options.acceptRollback === true);
  const { token } = options;
  const opened =
    token === null || token === undefined
      ? await openByAsking(place, memory, options)
      : await openByToken(place, memory, token, options.principal);
  const { loaded, identity } = opened;
  if (options.acceptRollback === true && !loaded.authority.isAdmin(identity.principal)) {
    closeIdentity(identity);
    loaded.file.close();
    throw new AccessDeniedError('only an administrator may accept a rollback');
  }
  return opened;
}

async function openByToken(
  place: Place,
  memory: Memory,
  token: TokenCredential,
  principal: string | null,
): Promise<Opened> {
  const file = openVaultFile(place.fs, place.path);
  let trial: Outcome<Identity> | null = null;
  try {
    const document = new VaultDocument(file);
    const authority = await Authority.unchecked(document);
    const seen = isVouchedFor(memory, document);
    const checks = seen ? null : authority.check(document);
    checks?.catch(() => undefined);
    trial = await settle(async () => tryCredential(place, { document, authority }, token, principal));
    const known = seen && 'value' in trial && (await vouchedBy(memory, document, authority, trial.value));
    if (!known) await (checks ?? authority.check(document));
    await checkMemory(memory, document, authority);
    if ('error' in trial) {
      if (trial.error instanceof UnlockError) await recordFailedUnlock(place, authority);
      throw trial.error;
    }
    return { memory, loaded: { file, document, authority }, identity: trial.value };
  } catch (error) {
    if (trial !== null && 'value' in trial) closeIdentity(trial.value);
    file.close();
    throw error;
  } finally {
    token.secret.fill(0);
  }
}

async function openByAsking(place: Place, memory: Memory, options: OpenOptions): Promise<Opened> {
  const loaded = await load(place, memory);
  try {
    for (let attempt = 1, failure: UnlockError | null = null; ; attempt++) {
      const credential = await options.credentials(attempt, () => slotTypes(loaded, options.principal));
      if (credential === null) throw failure ?? new UnlockError('no credential was given');
      try {
        const identity = await tryCredential(place, loaded, credential, options.principal);
        return { memory, loaded, identity };
      } catch (error) {
        if (!(error instanceof UnlockError)) throw error;
        failure = error;
        await recordFailedUnlock(place, loaded.authority);
      } finally {
        if ('secret' in credential) credential.secret.fill(0);
      }
    }
  } catch (error) {
    loaded.file.close();
    throw error;
  }
}

async function tryCredential(
  place: Place,
  { document, authority }: Omit<Loaded, 'file'>,
  credential: Credential,
  principal: string | null,
): Promise<Identity> {
  return unlock(document, authority, credential, principal, place.kdfEngine, place.now());
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
