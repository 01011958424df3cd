/** The commit: a staged file proven, put on record, and put in the place of the vault. docs/format.md section 10. */
import { BackendError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import type { Identity } from '../access/bundle.ts';
import type { VaultDocument } from '../format/document.ts';
import { replaceVaultFile } from '../storage/vault-file.ts';
import { joinLines, makeSnapshot } from './build.ts';
import type { StagedFile } from './commit.ts';
import type { Journal, RecordFields } from './journal.ts';
import type { Place } from './place.ts';
import { proveFile } from './proof.ts';

export interface Committing {
  readonly place: Place;
  readonly document: VaultDocument;
  readonly authority: Authority;
  /** Whose record it is; the new snapshot is signed by the staged file's identity, which may have other keys. */
  readonly identity: Identity;
  readonly journal: Journal;
}

/**
 * @param time of the write @param fields of its record
 * @param aborted puts on record that nothing came of it; what it throws is not told
 * @throws IntegrityError with nothing on record; AuditError; BackendError
 */
export async function commitStaged(
  { place, document, authority, identity, journal }: Committing,
  staged: StagedFile,
  time: string,
  fields: RecordFields,
  aborted: (fields: RecordFields) => Promise<void>,
): Promise<void> {
  const { file: built, identity: next } = staged;
  const before = document.snapshot.value;
  const signed = { time, head: built.headDigest };
  const trial = await makeSnapshot(authority.domain, next, before, { ...signed, log: journal.head });
  await proveFile(built, joinLines([trial.raw]), staged.credentials);
  await journal.append(identity, document.header.value.n, { ...fields, to: built.headDigest });
  const snapshot = await makeSnapshot(authority.domain, next, before, { ...signed, log: journal.head });
  try {
    replaceVaultFile(place.fs, place.path, [built.head, ...built.body, joinLines([snapshot.raw])]);
  } catch (error) {
    if (error instanceof BackendError && error.code === 'BACKEND') {
      const detail = String(journal.head.seq);
      await aborted({ op: 'aborted', ok: true, detail, from: before.head }).catch(() => undefined);
    }
    throw error;
  }
}
