/**
 * The vault file as an index of raw lines: where everything is, without parsing what nobody asked for.
 * docs/format.md section 2.
 *
 * Invariants: the order of kinds is checked for every line; a line's content is parsed strictly when it is used
 * (`checkHead` uses every one). Nothing here is trusted: signatures and digests are checked by src/access and src/vault.
 */
import type { Bytes } from '../crypto/bytes.ts';
import {
  checkKindOrder,
  lineFeed,
  malformed,
  readHead,
  refuseOther,
  type ByteSource,
  type HeadLine,
} from './head.ts';
import { limits } from './limits.ts';
import { parseLine, type Line } from './json-line.ts';
import * as lines from './lines.ts';
import type { Shape } from './schema.ts';

export type { ByteSource } from './head.ts';

export type ShardSpace = 'names' | 'values' | 'changes';

/** One environment's parts and where its shards lie in the file. */
export interface EnvironmentPart {
  readonly entry: lines.EnvironmentEntry;
  readonly names: Line<lines.NamesLine>;
  readonly values: Line<lines.ValuesLine>;
  /** By principals without `write`, in the header's order of principals. */
  readonly changes: readonly Line<lines.ChangesLine>[];
  /** Offset in the file of every shard: blocks by shard, value shards by shard, then one for each of `changes`. */
  readonly offsets: Readonly<Record<ShardSpace, readonly number[]>>;
}

const slotIdOffset = '{"kind":"slot","principal":"12345678901","id":"'.length;
/** "by" is the fourth member of a bundle and stands within its first characters: no need to parse everybody's. */
const bundleStart = 96;

export class VaultDocument {
  readonly source: ByteSource;
  /** Raw bytes of all head lines with their LFs; the head digest covers them. */
  readonly head: Bytes;
  readonly vault: Line<lines.VaultLine>;
  readonly roots: readonly Line<lines.RootLine>[];
  readonly header: Line<lines.HeaderLine>;
  readonly environments: readonly EnvironmentPart[];
  readonly snapshot: Line<lines.SnapshotLine>;
  readonly #text: string;
  readonly #lines = new Map<string, HeadLine[]>();
  /** One buffer a line, whoever asks: some tell lines apart by it. */
  readonly #raw = new Map<HeadLine, Bytes>();

  constructor(source: ByteSource) {
    const { bytes: head, text, lines: all } = readHead(source);
    this.source = source;
    this.head = head;
    this.#text = text;
    if (all[0]?.kind !== 'vault') throw malformed('this is not a vault file');
    if (!text.startsWith('{"kind":"vault","format":1,')) refuseOther(source);
    checkKindOrder(all);
    for (const line of all) {
      const others = this.#lines.get(line.kind);
      if (others === undefined) this.#lines.set(line.kind, [line]);
      else others.push(line);
    }
    this.vault = this.#only('vault', lines.vaultLine);
    this.roots = this.#all('root', lines.rootLine, limits.roots);
    this.header = this.#only('header', lines.headerLine);
    this.environments = this.#indexEnvironments(all);
    this.snapshot = this.#readSnapshot();
  }

  get vaultId(): string {
    return this.vault.value.id;
  }

  /** Raw head lines of one kind, in file order. */
  rawLines(kind: string): readonly Bytes[] {
    return (this.#lines.get(kind) ?? []).map((line) => this.#rawOf(line));
  }

  get successions(): readonly Line<lines.SuccessionLine>[] {
    return this.#all('succession', lines.successionLine, limits.principals);
  }

  get requests(): readonly Line<lines.RequestLine>[] {
    return this.#all('request', lines.requestLine, limits.requests);
  }

  get decisions(): readonly Line<lines.DecisionLine>[] {
    return this.#all('decision', lines.decisionLine, limits.decisions);
  }

  /** The slots of one principal, in file order. */
  slotsOf(principal: string): Line<lines.SlotLine>[] {
    return this.#withPrefix('slot', `{"kind":"slot","principal":"${principal}"`, lines.slotLine);
  }

  /** The slots with this id. Somebody may have given a slot of their own the id of another's. */
  slotsById(id: string): Line<lines.SlotLine>[] {
    return this.#where(
      'slot',
      ({ start }) => this.#text.startsWith(id, start + slotIdOffset),
      lines.slotLine,
    );
  }

  grantsOf(principal: string): Line<lines.GrantLine>[] {
    return this.#withPrefix('grant', `{"kind":"grant","principal":"${principal}"`, lines.grantLine);
  }

  /** The bundle of one principal, or `null` for one who has not joined. */
  bundleOf(principal: string): Line<lines.BundleLine> | null {
    const wanted = `"by":"${principal}"`;
    const mayBe = ({ start }: HeadLine): boolean =>
      this.#text.slice(start, start + bundleStart).includes(wanted);
    const found = this.#where('bundle', mayBe, lines.bundleLine);
    return found.find(({ value }) => value.by === principal) ?? null;
  }

  environment(id: string): EnvironmentPart | null {
    return this.environments.find((part) => part.entry.id === id) ?? null;
  }

