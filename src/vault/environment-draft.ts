/**
 * Changing one environment with the right to write: catalog entries and versions. docs/format.md sections 3 and 5.
 * Only the shards that a change touches are opened, sealed and written anew; what principals without `write` added is folded in first.
 */
import { AccessDeniedError } from '../errors.ts';
import { compareBytes, type Bytes } from '../crypto/bytes.ts';
import type { CatalogEntry } from '../format/catalog.ts';
import { splitLines } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import { limits } from '../format/limits.ts';
import type { NamesLine, PurgedLine, ValueLine, ValuesLine } from '../format/lines.ts';
import { Draft } from './draft.ts';
import {
  bitsFor,
  fullShard,
  joinStored,
  partFields,
  sealBlock,
  shardDigest,
  shardNumber,
  shardOfName,
  signNames,
  signValues,
  type BuiltEnvironment,
  type WriteStamp,
} from './environment-layout.ts';
import { settleChanges } from './settle-changes.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import type { SecretHistory } from './secret-history.ts';
import { idBytes, storedLine, storedValueLine, type StoredLine } from './stored-line.ts';

export class EnvironmentDraft extends Draft {
  readonly #catalog = new Map<number, Map<string, CatalogEntry>>();
  readonly #values = new Map<number, StoredLine[]>();

  private constructor(reader: EnvironmentReader, stamp: WriteStamp) {
    super(reader, stamp);
    if (!reader.authority.hasRight(stamp.identity.principal, 'write', reader.id)) {
      throw new AccessDeniedError(`you may not write to ${reader.part.entry.name}`);
    }
  }

  /** @throws AccessDeniedError without the right to write; IntegrityError if something in `changes` is not sound */
  static async of(reader: EnvironmentReader, stamp: WriteStamp): Promise<EnvironmentDraft> {
    const draft = new EnvironmentDraft(reader, stamp);
    draft.setAside.push(...(await settleChanges(reader)));
    await draft.#fold(await reader.added.secrets());
    return draft;
  }

  get dirty(): boolean {
    return this.#catalog.size > 0 || this.#values.size > 0 || this.#drops;
  }

