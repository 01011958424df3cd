/**
 * Changing one environment: catalog entries and versions, kept in memory until a write builds the new lines.
 * docs/format.md sections 3 and 5. Only the shards that a change touches are opened, sealed and written anew.
 */
import { IntegrityError, AccessDeniedError } from '../errors.ts';
import { lineDigest } from '../access/digest.ts';
import type { Identity } from '../access/bundle.ts';
import { signLine } from '../access/signing.ts';
import { seal, type RandomSource } from '../crypto/aead.ts';
import { compareBytes, concatBytes, encodeBase64url, utf8, type Bytes } from '../crypto/bytes.ts';
import { hmacSha256, sha256 } from '../crypto/hash.ts';
import { block, note as noteShape, type CatalogEntry, type Note } from '../format/catalog.ts';
import { splitLines } from '../format/document.ts';
import { encodeJson, encodeLine, type Line } from '../format/json-line.ts';
import { limits } from '../format/limits.ts';
import {
  blockLine,
  namesLine,
  purgedLine,
  valueLine,
  valuesLine,
  type NamesLine,
  type PurgedLine,
  type Seen,
  type ValueLine,
  type ValuesLine,
} from '../format/lines.ts';
import { idBytes, storedLine, type StoredLine } from './stored-line.ts';
import { shardNumber, type EnvironmentReader, type SecretHistory } from './environment-reader.ts';

/** What every line of one write shares. */
export interface WriteStamp {
  readonly time: string;
  readonly seen: Seen;
  readonly identity: Identity;
  readonly random: RandomSource;
}

/** One environment's new head lines and shard bytes; `null` shards are copied from the present file. */
export interface BuiltEnvironment {
  readonly names: Line<NamesLine>;
  readonly values: Line<ValuesLine>;
  readonly blocks: readonly (Bytes | null)[];
  readonly valueShards: readonly (Bytes | null)[];
}

const secretsPerShard = 128;
/** A shard may grow this far before all are divided anew. */
const fullShard = 2 * secretsPerShard;
const lineFeed = Uint8Array.of(0x0a);

export class EnvironmentDraft {
  readonly reader: EnvironmentReader;
  readonly #stamp: WriteStamp;
  readonly #catalog = new Map<number, Map<string, CatalogEntry>>();
  readonly #values = new Map<number, StoredLine[]>();
  readonly #histories = new Map<string, SecretHistory>();

  constructor(reader: EnvironmentReader, stamp: WriteStamp) {
    this.reader = reader;
    this.#stamp = stamp;
    if (reader.part.changes.length > 0) {
      const message =
        'the vault holds changes by principals without write access, which this version cannot fold in';
      throw new IntegrityError(message, {}, 'NEWER_FORMAT');
    }
    if (!reader.authority.hasRight(stamp.identity.principal, 'write', reader.id)) {
      throw new AccessDeniedError(`you may not write to ${reader.part.entry.name}`);
    }
  }

  get dirty(): boolean {
    return this.#catalog.size > 0 || this.#values.size > 0;
  }

  async find(name: string): Promise<CatalogEntry | null> {
    const number = await this.reader.shardOfName(name);
    const changed = this.#catalog.get(number);
    return changed === undefined ? this.reader.find(name) : (changed.get(name) ?? null);
  }

