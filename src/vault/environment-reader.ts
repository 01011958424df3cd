/**
 * Reading one environment of a verified document: catalog, versions, values. docs/format.md sections 5 and 6 (steps 7, 8).
 *
 * Invariants: a shard's digest is checked before a line of it is used; a value is returned only if its line's signature, right,
 * chain and checksum hold. Only the shards that an answer needs are read.
 */
import { IntegrityError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import type { EnvironmentKeys } from '../access/environment-key.ts';
import { open } from '../crypto/aead.ts';
import { compareBytes, encodeBase64url, parseBase64url, utf8, type Bytes } from '../crypto/bytes.ts';
import type { SecretBytes } from '../crypto/secret-bytes.ts';
import { block, type CatalogEntry, type Note } from '../format/catalog.ts';
import { splitLines, type EnvironmentPart, type ShardSpace, type VaultDocument } from '../format/document.ts';
import { parseJson, parseLine, type Line } from '../format/json-line.ts';
import { blockLine, type ValueLine } from '../format/lines.ts';
import { shardDigest, shardNumber, shardOfName } from './environment-layout.ts';
import { AddedLines } from './added-lines.ts';
import { linesWith, readHistory, type SecretHistory } from './secret-history.ts';
import { storedValueLine } from './stored-line.ts';
import { openNote, openValueLine } from './value-line.ts';

/** What `changes` lines take away, until a writer folds them in. */
interface Withdrawn {
  /** Time of removal by secret. */
  readonly removed: ReadonlyMap<string, string>;
  /** Secrets of which no version is left. */
  readonly purged: ReadonlySet<string>;
}

const nothingWithdrawn: Withdrawn = { removed: new Map(), purged: new Set() };

export class EnvironmentReader {
  readonly document: VaultDocument;
  readonly authority: Authority;
  readonly part: EnvironmentPart;
  readonly keys: EnvironmentKeys;
  /** By place; promises, so that many who ask at once share one reading. */
  readonly #shards = new Map<string, Promise<Bytes>>();
  readonly #entries = new Map<number, Promise<readonly CatalogEntry[]>>();
  /** What `changes` add. */
  readonly added: AddedLines;
  #withdrawn: { readonly revision: number; readonly found: Promise<Withdrawn> } | null = null;

  constructor(document: VaultDocument, authority: Authority, part: EnvironmentPart, keys: EnvironmentKeys) {
    this.document = document;
    this.authority = authority;
    this.part = part;
    this.keys = keys;
    this.added = new AddedLines(part, async (index) => this.shard('changes', index));
  }

  get id(): string {
    return this.part.entry.id;
  }

  /** Digest-checked bytes of a shard. */
  async shard(space: ShardSpace, number: number): Promise<Bytes> {
    const key = `${space}:${number}`;
    const known = this.#shards.get(key);
    if (known !== undefined) return known;
    const reading = this.#readShard(space, number);
    this.#shards.set(key, reading);
    return reading;
  }

  async #readShard(space: ShardSpace, number: number): Promise<Bytes> {
    const bytes = this.document.shardBytes(this.part, space, number);
    const changes = this.part.changes[number]?.value;
    const wanted = space === 'changes' ? changes?.digest : this.part[space].value.shards[number]?.[0];
    const where = space === 'changes' ? (changes?.by ?? '') : number;
    if ((await shardDigest(this.authority.domain, space, this.id, where, bytes)) !== wanted)
      throw new IntegrityError(
        changes !== undefined && space === 'changes'
          ? `what ${this.authority.nameOf(changes.by)} had added to ${this.part.entry.name} was changed`
          : `${space} of ${this.part.entry.name}: shard ${number} was changed`,
      );
    return bytes;
  }

  async shardOfName(name: string): Promise<number> {
    return shardOfName(this.keys, name, this.part.names.value.bits);
  }

  /** The catalog entries of one shard, in order, as they stand there: `changes` are not applied. */
  async entriesOfShard(number: number): Promise<readonly CatalogEntry[]> {
    const known = this.#entries.get(number);
    if (known !== undefined) return known;
    const opening = this.#openBlock(number);
    this.#entries.set(number, opening);
    return opening;
  }

  async #openBlock(number: number): Promise<readonly CatalogEntry[]> {
    const [raw, ...more] = splitLines(await this.shard('names', number));
    if (raw === undefined || more.length > 0) throw new IntegrityError('a catalog shard is not one block');
    const line = parseLine(raw, blockLine, 'block').value;
    const { id, epoch } = this.part.entry;
    if (line.environment !== id || line.epoch !== epoch || line.shard !== number)
      throw new IntegrityError('block: it belongs elsewhere');
    const aad = this.authority.domain.encode('block', id, epoch, this.part.names.value.bits, number);
    const text = await open(this.keys.block, parseBase64url(line.sealed) ?? new Uint8Array(0), aad);
    const { entries } = parseJson(text, block, 'catalog');
    text.fill(0);
    let before: Bytes | null = null;
    for (const { name } of entries) {
      const now = utf8(name);
      if (before !== null && compareBytes(before, now) >= 0)
        throw new IntegrityError('catalog: entries are out of order');
      before = now;
    }
    return entries;
  }

  /** The entry of a name, also of a removed one, or `null`. */
  async find(name: string): Promise<CatalogEntry | null> {
    const entries = await this.entriesOfShard(await this.shardOfName(name));
    const found = entries.find((entry) => entry.name === name);
    if (found === undefined || !(await this.added.secrets()).has(found.secret)) return found ?? null;
    // Only what `changes` say of this secret: what they say of others is not this one's affair.
    const history = await this.history(found.secret);
    return asWithdrawn(withdrawnFrom([[found.secret, history]]), found);
  }

  /** All entries, by name in byte order. */
  async entries(): Promise<CatalogEntry[]> {
    const withdrawn = await this.#withdrawals();
    const stored = await this.storedEntries();
    if (withdrawn === nothingWithdrawn) return stored;
    return stored.flatMap((entry) => asWithdrawn(withdrawn, entry) ?? []);
  }

  /** All entries of the catalog, `changes` not applied. */
  async storedEntries(): Promise<CatalogEntry[]> {
    const shards = await Promise.all(
      this.part.names.value.shards.map(async (_, number) => this.entriesOfShard(number)),
    );
    if (shards.length === 1) return [...(shards[0] ?? [])];
    const all = shards.flat().map((entry) => ({ entry, key: utf8(entry.name) }));
    return all.sort((a, b) => compareBytes(a.key, b.key)).map(({ entry }) => entry);
  }

  /** Ids of all secrets that a values shard has a line of. */
  async storedSecrets(): Promise<ReadonlySet<string>> {
    const secrets = new Set<string>();
    for (const number of this.part.values.value.shards.keys()) {
      for (const raw of splitLines(await this.shard('values', number)))
        secrets.add(encodeBase64url(storedValueLine(raw).secret));
    }
    return secrets;
  }

  async #withdrawals(): Promise<Withdrawn> {
    if (this.part.changes.length === 0) return nothingWithdrawn;
    const { revision } = this.added;
    if (this.#withdrawn?.revision !== revision) this.#withdrawn = { revision, found: this.#findWithdrawn() };
    return this.#withdrawn.found;
  }

  async #findWithdrawn(): Promise<Withdrawn> {
    const histories: [string, SecretHistory][] = [];
    for (const secret of await this.added.secrets()) {
      try {
        histories.push([secret, await this.history(secret)]);
      } catch (error) {
        // Reading that secret says what is wrong with it; the others are listed.
        if (!(error instanceof IntegrityError)) throw error;
      }
    }
    return withdrawnFrom(histories);
  }

  valueShardOf(secret: string): number {
    return shardNumber(parseBase64url(secret) ?? new Uint8Array(2), this.part.values.value.bits);
  }

  /** Versions of a secret with their chain checked; signatures are checked for what is relied upon, by `checkVersion`. */
  async history(secret: string): Promise<SecretHistory> {
    const stored = await this.shard('values', this.valueShardOf(secret));
    const sources = [{ lines: linesWith(stored, secret), by: null }, ...(await this.added.sourcesOf(secret))];
    return readHistory(this.authority, this.part, secret, sources);
  }

  /** Signature, right, author and time of a version and of everything after it. */
  async checkVersion(history: SecretHistory, version: number): Promise<void> {
    const relied = history.versions.filter((line) => line.value.version >= version);
    await Promise.all(relied.map(async (line) => this.checkValueLine(line)));
  }

  async checkValueLine(line: Line<ValueLine>): Promise<void> {
    const { by, author, version } = line.value;
    if (by !== author && !this.authority.isAdmin(by))
      throw new IntegrityError('value: signed for somebody else');
    await this.authority.checkSigned(line, this.id, version === 1 ? ['write'] : ['write', 'rotate']);
  }

  /** The value of a version; caller wipes. The caller has checked the version. */
  async open(line: Line<ValueLine>): Promise<SecretBytes> {
    return openValueLine(this.authority.domain, this.part.entry, this.keys, line);
  }

  /** Whether a line's note opens, and its value where this reader can read. @throws IntegrityError */
  async checkOpens(line: Line<ValueLine>): Promise<void> {
    await this.note(line);
    if (this.keys.value !== null) (await this.open(line)).wipe();
  }

  async note(line: Line<ValueLine>): Promise<Note> {
    return openNote(this.authority.domain, this.part.entry, this.keys, line);
  }
}

function withdrawnFrom(histories: readonly (readonly [string, SecretHistory])[]): Withdrawn {
  const removed = new Map<string, string>();
  const purged = new Set<string>();
  for (const [secret, history] of histories) {
    if (history.removed !== null) removed.set(secret, history.removed.value.time);
    if (history.versions.length === 0) purged.add(secret);
  }
  return { removed, purged };
}

/** An entry with what `changes` take away from it, or `null` where nothing is left of it. */
function asWithdrawn({ removed, purged }: Withdrawn, entry: CatalogEntry): CatalogEntry | null {
  if (purged.has(entry.secret)) return null;
  const time = entry.removed === '' ? removed.get(entry.secret) : undefined;
  return time === undefined ? entry : { ...entry, removed: time };
}
