/**
 * The core vault: open, read, change. The only door for commands, and for programs that embed it.
 *
 * Every operation passes through `read` or `write`: it works on a verified document, and its audit record is on disk before its
 * result leaves. docs/format.md sections 6 and 10.
 */
import {
  BackendError,
  ConcurrencyError,
  IntegrityError,
  SecretsManagerError,
  UnlockError,
} from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import { closeIdentity, type Identity } from '../access/bundle.ts';
import type { Bytes } from '../crypto/bytes.ts';
import type { VaultDocument } from '../format/document.ts';
import type { PrincipalEntry } from '../format/lines.ts';
import type { RememberedLog } from '../storage/state-store.ts';
import { vaultFileStamp } from '../storage/vault-file.ts';
import { seenOf, writeTime } from './build.ts';
import { buildStaged } from './commit.ts';
import { checkCredential, credentialProblem } from './credential-policy.ts';
import { lockLog, lockVault } from './locks.ts';
import { commitStaged } from './committing.ts';
import { Journal, type RecordFields } from './journal.ts';
import { openMemory, remember, type Memory } from './memory.ts';
import { load, openWithCredential, type Loaded, type Opened, type OpenOptions } from './opening.ts';
import { settle, type Outcome } from './outcome.ts';
import { forgottenValues } from './operations/forgotten-value.ts';
import type { Place } from './place.ts';
import { keepReversal } from './reversal-memory.ts';
import { checkOwnTime } from './proof.ts';
import { Scope, WriteScope } from './scope.ts';
import { identityFor } from './unlock.ts';

/** How far ahead of this machine's clock the times in a file may be for a writer to go on. */
const clockToleranceMs = 24 * 3600 * 1000;
const readAttempts = 20;

export class Vault {
  readonly place: Place;
  /** What the key derivation of this unlock took; `null` where there was none. */
  readonly stretchSeconds: number | null;
  readonly #memory: Memory;
  #loaded: Loaded;
  #identity: Identity;
  #arriving = false;

  private constructor(place: Place, { memory, loaded, identity, stretchSeconds }: Opened) {
    this.place = place;
    this.stretchSeconds = stretchSeconds;
    this.#memory = memory;
    this.#loaded = loaded;
    this.#identity = identity;
  }

  /**
   * Open and unlock. Failed attempts are recorded.
   * @throws SecretNotFoundError VAULT_NOT_FOUND; IntegrityError before any KDF runs; UnlockError; AccessDeniedError
   */
  static async open(place: Place, options: OpenOptions): Promise<Vault> {
    return new Vault(place, await openWithCredential(place, options));
  }

  /**
   * Open for somebody who has no credential in the file yet, and is about to put one there. The document is checked as for `open`.
   * @param newcomer finds or makes the identity; owned by the vault from then on
   */
  static async arrive(
    place: Place,
    newcomer: (document: VaultDocument, authority: Authority) => Promise<Identity>,
  ): Promise<Vault> {
    const memory = await openMemory(place);
    const loaded = await load(place, memory);
    try {
      const identity = await newcomer(loaded.document, loaded.authority);
      const vault = new Vault(place, { memory, loaded, identity, stretchSeconds: null });
      vault.#arriving = true;
      return vault;
    } catch (error) {
      loaded.file.close();
      throw error;
    }
  }

  /**
   * Open with what another copy of this vault was opened with. The document is checked as for `open`; the keys are copied.
   * @param accept an older vault than this machine remembers, and another log: for an administrator who has just put it there
   * @throws UnlockError for who is not in this vault; IntegrityError where it has other credentials of theirs
   */
  static async openAs(place: Place, known: Identity, accept: boolean): Promise<Vault> {
    const memory = await openMemory(place, accept);
    const loaded = await load(place, memory);
    try {
      const { document, authority } = loaded;
      const principal = authority.principal(known.principal);
      if (principal === null) throw new UnlockError('you have no access to this vault');
      const keys = {
        slot: known.slot,
        slotKey: known.slotKey?.slice() ?? null,
        bundleKey: known.bundleKey.slice(),
      };
      const identity = await identityFor(document, authority, principal, keys, place.now());
      return new Vault(place, { memory, loaded, identity, stretchSeconds: null });
    } catch (error) {
      loaded.file.close();
      throw error;
    }
  }

  get document(): VaultDocument {
    return this.#loaded.document;
  }

