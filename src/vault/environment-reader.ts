/**
 * Reading one environment of a verified document: catalog, versions, values. docs/format.md sections 5 and 6 (steps 7, 8).
 *
 * Invariants: a shard's digest is checked before a line of it is used; a value is returned only if its line's signature, right,
 * chain and checksum hold. Only the shards that an answer needs are read.
 */
import { IntegrityError } from '../errors.ts';
import { lineDigest } from '../access/digest.ts';
import type { Authority } from '../access/authority.ts';
import type { EnvironmentKeys } from '../access/environment-key.ts';
import { open } from '../crypto/aead.ts';
import { compareBytes, encodeBase64url, parseBase64url, utf8, type Bytes } from '../crypto/bytes.ts';
import type { SecretBytes } from '../crypto/secret-bytes.ts';
import { block, type CatalogEntry, type Note } from '../format/catalog.ts';
import { splitLines, type EnvironmentPart, type ShardSpace, type VaultDocument } from '../format/document.ts';
import { lineKind, parseJson, parseLine, type Line } from '../format/json-line.ts';
import {
  blockLine,
  purgedLine,
  removedLine,
  valueLine,
  type PurgedLine,
  type RemovedLine,
  type ValueLine,
} from '../format/lines.ts';
import { shardDigest, shardNumber, shardOfName } from './environment-layout.ts';
import { storedLine, storedValueLine } from './stored-line.ts';
import { openNote, openValueLine } from './value-line.ts';

