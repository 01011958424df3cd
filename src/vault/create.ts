/** Putting a new vault in its place: under the lock, with the first records of its log. docs/format.md section 10. */
import { ConcurrencyError } from '../errors.ts';
import { headDigest } from '../access/digest.ts';
import { Authority } from '../access/authority.ts';
import type { Identity } from '../access/bundle.ts';
import type { Bytes } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import { encodeRecoveryKey } from '../format/key-text.ts';
import { VaultDocument } from '../format/document.ts';
import { errorCode, onDisk } from '../storage/file-system.ts';
import { openLog, splitTail } from '../storage/log-file.ts';
import { openVaultFile, replaceVaultFile } from '../storage/vault-file.ts';
import { parseRecord } from '../audit/record.ts';
import { joinLines, makeSnapshot } from './build.ts';
import { Journal } from './journal.ts';
import { openMemory, remember } from './memory.ts';
import type { Place } from './place.ts';
import { lockVault } from './locks.ts';
import { checkWanted, draftVault, type NewVault } from './founding.ts';

export interface CreatedVault {
  readonly vaultId: string;
  readonly recoveryKey: string | null;
}

/**
 * Make a vault at `place.path`. Nothing that exists is written over.
 * @throws ConcurrencyError ALREADY_EXISTS; UsageError for bad names, KDF parameters or key files; BackendError; AuditError
 */
export async function createVault(place: Place, wanted: NewVault): Promise<CreatedVault> {
  checkWanted(wanted);
  const { domain, identity, head, body, recoverySecret } = await draftVault(place, wanted);
  const recoveryKey = recoverySecret === null ? null : await encodeRecoveryKey(recoverySecret);
  recoverySecret?.fill(0);
  if (recoveryKey !== null) wanted.keepRecoveryKey?.(recoveryKey);
  await found(place, domain, identity, head, body);
  return { vaultId: domain.vaultId, recoveryKey };
}

/** Put the first file in its place, under the lock, with its first records. */
async function found(
  place: Place,
  domain: Domain,
  identity: Identity,
  head: Bytes,
  body: readonly Bytes[],
): Promise<void> {
  const lock = await lockVault(place);
  try {
    checkNothingThere(place);
    removeInterruptedLog(place);
    const digest = await headDigest(domain, head);
    const journal = await Journal.begin(place, domain, identity);
    try {
      await journal.append(identity, 1, { op: 'init', ok: true, to: digest });
      const time = place.now().toISOString();
      const snapshot = await makeSnapshot(domain, identity, null, { time, head: digest, log: journal.head });
      replaceVaultFile(place.fs, place.path, [head, ...body, joinLines([snapshot.raw])]);
      await rememberNew(place, identity, journal);
    } catch (error) {
      removeInterruptedLog(place);
      throw error;
    } finally {
      journal.close();
    }
  } finally {
    lock.release();
  }
}

async function rememberNew(place: Place, identity: Identity, journal: Journal): Promise<void> {
  const memory = await openMemory(place, true);
  const file = openVaultFile(place.fs, place.path);
  try {
    const document = new VaultDocument(file);
    const authority = await Authority.of(document);
    await remember(memory, place, document, authority, identity, journal.head, true);
  } finally {
    file.close();
  }
}

function checkNothingThere(place: Place): void {
  try {
    place.fs.lstatSync(place.path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    onDisk('look at', place.path, () => {
      throw error;
    });
  }
  throw new ConcurrencyError(`${place.path} exists already`, {}, 'ALREADY_EXISTS');
}

/** More than a killed `init` leaves. */
const firstRecords = 64 * 1024;

/** A killed `init` leaves a log of at most two records whose vault never came to be; that one goes. */
function removeInterruptedLog(place: Place): void {
  try {
    place.fs.lstatSync(place.path);
    return;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') return;
  }
  const log = openLog(place.fs, place.audit.path);
  if (log === null) return;
  const { lines } = splitTail(log.read(0, Math.min(log.size, firstRecords)));
  log.close();
  const ops = lines.map((raw) => ('op' in parseRecord(raw).value ? parseRecord(raw).value.op : ''));
  if (lines.length <= 2 && ops.every((op, index) => op === (index === 0 ? 'log' : 'init'))) {
    onDisk('remove', place.audit.path, () => {
      place.fs.unlinkSync(place.audit.path);
    });
  }
}