  get authority(): Authority {
    return this.#loaded.authority;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** What this machine remembers of the log at this place, or `null`. */
  get rememberedLog(): RememberedLog | null {
    return this.#memory.state?.logs.find(({ path }) => path === this.place.audit.path) ?? null;
  }

  /** Wipe keys and close the file. */
  close(): void {
    closeIdentity(this.#identity);
    this.#loaded.file.close();
  }

  /**
   * Do something that only reads. The record is flushed, and the document proven current, before the result is returned; if another
   * process replaced the file meanwhile, the work is done again on the new one.
   * @throws what `work` throws, recorded; AuditError if it cannot be recorded
   */
  async read<T>(op: string, work: (scope: Scope) => Promise<T>): Promise<T> {
    for (let attempt = 1; attempt <= readAttempts; attempt++) {
      const { document, authority } = this.#loaded;
      const scope = new Scope(document, authority, this.#identity, this.place.now());
      try {
        const outcome = await settle(async () => this.#allowed(op).then(async () => work(scope)));
        const lock = await lockLog(this.place);
        try {
          if (vaultFileStamp(this.place.fs, this.place.path) !== this.#loaded.file.stamp) {
            await this.#reload();
            continue;
          }
          const journal = await openFor(outcome, async () =>
            Journal.open(this.place, this.#memory, document, authority, this.#identity),
          );
          try {
            await this.#record(journal, {
              op,
              ...result(outcome),
              ...scope.trace.fields(),
              from: document.snapshot.value.head,
            });
          } finally {
            journal.close();
          }
        } finally {
          lock.release();
        }
        if ('error' in outcome) throw outcome.error;
        return outcome.value;
      } finally {
        scope.close();
      }
    }
    throw new ConcurrencyError('the vault changed again and again while it was read');
  }

  /** Go on with an operation that is on record already, with the vault as it is now. */
  async goOn<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    if (vaultFileStamp(this.place.fs, this.place.path) !== this.#loaded.file.stamp) await this.#reload();
    const { document, authority } = this.#loaded;
    const scope = new Scope(document, authority, this.#identity, this.place.now());
    try {
      return await work(scope);
    } finally {
      scope.close();
    }
  }

  /**
   * As `goOn`, with the log: a change is on record before it is in the vault, and nobody is between the two.
   * @throws ConcurrencyError if the log stays locked
   */
  async goOnWithLog<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    const lock = await lockLog(this.place);
    try {
      return await this.goOn(work);
    } finally {
      lock.release();
    }
  }

  /**
   * Do something that changes nothing in the vault, while nobody else changes it or appends to its log either.
   * @param finish makes visible what was done, once it is on record; what it throws is not recorded
   * @returns what `work` returns, and the log's last record: the one that says what was done
   * @throws what `work` throws, recorded; AuditError if it cannot be recorded
   */
  async hold<T>(
    op: string,
    work: (scope: Scope) => Promise<T>,
    finish: (value: T) => void = () => undefined,
  ): Promise<{ readonly value: T; readonly log: RememberedLog }> {
    return this.#underLock('read', async (journal, now) => {
      const { document, authority } = this.#loaded;
      const scope = new Scope(document, authority, this.#identity, now);
      try {
        const outcome = await settle(async () => this.#allowed(op).then(async () => work(scope)));
        const from = document.snapshot.value.head;
        await this.#record(journal, { op, ...result(outcome), ...scope.trace.fields(), from });
        if ('error' in outcome) throw outcome.error;
        finish(outcome.value);
        return { value: outcome.value, log: journal.head };
      } finally {
        scope.close();
      }
    });
  }

  /**
   * Change the vault. All of `work` is one write: it becomes visible as a whole, or not at all.
   * @throws what `work` throws, recorded, with nothing changed; AuditError; BackendError
   */
  async write<T>(op: string, work: (scope: WriteScope) => Promise<T>): Promise<T> {
    const { place } = this;
    return this.#underLock('write', async (journal, now) => {
      const { document, authority } = this.#loaded;
      const time = writeTime(document, now);
      const stamp = { time, seen: seenOf(document), identity: this.#identity, random: place.random };
      const scope = new WriteScope(document, authority, this.#identity, now, stamp);
      try {
        const newcomers = await scope.findNewcomers();
        const outcome = await settle(async () => this.#allowed(op).then(async () => work(scope)));
        const from = document.snapshot.value.head;
        if ('error' in outcome) {
          await this.#record(journal, { op, ...result(outcome), ...scope.trace.fields(), from });
          throw outcome.error;
        }
        await this.#commit(journal, scope, newcomers, op);
        for (const step of scope.afterwards) step();
        const forgotten = scope.owed.length === 0 ? [] : await forgottenValues(scope, place);
        for (const notice of [...scope.notices, ...forgotten]) place.warn(notice);
        return outcome.value;
      } finally {
        scope.close();
      }
    });
  }

  /**
   * The vault as it is now, with its log open, while nobody else changes either.
   * @param purpose the time of a write is checked before anything is put on record
   */
  async #underLock<T>(
    purpose: 'read' | 'write',
    work: (journal: Journal, now: Date) => Promise<T>,
  ): Promise<T> {
    const { place } = this;
    const lock = await lockVault(place);
    try {
      if (vaultFileStamp(place.fs, place.path) !== this.#loaded.file.stamp) await this.#reload();
      const { document, authority } = this.#loaded;
      const now = place.now();
      if (purpose === 'write') {
        const time = writeTime(document, now);
        checkClock(time, now);
        checkOwnTime(authority, this.#identity, time);
      }
      const journal = await Journal.open(place, this.#memory, document, authority, this.#identity);
      try {
        return await work(journal, now);
      } finally {
        journal.close();
      }
    } finally {
      lock.release();
    }
  }

  /** @throws AccessDeniedError for what the policy forbids with the credential in use */
  async #allowed(operation: string): Promise<void> {
    const { document, authority } = this.#loaded;
    checkCredential(credentialProblem(document, authority, this.#identity, this.place.now()), operation);
    return Promise.resolve();
  }

  async #record(journal: Journal, fields: RecordFields): Promise<void> {
    const { document, authority } = this.#loaded;
    await journal.append(this.#identity, document.header.value.n, fields);
    await remember(this.#memory, this.place, document, authority, this.#identity, journal.head, false);
  }

  async #commit(
    journal: Journal,
    scope: WriteScope,
    newcomers: readonly PrincipalEntry[],
    op: string,
  ): Promise<void> {
    const { place } = this;
    const { document, authority } = this.#loaded;
    const staged = await buildStaged(scope, newcomers);
    const from = document.snapshot.value.head;
    const fields: RecordFields = { op, ok: true, ...scope.trace.fields(), from };
    if (staged === null) {
      await this.#record(journal, fields);
      return;
    }
    const { file: built, identity: next } = staged;
    await commitStaged(
      { place, document, authority, identity: this.#identity, journal },
      staged,
      scope.stamp.time,
      fields,
      async (aborted) => this.#record(journal, aborted),
    );
    if (next.bundleKey !== this.#identity.bundleKey) closeIdentity(this.#identity);
    this.#identity = next;
    await this.#readBack(built.head);
    const { document: written, authority: checked } = this.#loaded;
    const kept = await remember(this.#memory, place, written, checked, next, journal.head, true);
    if (!kept && place.stateFolder !== null)
      place.warn('this machine could not remember the new state: a rollback would go unnoticed');
    await keepReversal(place, scope, next, op, journal.head, built.headDigest);
  }

  /** What has just been written, read again. The change stands, whatever happens here. */
  async #readBack(builtHead: Bytes): Promise<void> {
    try {
      await this.#reload(builtHead);
    } catch (cause) {
      const message = `${this.place.path} was replaced, but could not be read again: durability unknown`;
      throw new BackendError(message, { cause }, 'DURABILITY_UNKNOWN');
    }
  }

  /** Load what is at the path now. */
  async #reload(builtHead: Bytes | null = null): Promise<void> {
    const loaded = await load(this.place, this.#memory, builtHead);
    this.#loaded.file.close();
    this.#loaded = loaded;
    const { document, authority } = loaded;
    const principal = authority.principal(this.#identity.principal);
    if (principal === null) throw new UnlockError('your access to this vault was removed meanwhile');
    // A newcomer has nothing in the file yet that could have changed.
    if (this.#arriving && document.bundleOf(principal.id) === null) return;
    try {
      this.#identity = await identityFor(document, authority, principal, this.#identity, this.place.now());
    } catch (cause) {
      if (cause instanceof IntegrityError && cause.code === 'INTEGRITY') {
        throw new ConcurrencyError('your credentials were changed meanwhile; unlock again', { cause });
      }
      throw cause;
    }
  }
}

/** @throws IntegrityError for a vault from the future */
function checkClock(time: string, now: Date): void {
  if (Date.parse(time) - now.getTime() <= clockToleranceMs) return;
  const hint = 'set this machine’s clock, or find out who wrote with a wrong one';
  const message = `the vault was last written at ${time}, far ahead of this machine's clock`;
  throw new IntegrityError(message, { hint });
}

/** A damaged log cannot be appended to; what the work itself found wrong with it says more than that. */
async function openFor(outcome: Outcome<unknown>, open: () => Promise<Journal>): Promise<Journal> {
  try {
    return await open();
  } catch (error) {
    throw 'error' in outcome && outcome.error instanceof IntegrityError ? outcome.error : error;
  }
}

function result(outcome: Outcome<unknown>): { ok: boolean; code: string } {
  if (!('error' in outcome)) return { ok: true, code: '' };
  return { ok: false, code: outcome.error instanceof SecretsManagerError ? outcome.error.code : 'INTERNAL' };
}