/** The kept versions of one secret, oldest first, chain checked. */
export interface SecretHistory {
  readonly purged: Line<PurgedLine> | null;
  readonly versions: readonly Line<ValueLine>[];
  readonly removed: Line<RemovedLine> | null;
}

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
  #withdrawn: Promise<Withdrawn> | null = null;
  /** Places of `changes` parts that do not hold and are left out. */
  #setAside: ReadonlySet<number> = new Set();

  constructor(document: VaultDocument, authority: Authority, part: EnvironmentPart, keys: EnvironmentKeys) {
    this.document = document;
    this.authority = authority;
    this.part = part;
    this.keys = keys;
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
      throw new IntegrityError(`${space} of ${this.part.entry.name}: shard ${number} was changed`);
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
    if (found === undefined || !(await this.changedSecrets()).has(found.secret)) return found ?? null;
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

  /** Secrets that `changes` lines say something of. */
  async changedSecrets(): Promise<ReadonlySet<string>> {
    const secrets = new Set<string>();
    for (const index of this.part.changes.keys()) {
      if (this.#setAside.has(index)) continue;
      for (const raw of splitLines(await this.shard('changes', index)))
        secrets.add(encodeBase64url(storedLine(raw).secret));
    }
    return secrets;
  }

  async #withdrawals(): Promise<Withdrawn> {
    if (this.part.changes.length === 0) return nothingWithdrawn;
    this.#withdrawn ??= this.#findWithdrawn();
    return this.#withdrawn;
  }

  async #findWithdrawn(): Promise<Withdrawn> {
    const histories: [string, SecretHistory][] = [];
    for (const secret of await this.changedSecrets()) {
      try {
        histories.push([secret, await this.history(secret)]);
      } catch (error) {
        // Reading that secret says what is wrong with it; the others are listed.
        if (!(error instanceof IntegrityError)) throw error;
      }
    }
    return withdrawnFrom(histories);
  }

  /**
   * For whoever is about to take `changes` over: parts that do not hold, or bring a value that does not open, are set aside, whole. Else
   * one signer with the right to rotate could stop every writer, and the administrator who would remove it.
   * @returns ids of the signers whose parts were set aside
   */
  async settleChanges(): Promise<string[]> {
    const all = [...this.part.changes.keys()];
    let aside: readonly number[] = [];
    for (let failing = await this.#failing(aside); failing.length > 0;) {
      // Versions of several signers build upon each other: the one goes without which most of the others hold.
      let best = { aside, failing };
      for (const culprit of failing) {
        const without = [...aside, culprit];
        const rest = await this.#failing(without);
        if (best.aside === aside || rest.length < best.failing.length)
          best = { aside: without, failing: rest };
      }
      ({ aside, failing } = best);
    }
    this.#setAside = new Set(aside);
    this.#withdrawn = null;
    return all
      .filter((index) => aside.includes(index))
      .flatMap((index) => this.part.changes[index]?.value.by ?? []);
  }

  /** Parts that do not hold when these are left out. */
  async #failing(aside: readonly number[]): Promise<number[]> {
    this.#setAside = new Set(aside);
    const failing: number[] = [];
    for (const index of this.part.changes.keys())
      if (!aside.includes(index) && !(await this.#holds(index))) failing.push(index);
    return failing;
  }

  async #holds(index: number): Promise<boolean> {
    try {
      for (const raw of splitLines(await this.shard('changes', index))) {
        const secret = encodeBase64url(storedLine(raw).secret);
        const history = await this.history(secret);
        await this.checkVersion(history, 0);
        if (history.versions.at(-1)?.value.state === 'pending') return false;
        for (const line of history.versions) {
          if (line.value.by !== this.part.changes[index]?.value.by) continue;
          await this.note(line);
          if (this.keys.value !== null) (await this.open(line)).wipe();
        }
      }
      return (this.part.changes[index]?.value.size ?? 0) > 0;
    } catch (error) {
      if (error instanceof IntegrityError) return false;
      throw error;
    }
  }

  valueShardOf(secret: string): number {
    return shardNumber(parseBase64url(secret) ?? new Uint8Array(2), this.part.values.value.bits);
  }

  /** Versions of a secret with their chain checked; signatures are checked for what is relied upon, by `checkVersion`. */
  async history(secret: string): Promise<SecretHistory> {
    const raw = linesWith(await this.shard('values', this.valueShardOf(secret)), secret);
    const sources = [{ raw, by: null as string | null }];
    for (const [index, line] of this.part.changes.entries()) {
      if (this.#setAside.has(index)) continue;
      sources.push({ raw: linesWith(await this.shard('changes', index), secret), by: line.value.by });
    }
    let purged: Line<PurgedLine> | null = null;
    let removed: Line<RemovedLine> | null = null;
    const addedPurges: Line<PurgedLine>[] = [];
    const versions = new Map<number, Line<ValueLine>>();
    for (const source of sources) {
      for (const bytes of source.raw) {
        const line = this.#parse(bytes, secret, source.by);
        if (line.value.kind === 'purged') {
          purged = latest(purged, line as Line<PurgedLine>);
          if (source.by !== null) addedPurges.push(line as Line<PurgedLine>);
        } else if (line.value.kind === 'removed') removed = line as Line<RemovedLine>;
        else place(versions, line as Line<ValueLine>, source.by !== null);
      }
    }
    const through = purged?.value.through ?? 0;
    const kept = [...versions.values()].filter((line) => line.value.version > through);
    kept.sort((a, b) => a.value.version - b.value.version);
    await this.#checkAdded(purged, removed);
    await this.#checkPurges(addedPurges, versions);
    await this.#checkChain(kept, purged);
    return { purged, versions: kept, removed };
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

  async note(line: Line<ValueLine>): Promise<Note> {
    return openNote(this.authority.domain, this.part.entry, this.keys, line);
  }

  #parse(raw: Bytes, secret: string, by: string | null): Line<ValueLine | PurgedLine | RemovedLine> {
    const kind = lineKind(raw);
    let line: Line<ValueLine | PurgedLine | RemovedLine>;
    if (kind === 'purged') line = parseLine(raw, purgedLine, 'purged');
    else if (kind === 'removed' && by !== null) line = parseLine(raw, removedLine, 'removed');
    else line = parseLine(raw, valueLine, 'value');
    const { value } = line;
    const belongs = value.environment === this.id && value.secret === secret;
    if (!belongs || (value.kind === 'value' && value.epoch !== this.part.entry.epoch)) {
      throw new IntegrityError(`${value.kind}: it belongs elsewhere`);
    }
    if (by !== null && value.by !== by)
      throw new IntegrityError(`${value.kind}: not by the signer of its changes`);
    return line;
  }

  /** Signature and right of what ends versions. */
  async #checkAdded(purged: Line<PurgedLine> | null, removed: Line<RemovedLine> | null): Promise<void> {
    if (purged !== null) await this.authority.checkSigned(purged, this.id, ['delete', 'write']);
    if (removed !== null) await this.authority.checkSigned(removed, this.id, ['delete']);
  }

  /** What `changes` purge is still there until it is folded in: it must be what the trace says. */
  async #checkPurges(
    purges: readonly Line<PurgedLine>[],
    versions: ReadonlyMap<number, Line<ValueLine>>,
  ): Promise<void> {
    for (const { value } of purges) {
      const last = versions.get(value.through);
      const same =
        last !== undefined &&
        last.value.time === value.last &&
        (await lineDigest(this.authority.domain, last.raw)) === value.digest;
      if (!same) throw new IntegrityError('purged: it does not name the version that it ends with');
    }
  }

  async #checkChain(versions: readonly Line<ValueLine>[], purged: Line<PurgedLine> | null): Promise<void> {
    let version = purged?.value.through ?? 0;
    let prev = purged?.value.digest ?? '';
    let time = purged?.value.last ?? '';
    const parts = [this.part.values, ...this.part.changes];
    const newest = parts.map((part) => part.value.time).reduce((a, b) => (a > b ? a : b));
    for (const [index, line] of versions.entries()) {
      const { value } = line;
      if (value.state === 'pending' && index < versions.length - 1)
        throw new IntegrityError('a version follows one that is pending');
      if (value.time > newest)
        throw new IntegrityError(`version ${value.version} is newer than the part that holds it`);
      if (value.version !== version + 1)
        throw new IntegrityError(`versions are not consecutive: ${version} is followed by ${value.version}`);
      if (value.prev !== prev)
        throw new IntegrityError(`version ${value.version} does not continue the one before it`);
      if (value.time < time)
        throw new IntegrityError(`version ${value.version} is older than the one before it`);
      version = value.version;
      time = value.time;
      prev = await lineDigest(this.authority.domain, line.raw);
    }
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