  /** What stood in `changes` parts goes with this write, taken over or set aside; a new values part says that it did. */
  get #drops(): boolean {
    return this.reader.part.changes.length > 0;
  }

  /** A writer could leave lines out as well: the right to write includes removal. */
  readonly mayPurge = true;

  async find(name: string): Promise<CatalogEntry | null> {
    const number = await this.reader.shardOfName(name);
    const changed = this.#catalog.get(number);
    return changed === undefined ? this.reader.find(name) : (changed.get(name) ?? null);
  }

  async setEntry(entry: CatalogEntry): Promise<void> {
    (await this.#catalogShard(entry.name)).set(entry.name, entry);
  }

  async deleteEntry(name: string): Promise<void> {
    (await this.#catalogShard(name)).delete(name);
  }

  async remove(entry: CatalogEntry): Promise<void> {
    await this.setEntry({ ...entry, removed: this.stamp.time });
  }

  protected async addLine(secret: string, line: Line<ValueLine>): Promise<void> {
    const lines = await this.#valueShard(secret);
    lines.push({ raw: line.raw, secret: idBytes(secret), version: line.value.version });
  }

  protected async replaceLine(secret: string, line: Line<ValueLine>): Promise<void> {
    const lines = await this.#valueShard(secret);
    const key = idBytes(secret);
    const { version } = line.value;
    const others = lines.filter((one) => compareBytes(one.secret, key) !== 0 || one.version !== version);
    lines.splice(0, lines.length, ...others, { raw: line.raw, secret: key, version });
  }

  protected async addTrace(secret: string, trace: Line<PurgedLine>): Promise<void> {
    const lines = await this.#valueShard(secret);
    const key = idBytes(secret);
    const { through } = trace.value;
    const kept = lines.filter((line) => compareBytes(line.secret, key) !== 0 || line.version > through);
    lines.splice(0, lines.length, ...kept, { raw: trace.raw, secret: key, version: 0 });
  }

  /** Take over what `changes` lines say of these secrets, once every line of them has been checked. */
  async #fold(secrets: ReadonlySet<string>): Promise<void> {
    if (secrets.size === 0) return;
    const entries = new Map((await this.reader.storedEntries()).map((entry) => [entry.secret, entry]));
    for (const secret of secrets) {
      const history = await this.reader.history(secret);
      await this.reader.checkVersion(history, 0);
      const lines = await this.#valueShard(secret);
      const key = idBytes(secret);
      const others = lines.filter((line) => compareBytes(line.secret, key) !== 0);
      lines.splice(0, lines.length, ...others, ...linesOf(history));
      const entry = entries.get(secret);
      if (entry === undefined) continue;
      if (history.versions.length === 0) await this.deleteEntry(entry.name);
      else if (history.removed !== null && entry.removed === '')
        await this.setEntry({ ...entry, removed: history.removed.value.time });
    }
  }

  async build(): Promise<BuiltEnvironment> {
    const bits = await this.#neededBits();
    if (bits !== this.reader.part.names.value.bits) await this.#divide(bits);
    const [names, values] = [await this.#buildNames(bits), await this.#buildValues(bits)];
    return {
      names: names.line,
      blocks: names.shards,
      values: values.line,
      valueShards: values.shards,
      changes: [],
    };
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
    const lines = splitLines(await this.reader.shard('values', number)).map(storedValueLine);
    this.#values.set(number, lines);
    return lines;
  }

  async #neededBits(): Promise<number> {
    const { bits } = this.reader.part.names.value;
    const fullest = Math.max(0, ...[...this.#catalog.values()].map((shard) => shard.size));
    if (fullest <= fullShard || bits === limits.bits) return bits;
    let count = 0;
    for (let number = 0; number < 2 ** bits; number++) count += (await this.#loadCatalog(number)).size;
    return Math.max(bits, bitsFor(count));
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
    const numbers = await Promise.all(entries.map(async (entry) => shardOfName(keys, entry.name, bits)));
    entries.forEach((entry, index) => this.#catalog.get(numbers[index] ?? 0)?.set(entry.name, entry));
    for (const line of lines) this.#values.get(shardNumber(line.secret, bits))?.push(line);
  }

  async #buildNames(bits: number): Promise<{ line: Line<NamesLine>; shards: (Bytes | null)[] }> {
    const { part, authority, keys } = this.reader;
    const unchanged = part.names.value.shards.map(() => null);
    if (this.#catalog.size === 0) return { line: part.names, shards: unchanged };
    const built = new Map<number, Bytes>();
    for (const [number, shard] of this.#catalog) {
      const entries = shard.values();
      built.set(number, await sealBlock(authority.domain, this.stamp.random, keys, bits, number, entries));
    }
    const { shards, list } = await this.#layOut('names', bits, built);
    const fields = partFields(this.stamp, part.entry, part.names.value.n + 1);
    return { line: await signNames(authority.domain, this.stamp, fields, bits, list), shards };
  }

  async #buildValues(bits: number): Promise<{ line: Line<ValuesLine>; shards: (Bytes | null)[] }> {
    const { part, authority } = this.reader;
    if (this.#values.size === 0 && !this.#drops)
      return { line: part.values, shards: part.values.value.shards.map(() => null) };
    const divided = bits === part.names.value.bits ? part.values.value.bits : bits;
    const built = new Map([...this.#values].map(([number, lines]) => [number, joinStored(lines)]));
    const { shards, list } = await this.#layOut('values', divided, built);
    const fields = partFields(this.stamp, part.entry, part.values.value.n + 1);
    return { line: await signValues(authority.domain, this.stamp, fields, divided, list), shards };
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
        list.push([await shardDigest(authority.domain, space, id, number, bytes), bytes.length]);
        shards.push(bytes);
      } else if (present !== undefined) {
        list.push([present[0], present[1]]);
        shards.push(null);
      }
    }
    return { shards, list };
  }
}

function linesOf({ purged, versions }: SecretHistory): StoredLine[] {
  const traces = purged === null ? [] : [storedLine(purged.raw)];
  return [...traces, ...versions.map(({ raw }) => storedLine(raw))];
}
