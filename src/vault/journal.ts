/**
 * The audit log of this place, opened under the lock: checked against what is remembered, mended after a crash, appended to.
 * docs/format.md sections 9 and 10.
 *
 * Invariants: a record is flushed before anything it describes is shown or acknowledged; if it cannot be written, the operation
 * does not happen. Recovery runs before the first record of every holder of the lock, so only the last signed record can be open.
 */
import { IntegrityError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import type { Identity } from '../access/bundle.ts';
import {
  makeRecord,
  makeUnsignedRecord,
  parseRecord,
  recordDigest,
  type AnyRecord,
} from '../audit/record.ts';
import { concatBytes, encodeBase64url, type Bytes } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import type { SignedRecord } from '../format/audit-record.ts';
import type { VaultDocument } from '../format/document.ts';
import { createLog, openLog, type LogFile } from '../storage/log-file.ts';
import type { RememberedLog } from '../storage/state-store.ts';
import { onDisk, syncFolder } from '../storage/file-system.ts';
import { removeStaleTemporary } from '../storage/vault-file.ts';
import { attachPoint, lastSigned, missing } from './journal-anchors.ts';
import type { Memory } from './memory.ts';
import type { Place } from './place.ts';

/** What an operation says of itself; the journal adds the rest. */
export interface RecordFields {
  readonly op: string;
  readonly ok: boolean;
  readonly code?: string;
  readonly environment?: string;
  readonly secrets?: SignedRecord['secrets'];
  readonly detail?: string;
  readonly from?: string;
  readonly to?: string;
}

const lineFeed = Uint8Array.of(0x0a);
const logIdLength = 16;

export class Journal {
  readonly #place: Place;
  readonly #domain: Domain;
  readonly #file: LogFile;
  #id: string;
  #seq: number;
  #digest: string;

  private constructor(place: Place, domain: Domain, file: LogFile, id: string, seq: number, digest: string) {
    this.#place = place;
    this.#domain = domain;
    this.#file = file;
    this.#id = id;
    this.#seq = seq;
    this.#digest = digest;
  }

  /** Where the log stands: what memory and snapshot anchor. */
  get head(): RememberedLog {
    return { path: this.#place.audit.path, id: this.#id, seq: this.#seq, digest: this.#digest };
  }

  /**
   * Open the log for a verified document and recover what a killed process left.
   * @throws AuditError; IntegrityError if the log is missing, strange, cut or changed where it is anchored; ROLLBACK
   */
  static async open(
    place: Place,
    memory: Memory,
    document: VaultDocument,
    authority: Authority,
    identity: Identity,
  ): Promise<Journal> {
    const known = memory.state?.logs.find((log) => log.path === place.audit.path) ?? null;
    const { domain } = authority;
    const present = openLog(place.fs, place.audit.path);
    if (present === null || present.size === 0) {
      if (known !== null) throw missing(place, `this machine knows its record ${known.seq}`);
      const file = present ?? createLog(place.fs, place.audit.path);
      const lost = memory.givenUp?.logs.find((log) => log.path === place.audit.path);
      const detail = lost === undefined ? 'new' : `lost ${lost.id} ${lost.seq} ${lost.digest}`;
      return Journal.#start(place, domain, file, identity, { document, detail });
    }
    try {
      const { torn } = present.tail();
      if (torn > 0) present.cut(torn);
      const { id, seq, digest } = await attachPoint(place, domain, present, known, document);
      const journal = new Journal(place, domain, present, id, seq, digest);
      const own = { header: document.header.value.n, from: document.snapshot.value.head };
      if (torn > 0)
        await journal.append(identity, own.header, { op: 'torn', ok: true, detail: String(torn) });
      await journal.#recover(memory, document, authority, identity);
      return journal;
    } catch (error) {
      present.close();
      throw error;
    }
  }

  /** The first log of a new vault. */
  static async begin(place: Place, domain: Domain, identity: Identity): Promise<Journal> {
    const file = openLog(place.fs, place.audit.path) ?? createLog(place.fs, place.audit.path);
    if (file.size > 0) {
      file.close();
      throw new IntegrityError(
        `${place.audit.path} is there already and belongs to another vault`,
        {},
        'UNSAFE_PATH',
      );
    }
    return Journal.#start(place, domain, file, identity, { document: null, detail: 'new' });
  }

  static async #start(
    place: Place,
    domain: Domain,
    file: LogFile,
    identity: Identity,
    { document, detail }: { readonly document: VaultDocument | null; readonly detail: string },
  ): Promise<Journal> {
    const journal = new Journal(place, domain, file, encodeBase64url(place.random(logIdLength)), 0, '');
    const header = document?.header.value.n ?? 1;
    await journal.append(identity, header, {
      op: 'log',
      ok: true,
      detail,
      from: document?.snapshot.value.head ?? '',
    });
    return journal;
  }

  /** Append a signed record and flush. @throws AuditError: the operation must not happen. */
  async append(identity: Identity, header: number, fields: RecordFields): Promise<void> {
    const line = await makeRecord(this.#domain, identity.signing, {
      log: this.#id,
      seq: this.#seq + 1,
      time: this.#place.now().toISOString(),
      op: fields.op,
      ok: fields.ok,
      code: fields.code ?? '',
      principal: identity.principal,
      environment: fields.environment ?? '',
      secrets: fields.secrets ?? [],
      context: this.#place.context,
      source: 'file',
      detail: fields.detail ?? '',
      header,
      from: fields.from ?? '',
      to: fields.to ?? '',
      prev: this.#digest,
    });
    await this.#write(line.raw);
  }

  close(): void {
    this.#file.close();
  }

  async #write(raw: Bytes): Promise<void> {
    this.#file.append(concatBytes(raw, lineFeed));
    this.#seq += 1;
    this.#digest = await recordDigest(this.#domain, raw);
  }

  async #recover(
    memory: Memory,
    document: VaultDocument,
    authority: Authority,
    identity: Identity,
  ): Promise<void> {
    const { lines } = this.#file.tail((tail) => lastSigned(tail) !== null);
    const open = lastSigned(lines);
    if (open === null) return;
    const { from, to, seq } = open.value;
    const { head, logs } = document.snapshot.value;
    const header = document.header.value.n;
    if (to !== '' && head === to) {
      // Killed between rename and flush, perhaps: the folder is flushed by whoever comes next.
      const { fs, path } = this.#place;
      if (memory.state?.head !== to)
        onDisk('flush the folder of', path, () => {
          syncFolder(fs, path);
        });
      return;
    }
    if (to !== '' && head === from) {
      if (memory.givenUp?.head === to) {
        await this.append(identity, header, { op: 'replaced', ok: true, from: head, detail: 'accepted' });
        return;
      }
      if (memory.state?.head === to) {
        const message = `rolled back: record ${seq} made a newer vault than the one that is here (generation ${document.snapshot.value.n})`;
        throw new IntegrityError(message, {}, 'ROLLBACK');
      }
      removeStaleTemporary(this.#place.fs, this.#place.path);
      await this.append(identity, header, { op: 'aborted', ok: true, detail: String(seq), from });
      return;
    }
    if (to === '' && (head === from || from === '')) return;
    // Changed from outside. Signatures and counters were checked before the journal was opened.
    const digest = await recordDigest(authority.domain, open.raw);
    const happened =
      to === '' ||
      logs.some(([id, at, record]) => id === this.#id && at >= seq && (at > seq || record === digest));
    if (!happened)
      await this.append(identity, header, { op: 'aborted', ok: true, detail: String(seq), from });
    await this.append(identity, header, { op: 'replaced', ok: true, from: head });
  }

  /** A failed unlock: nobody signs, nothing is said but that it happened. Only a log that exists is appended to. */
  static async appendFailedUnlock(place: Place, domain: Domain): Promise<void> {
    const file = openLog(place.fs, place.audit.path);
    if (file === null) return;
    try {
      const { lines, torn } = file.tail();
      if (torn > 0) file.cut(torn);
      const last = lines.at(-1);
      if (last === undefined) return;
      const record: AnyRecord = parseRecord(last).value;
      const time = place.now().toISOString();
      const prev = await recordDigest(domain, last);
      const line = makeUnsignedRecord({
        log: record.log,
        seq: record.seq + 1,
        time,
        op: 'unlock',
        ok: false,
        count: 1,
        prev,
      });
      file.append(concatBytes(line.raw, lineFeed));
    } finally {
      file.close();
    }
  }
}