/** Every line of a shard that names this secret. Sealed text is base64url: the quoted member occurs nowhere else. */
function linesWith(shard: Bytes, secret: string): Bytes[] {
  const buffer = Buffer.from(shard.buffer, shard.byteOffset, shard.length);
  const wanted = `"secret":"${secret}"`;
  const lines: Bytes[] = [];
  for (let at = buffer.indexOf(wanted); at >= 0; at = buffer.indexOf(wanted, at)) {
    const start = buffer.lastIndexOf(0x0a, at) + 1;
    const end = buffer.indexOf(0x0a, at);
    if (end < 0) throw new IntegrityError('malformed vault data: a line does not end');
    lines.push(shard.subarray(start, end));
    at = end;
  }
  return lines;
}

function latest(a: Line<PurgedLine> | null, b: Line<PurgedLine>): Line<PurgedLine> {
  return a === null || b.value.through > a.value.through ? b : a;
}

/** Put a version into the map; a changed state of a pending one, by the same author, counts in its place. */
function place(versions: Map<number, Line<ValueLine>>, line: Line<ValueLine>, added: boolean): void {
  const { version, author, prev, state } = line.value;
  const present = versions.get(version)?.value;
  if (present !== undefined) {
    const settles =
      added &&
      present.state === 'pending' &&
      state !== 'pending' &&
      author === present.author &&
      prev === present.prev;
    if (!settles) throw new IntegrityError(`version ${version} is there twice`);
  }
  versions.set(version, line);
}

/** The highest live version, or `null`. */
export function currentVersion(history: SecretHistory): Line<ValueLine> | null {
  return history.versions.findLast((line) => line.value.state === 'live') ?? null;
}
