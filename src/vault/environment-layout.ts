/**
 * From catalog entries and value lines to shards, and to the signed parts that list them. docs/format.md sections 2, 3 and 5.
 * Nothing here decides what is in an environment: that is the work of drafts.
 */
import { signLine } from '../access/signing.ts';
import type { Identity } from '../access/bundle.ts';
import type { EnvironmentKeys, KeyPlace } from '../access/environment-key.ts';
import { seal, type RandomSource } from '../crypto/aead.ts';
import { compareBytes, concatBytes, encodeBase64url, utf8, type Bytes } from '../crypto/bytes.ts';
import { hmacSha256, sha256 } from '../crypto/hash.ts';
import type { Domain } from '../crypto/pae.ts';
import { block, type CatalogEntry } from '../format/catalog.ts';
import type { ShardSpace } from '../format/document.ts';
import { encodeJson, encodeLine, type Line } from '../format/json-line.ts';
import { limits } from '../format/limits.ts';
import {
  blockLine,
  namesLine,
  valuesLine,
  type ChangesLine,
  type NamesLine,
  type Seen,
  type ValuesLine,
} from '../format/lines.ts';
import type { StoredLine } from './stored-line.ts';

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
  /** Of principals without `write`, with the bytes of each; empty where a writer has folded them in. */
  readonly changes: readonly { readonly line: Line<ChangesLine>; readonly bytes: Bytes }[];
}

const secretsPerShard = 128;
/** A shard may grow this far before all are divided anew. */
export const fullShard = 2 * secretsPerShard;
const lineFeed = Uint8Array.of(0x0a);

/** Shard bits for that many secrets. */
export function bitsFor(count: number): number {
  return count <= fullShard ? 0 : Math.min(limits.bits, Math.ceil(Math.log2(count / secretsPerShard)));
}

/** First `bits` bits of at least two bytes, as an integer. */
export function shardNumber(bytes: Uint8Array, bits: number): number {
  return bits === 0 ? 0 : (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) >>> (16 - bits);
}

/** The shard that a name belongs to. */
export async function shardOfName(keys: EnvironmentKeys, name: string, bits: number): Promise<number> {
  return bits === 0 ? 0 : shardNumber(await hmacSha256(keys.index, utf8(name)), bits);
}

/** Digest of a shard's bytes. @param where the shard's number; for `changes` the id of their signer */
export async function shardDigest(
  domain: Domain,
  space: ShardSpace,
  environment: string,
  where: number | string,
  bytes: Bytes,
): Promise<string> {
  return encodeBase64url(await sha256(domain.encode('shard', space, environment, where, bytes)));
}

/** One catalog shard as its line with LF; entries in any order. */
export async function sealBlock(
  domain: Domain,
  random: RandomSource,
  keys: EnvironmentKeys,
  bits: number,
  number: number,
  entries: Iterable<CatalogEntry>,
): Promise<Bytes> {
  const { environment, epoch } = keys;
  const sorted = [...entries]
    .map((entry) => ({ entry, key: utf8(entry.name) }))
    .sort((a, b) => compareBytes(a.key, b.key))
    .map(({ entry }) => entry);
  const text = encodeJson({ entries: sorted }, block, 'catalog');
  const sealed = await seal(
    random,
    keys.block,
    text,
    domain.encode('block', environment, epoch, bits, number),
  );
  text.fill(0);
  const value = {
    kind: 'block',
    environment,
    epoch,
    shard: number,
    sealed: encodeBase64url(sealed),
  } as const;
  return concatBytes(encodeLine(value, blockLine, 'block').raw, lineFeed);
}

/** Value lines of one shard in file order, with their LFs. Sorts in place. */
export function joinStored(lines: StoredLine[]): Bytes {
  lines.sort((a, b) => compareBytes(a.secret, b.secret) || a.version - b.version);
  return concatBytes(...lines.flatMap(({ raw }) => [raw, lineFeed]));
}

export type PartFields = Pick<NamesLine, 'environment' | 'epoch' | 'n' | 'time' | 'by' | 'seen'>;

/** What every part says first; `n` is its new number. */
export function partFields(stamp: WriteStamp, { id, epoch }: KeyPlace, n: number): PartFields {
  const { time, identity, seen } = stamp;
  return { environment: id, epoch, n, time, by: identity.principal, seen };
}

export async function signNames(
  domain: Domain,
  stamp: WriteStamp,
  fields: PartFields,
  bits: number,
  shards: [string, number][],
): Promise<Line<NamesLine>> {
  const value = { kind: 'names', ...fields, bits, shards } as const;
  return signLine<NamesLine>(domain, stamp.identity.signing, value, namesLine, 'names');
}

export async function signValues(
  domain: Domain,
  stamp: WriteStamp,
  fields: PartFields,
  bits: number,
  shards: [string, number][],
): Promise<Line<ValuesLine>> {
  const value = { kind: 'values', ...fields, bits, shards } as const;
  return signLine<ValuesLine>(domain, stamp.identity.signing, value, valuesLine, 'values');
}

export interface WholeEnvironment {
  readonly keys: EnvironmentKeys;
  readonly entries: readonly CatalogEntry[];
  readonly lines: readonly StoredLine[];
  /** New numbers of the two parts. */
  readonly n: { readonly names: number; readonly values: number };
}

/** Every shard of an environment made at once: a new one, or one under new keys. Keys are borrowed. */
export async function layOutWhole(
  domain: Domain,
  stamp: WriteStamp,
  whole: WholeEnvironment,
): Promise<BuiltEnvironment> {
  const { keys, n } = whole;
  const place: KeyPlace = { id: keys.environment, epoch: keys.epoch };
  const bits = bitsFor(whole.entries.length);
  const catalog = Array.from({ length: 2 ** bits }, () => [] as CatalogEntry[]);
  const values = Array.from({ length: 2 ** bits }, () => [] as StoredLine[]);
  for (const entry of whole.entries) catalog[await shardOfName(keys, entry.name, bits)]?.push(entry);
  for (const line of whole.lines) values[shardNumber(line.secret, bits)]?.push(line);
  const blocks = await Promise.all(
    catalog.map(async (entries, number) => sealBlock(domain, stamp.random, keys, bits, number, entries)),
  );
  const valueShards = values.map(joinStored);
  const listed = async (space: ShardSpace, shards: readonly Bytes[]): Promise<[string, number][]> =>
    Promise.all(
      shards.map(async (bytes, number): Promise<[string, number]> => [
        await shardDigest(domain, space, place.id, number, bytes),
        bytes.length,
      ]),
    );
  return {
    names: await signNames(
      domain,
      stamp,
      partFields(stamp, place, n.names),
      bits,
      await listed('names', blocks),
    ),
    values: await signValues(
      domain,
      stamp,
      partFields(stamp, place, n.values),
      bits,
      await listed('values', valueShards),
    ),
    blocks,
    valueShards,
    changes: [],
  };
}