  /** Raw bytes of one shard, as long as its part says. Digests are checked by the caller. */
  shardBytes(part: EnvironmentPart, space: ShardSpace, shard: number): Bytes {
    const offset = part.offsets[space][shard];
    const size = space === 'changes' ? part.changes[shard]?.value.size : part[space].value.shards[shard]?.[1];
    if (offset === undefined || size === undefined) throw malformed(`${space} has no shard ${shard}`);
    return this.source.read(offset, size);
  }

  /** All lines of a kind, parsed. */
  all<T>(kind: string, shape: Shape<T>, most: number): Line<T>[] {
    return this.#all(kind, shape, most);
  }

  #withPrefix<T>(kind: string, prefix: string, shape: Shape<T>): Line<T>[] {
    return this.#where(kind, ({ start }) => this.#text.startsWith(prefix, start), shape);
  }

  /** The lines of a kind that are parsed at all. */
  #where<T>(kind: string, wanted: (line: HeadLine) => boolean, shape: Shape<T>): Line<T>[] {
    const all = this.#lines.get(kind) ?? [];
    return all.filter(wanted).map((line) => parseLine(this.#rawOf(line), shape, kind));
  }

  #rawOf(line: HeadLine): Bytes {
    const known = this.#raw.get(line);
    if (known !== undefined) return known;
    const raw = this.head.subarray(line.start, line.end);
    this.#raw.set(line, raw);
    return raw;
  }

  #all<T>(kind: string, shape: Shape<T>, most: number): Line<T>[] {
    const all = this.rawLines(kind);
    if (all.length > most) throw malformed(`more than ${most} ${kind} lines`);
    return all.map((raw) => parseLine(raw, shape, kind));
  }

  #only<T>(kind: string, shape: Shape<T>): Line<T> {
    const [first, ...more] = this.#all(kind, shape, 1);
    if (first === undefined || more.length > 0) throw malformed(`there must be one ${kind} line`);
    return first;
  }

  #indexEnvironments(all: readonly HeadLine[]): EnvironmentPart[] {
    const parts = all.filter(({ kind }) => kind === 'names' || kind === 'values' || kind === 'changes');
    let at = 0;
    let offset = this.head.length;
    const next = <T>(kind: string, shape: Shape<T>): Line<T> | null => {
      const line = parts[at];
      if (line?.kind !== kind) return null;
      at += 1;
      return parseLine(this.#rawOf(line), shape, kind);
    };
    const place = (sizes: readonly number[]): number[] =>
      sizes.map((size) => {
        const start = offset;
        offset += size;
        return start;
      });
    const found = this.header.value.environments.map((entry): EnvironmentPart => {
      const names = next('names', lines.namesLine);
      const values = next('values', lines.valuesLine);
      const changes: Line<lines.ChangesLine>[] = [];
      let last = -1;
      for (
        let line = next('changes', lines.changesLine);
        line !== null;
        line = next('changes', lines.changesLine)
      ) {
        const { by } = line.value;
        const signer = this.header.value.principals.findIndex(({ id }) => id === by);
        if (signer <= last) throw malformed('a changes line is out of order');
        last = signer;
        changes.push(line);
      }
      if (names === null || values === null)
        throw malformed(`environment ${entry.id} lacks its names or values line`);
      for (const line of [names, values, ...changes]) {
        if (line.value.environment !== entry.id) throw malformed(`a ${line.value.kind} line is out of order`);
        if (line.value.epoch !== entry.epoch)
          throw malformed(`${line.value.kind} of ${entry.id} is of another epoch`);
      }
      for (const line of [names, values]) {
        if (line.value.shards.length !== 2 ** line.value.bits)
          throw malformed(`${line.value.kind}: wrong number of shards`);
      }
      const sizes = (line: Line<lines.NamesLine | lines.ValuesLine>): number[] =>
        line.value.shards.map(([, size]) => size);
      const offsets = {
        names: place(sizes(names)),
        values: place(sizes(values)),
        changes: place(changes.map((line) => line.value.size)),
      };
      return { entry, names, values, changes, offsets };
    });
    if (at !== parts.length)
      throw malformed('there are parts of an environment that the header does not list');
    this.#bodyEnd = offset;
    return found;
  }

  #bodyEnd = 0;

  #readSnapshot(): Line<lines.SnapshotLine> {
    const length = this.source.size - this.#bodyEnd;
    if (length < 2 || length > limits.line) throw malformed('the body is not as long as its parts say');
    const raw = this.source.read(this.#bodyEnd, length);
    if (raw.indexOf(lineFeed) !== length - 1) throw malformed('the file does not end with its snapshot');
    return parseLine(raw.subarray(0, length - 1), lines.snapshotLine, 'snapshot');
  }
}

/** Split raw bytes of a shard into lines. @throws IntegrityError unless every line ends with LF. */
export function splitLines(raw: Bytes): Bytes[] {
  const all: Bytes[] = [];
  for (let start = 0; start < raw.length;) {
    const end = raw.indexOf(lineFeed, start);
    if (end < 0) throw malformed('a line does not end');
    if (end - start > limits.line) throw malformed('a line is too long');
    all.push(raw.subarray(start, end));
    start = end + 1;
  }
  return all;
}