  /** Put an entry in its place; one of the same name is replaced. */
  async setEntry(entry: CatalogEntry): Promise<void> {
    (await this.#catalogShard(entry.name)).set(entry.name, entry);
  }

  async deleteEntry(name: string): Promise<void> {
    (await this.#catalogShard(name)).delete(name);
  }

  /** The history of a secret as this draft has it. */
  async history(secret: string): Promise<SecretHistory> {
    const known = this.#histories.get(secret);
    if (known !== undefined) return known;
    const history = await this.reader.history(secret);
    this.#histories.set(secret, history);
    return history;
  }

  newSecretId(): string {
    return encodeBase64url(this.#stamp.random(16));
  }

  /** Seal, sign and add a version after the newest one. The value is borrowed. */
  async addVersion(secret: string, value: Bytes, note: Note): Promise<Line<ValueLine>> {
    const { identity, random, time } = this.#stamp;
    const { keys, authority, part, id } = this.reader;
    const { domain } = authority;
    if (keys.value === null) throw new AccessDeniedError(`you may not write to ${part.entry.name}`);
    const history = await this.history(secret);
    const before = history.versions.at(-1);
    const version = (before?.value.version ?? history.purged?.value.through ?? 0) + 1;
    const { epoch } = part.entry;
    const plain = concatBytes(await sha256(value), value);
    const ct = await seal(random, keys.value, plain, domain.encode('value', id, epoch, secret, version));
    plain.fill(0);
    const noteText = encodeJson(note, noteShape, 'note');
    const sealedNote = await seal(
      random,
      keys.note,
      noteText,
      domain.encode('note', id, epoch, secret, version),
    );
    const line = await signLine<ValueLine>(
      domain,
      identity.signing,
      {
        kind: 'value',
        environment: id,
        epoch,
        secret,
        version,
        state: 'live',
        time,
        author: identity.principal,
        by: identity.principal,
        form: 'sym',
        ct: encodeBase64url(ct),
        note: encodeBase64url(sealedNote),
        prev:
          before === undefined ? (history.purged?.value.digest ?? '') : await lineDigest(domain, before.raw),
        decision: '',
      },
      valueLine,
      'value',
    );
    if (line.raw.length > limits.line) throw new IntegrityError('value: its line is too long');
    const lines = await this.#valueShard(secret);
    lines.push({ raw: line.raw, secret: idBytes(secret), version });
    this.#histories.set(secret, { ...history, versions: [...history.versions, line] });
    return line;
  }

  /** Drop versions up to `through` (which must be kept now) and leave a signed trace. */
  async purge(secret: string, through: number): Promise<void> {
    const { identity, time } = this.#stamp;
    const { authority, id } = this.reader;
    const history = await this.history(secret);
    const last = history.versions.find((line) => line.value.version === through);
    if (last === undefined) return;
    const trace = await signLine<PurgedLine>(
      authority.domain,
      identity.signing,
      {
        kind: 'purged',
        environment: id,
        secret,
        through,
        digest: await lineDigest(authority.domain, last.raw),
        last: last.value.time,
        time,
        by: identity.principal,
      },
      purgedLine,
      'purged',
    );
    const lines = await this.#valueShard(secret);
    const key = idBytes(secret);
    const kept = lines.filter((line) => compareBytes(line.secret, key) !== 0 || line.version > through);
    lines.splice(0, lines.length, ...kept, { raw: trace.raw, secret: key, version: 0 });
    const versions = history.versions.filter((line) => line.value.version > through);
    this.#histories.set(secret, { ...history, purged: trace, versions });
  }

  async build(): Promise<BuiltEnvironment> {
    const bits = await this.#neededBits();
    if (bits !== this.reader.part.names.value.bits) await this.#divide(bits);
    const [names, values] = [await this.#buildNames(bits), await this.#buildValues(bits)];
    return { names: names.line, blocks: names.shards, values: values.line, valueShards: values.shards };
  }

  async #catalogShard(name: string): Promise<Map<string, CatalogEntry>> {
    return this.#loadCatalog(await this.reader.shardOfName(name));
  }

  async #loadCatalog(number: number): Promise<Map<string, CatalogEntry>> {
    const known = this.#catalog.get(number);
    if (known !== undefined) return known;
    const entries = await this.reader.entriesOfShard(number);
    const shard = new Map(entries.map((entry) => [entry.name, entry]));
    this.#catalog.set(number, shard);
    return shard;
  }

  async #valueShard(secret: string): Promise<StoredLine[]> {
    return this.#loadValues(this.reader.valueShardOf(secret));
  }

  async #loadValues(number: number): Promise<StoredLine[]> {
    const known = this.#values.get(number);
    if (known !== undefined) return known;
    const lines = splitLines(await this.reader.shard('values', number)).map(storedLine);
    this.#values.set(number, lines);
    return lines;
  }

