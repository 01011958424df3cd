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
  isSigned,
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
import type { Line } from '../format/json-line.ts';
import { createLog, openLog, type LogFile } from '../storage/log-file.ts';
import type { RememberedLog } from '../storage/state-store.ts';
import { syncFolder } from '../storage/file-system.ts';
import { removeStaleTemporary } from '../storage/vault-file.ts';
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
      const journal = await Journal.#attach(place, domain, present, known, document);
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

  static async #attach(
    place: Place,
    domain: Domain,
    file: LogFile,
    known: RememberedLog | null,
    document: VaultDocument,
  ): Promise<Journal> {
    const first = known?.seq ?? 0;
    const { lines, complete } = file.tail((tail) => known === null || sequenceOf(tail[0]) <= first);
    const last = lines.at(-1);
    if (last === undefined) throw missing(place, 'it has no whole record');
    const record = parseRecord(last).value;
    const { log, seq } = record;
    if (known !== null && known.id !== log) throw missing(place, 'another log stands in its place');
    const anchors = new Map<number, string>();
    if (known !== null) anchors.set(known.seq, known.digest);
    const anchored = document.snapshot.value.logs.find(([id]) => id === log);
    if (anchored !== undefined) anchors.set(anchored[1], anchored[2]);
    for (const [wanted, digest] of anchors) {
      if (wanted > seq) throw cut(place, seq, wanted);
      const index = lines.length - 1 - (seq - wanted);
      const raw = lines[index];
      if (raw === undefined) {
        // Further back than was read: full verification covers it. A complete log that lacks it was cut or pruned.
        if (complete && sequenceOf(lines[0]) <= wanted) throw cut(place, seq, wanted);
        continue;
      }
      if ((await recordDigest(domain, raw)) !== digest) {
        throw new IntegrityError(
          `audit log ${place.audit.path}: record ${wanted} is not the one that was anchored`,
        );
      }
    }
    await checkLinks(place, domain, lines.slice(-1 - Math.max(0, seq - (known?.seq ?? seq))));
    return new Journal(place, domain, file, log, seq, await recordDigest(domain, last));
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
      if (memory.state?.head !== to) syncFolder(this.#place.fs, this.#place.path);
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

function lastSigned(lines: readonly Bytes[]): Line<SignedRecord> | null {
  for (let index = lines.length - 1; index >= 0; index--) {
    const raw = lines[index];
    const line = raw === undefined ? null : parseRecord(raw);
    if (line !== null && isSigned(line)) return line;
  }
  return null;
}

function sequenceOf(raw: Bytes | undefined): number {
  return raw === undefined ? 0 : parseRecord(raw).value.seq;
}

async function checkLinks(place: Place, domain: Domain, lines: readonly Bytes[]): Promise<void> {
  for (const [index, raw] of lines.entries()) {
    const before = lines[index - 1];
    if (before === undefined) continue;
    const { seq, prev } = parseRecord(raw).value;
    if (prev !== (await recordDigest(domain, before))) {
      throw new IntegrityError(
        `audit log ${place.audit.path}: record ${seq} does not continue the one before it`,
      );
    }
  }
}

const acceptHint =
  'put the log back; if it is lost for good, an administrator accepts that with `vault verify --accept-rollback`';

function missing(place: Place, why: string): IntegrityError {
  return new IntegrityError(`the audit log ${place.audit.path} is missing: ${why}`, { hint: acceptHint });
}

function cut(place: Place, found: number, wanted: number): IntegrityError {
  const message = `the audit log ${place.audit.path} was cut: it ends at record ${found}, record ${wanted} is anchored`;
  return new IntegrityError(message, { hint: acceptHint });
}