  async #neededBits(): Promise<number> {
    const { bits } = this.reader.part.names.value;
    const fullest = Math.max(0, ...[...this.#catalog.values()].map((shard) => shard.size));
    if (fullest <= fullShard || bits === limits.bits) return bits;
    let count = 0;
    for (let number = 0; number < 2 ** bits; number++) count += (await this.#loadCatalog(number)).size;
    return Math.min(limits.bits, Math.max(bits, Math.ceil(Math.log2(count / secretsPerShard))));
  }

  /** Load everything and lay it out over 2^bits shards. */
  async #divide(bits: number): Promise<void> {
    const { part, keys } = this.reader;
    const entries: CatalogEntry[] = [];
    for (const [number] of part.names.value.shards.entries())
      entries.push(...(await this.#loadCatalog(number)).values());
    const lines: StoredLine[] = [];
    for (const [number] of part.values.value.shards.entries())
      lines.push(...(await this.#loadValues(number)));
    this.#catalog.clear();
    this.#values.clear();
    for (let number = 0; number < 2 ** bits; number++) {
      this.#catalog.set(number, new Map());
      this.#values.set(number, []);
    }
    const numbers = await Promise.all(
      entries.map(async (entry) => shardNumber(await hmacSha256(keys.index, utf8(entry.name)), bits)),
    );
    entries.forEach((entry, index) => this.#catalog.get(numbers[index] ?? 0)?.set(entry.name, entry));
    for (const line of lines) this.#values.get(shardNumber(line.secret, bits))?.push(line);
  }

  async #buildNames(bits: number): Promise<{ line: Line<NamesLine>; shards: (Bytes | null)[] }> {
    const { part } = this.reader;
    const unchanged = part.names.value.shards.map(() => null);
    if (this.#catalog.size === 0) return { line: part.names, shards: unchanged };
    const built = new Map<number, Bytes>();
    for (const [number, shard] of this.#catalog)
      built.set(number, await this.#sealBlock(bits, number, [...shard.values()]));
    const { shards, list } = await this.#layOut('names', bits, built);
    const value = { kind: 'names', ...this.#part(part.names.value.n), bits, shards: list } as const;
    const { domain } = this.reader.authority;
    return {
      line: await signLine<NamesLine>(domain, this.#stamp.identity.signing, value, namesLine, 'names'),
      shards,
    };
  }

  async #buildValues(bits: number): Promise<{ line: Line<ValuesLine>; shards: (Bytes | null)[] }> {
    const { part } = this.reader;
    if (this.#values.size === 0)
      return { line: part.values, shards: part.values.value.shards.map(() => null) };
    const divided = bits === part.names.value.bits ? part.values.value.bits : bits;
    const built = new Map<number, Bytes>();
    for (const [number, lines] of this.#values) {
      lines.sort((a, b) => compareBytes(a.secret, b.secret) || a.version - b.version);
      built.set(number, concatBytes(...lines.flatMap(({ raw }) => [raw, lineFeed])));
    }
    const { shards, list } = await this.#layOut('values', divided, built);
    const value = {
      kind: 'values',
      ...this.#part(part.values.value.n),
      bits: divided,
      shards: list,
    } as const;
    const { domain } = this.reader.authority;
    return {
      line: await signLine<ValuesLine>(domain, this.#stamp.identity.signing, value, valuesLine, 'values'),
      shards,
    };
  }

  #part(n: number): Pick<NamesLine, 'environment' | 'epoch' | 'n' | 'time' | 'by' | 'seen'> {
    const { time, identity, seen } = this.#stamp;
    return {
      environment: this.reader.id,
      epoch: this.reader.part.entry.epoch,
      n: n + 1,
      time,
      by: identity.principal,
      seen,
    };
  }

  async #layOut(
    space: 'names' | 'values',
    bits: number,
    built: ReadonlyMap<number, Bytes>,
  ): Promise<{ shards: (Bytes | null)[]; list: [string, number][] }> {
    const { authority, part, id } = this.reader;
    const shards: (Bytes | null)[] = [];
    const list: [string, number][] = [];
    for (let number = 0; number < 2 ** bits; number++) {
      const bytes = built.get(number);
      const present = part[space].value.shards[number];
      if (bytes !== undefined) {
        const found = await sha256(authority.domain.encode('shard', space, id, number, bytes));
        list.push([encodeBase64url(found), bytes.length]);
        shards.push(bytes);
      } else if (present !== undefined) {
        list.push([present[0], present[1]]);
        shards.push(null);
      }
    }
    return { shards, list };
  }

  async #sealBlock(bits: number, number: number, entries: CatalogEntry[]): Promise<Bytes> {
    const { authority, keys, part, id } = this.reader;
    const sorted = entries
      .map((entry) => ({ entry, key: utf8(entry.name) }))
      .sort((a, b) => compareBytes(a.key, b.key))
      .map(({ entry }) => entry);
    const { epoch } = part.entry;
    const text = encodeJson({ entries: sorted }, block, 'catalog');
    const aad = authority.domain.encode('block', id, epoch, bits, number);
    const sealed = await seal(this.#stamp.random, keys.block, text, aad);
    text.fill(0);
    const value = {
      kind: 'block',
      environment: id,
      epoch,
      shard: number,
      sealed: encodeBase64url(sealed),
    } as const;
    return concatBytes(encodeLine(value, blockLine, 'block').raw, lineFeed);
  }
}
