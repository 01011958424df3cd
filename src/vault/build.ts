/** From changed parts to the bytes of a whole new file. docs/format.md sections 2 and 3. */
import { headDigest } from '../access/digest.ts';
import type { Identity } from '../access/bundle.ts';
import { signLine } from '../access/signing.ts';
import { compareBytes, concatBytes, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import type { VaultDocument } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import { snapshotLine, type HeaderLine, type Seen, type SnapshotLine } from '../format/lines.ts';
import type { RememberedLog } from '../storage/state-store.ts';
import type { BuiltEnvironment } from './environment-layout.ts';

const lineFeed = Uint8Array.of(0x0a);

/** Lines with their LFs. */
export function joinLines(lines: readonly Bytes[]): Bytes {
  return concatBytes(...lines.flatMap((raw) => [raw, lineFeed]));
}

/** Counters that a writer finds, for the `seen` of what it signs. */
export function seenOf(document: VaultDocument): Seen {
  return {
    header: document.header.value.n,
    parts: document.environments.map(({ entry, names, values, changes }) => [
      entry.id,
      names.value.n,
      values.value.n,
      changes.map((line) => [line.value.by, line.value.n] as [string, number]),
    ]),
  };
}

/** The later of the clock and the greatest time in the file: times never fall. */
export function writeTime(document: VaultDocument, now: Date): string {
  const present = now.toISOString();
  return document.snapshot.value.time > present ? document.snapshot.value.time : present;
}

/** Credential lines by principal; of grants, by environment below that. All raw, without LF. */
export interface HeadLines {
  roots: readonly Bytes[];
  header: Line<HeaderLine>;
  readonly successions: Map<string, Bytes>;
  readonly slots: Map<string, readonly Bytes[]>;
  readonly bundles: Map<string, Bytes>;
  readonly grants: Map<string, Map<string, Bytes>>;
  /** Requests, then decisions. */
  requests: readonly Bytes[];
}

/** The head lines of a document, to be changed and laid out again. */
export function headLinesOf(document: VaultDocument): HeadLines {
  const successions = new Map(document.successions.map((line) => [line.value.principal, line.raw]));
  const slots = new Map<string, Bytes[]>();
  for (const raw of document.rawLines('slot')) {
    const principal = idMember(raw, 'principal');
    slots.set(principal, [...(slots.get(principal) ?? []), raw]);
  }
  const bundles = new Map(document.rawLines('bundle').map((raw) => [idMember(raw, 'by'), raw]));
  const grants = new Map<string, Map<string, Bytes>>();
  for (const raw of document.rawLines('grant')) {
    const principal = idMember(raw, 'principal');
    const own = grants.get(principal) ?? new Map<string, Bytes>();
    grants.set(principal, own.set(idMember(raw, 'environment'), raw));
  }
  const { header } = document;
  const requests = [...document.rawLines('request'), ...document.rawLines('decision')];
  return { roots: document.rawLines('root'), header, successions, slots, bundles, grants, requests };
}

/** An id among the first members of a line, without parsing the rest. */
function idMember(raw: Bytes, member: string): string {
  const start = Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.length, 128)).toString('latin1');
  return new RegExp(`"${member}":"([\\w-]{11})"`).exec(start)?.[1] ?? '';
}

export interface BuiltFile {
  readonly head: Bytes;
  readonly headDigest: string;
  readonly body: readonly Bytes[];
}

/** Lay out head and body in the order of the header; parts that did not change are taken over byte by byte. */
export async function buildFile(
  document: VaultDocument,
  domain: Domain,
  head: HeadLines,
  environments: ReadonlyMap<string, BuiltEnvironment>,
): Promise<BuiltFile> {
  const { principals, environments: entries } = head.header.value;
  const lines: Bytes[] = [document.vault.raw, ...head.roots, head.header.raw];
  for (const { id } of principals) lines.push(...optional(head.successions.get(id)));
  for (const { id } of principals) lines.push(...(head.slots.get(id) ?? []));
  for (const { id } of principals) lines.push(...optional(head.bundles.get(id)));
  for (const { id } of principals) {
    const grants = head.grants.get(id);
    for (const entry of entries) lines.push(...optional(grants?.get(entry.id)));
  }
  const body: Bytes[] = [];
  for (const { id } of entries) layOut(document, id, environments.get(id), lines, body);
  lines.push(...head.requests);
  const bytes = joinLines(lines);
  return { head: bytes, headDigest: await headDigest(domain, bytes), body };
}

const optional = (raw: Bytes | undefined): Bytes[] => (raw === undefined ? [] : [raw]);

function layOut(
  document: VaultDocument,
  id: string,
  built: BuiltEnvironment | undefined,
  head: Bytes[],
  body: Bytes[],
): void {
  const part = document.environment(id);
  if (built === undefined) {
    if (part === null) throw new Error('an environment without parts');
    const copied = (space: 'names' | 'values'): Bytes[] =>
      part[space].value.shards.map((_, number) => document.shardBytes(part, space, number));
    head.push(part.names.raw, part.values.raw, ...part.changes.map((line) => line.raw));
    body.push(...copied('names'), ...copied('values'));
    body.push(...part.changes.map((_, number) => document.shardBytes(part, 'changes', number)));
    return;
  }
  const taken = (space: 'names' | 'values') => (bytes: Bytes | null, number: number) => {
    if (bytes === null && part === null) throw new Error('a shard of a new environment is missing');
    return bytes ?? (part === null ? new Uint8Array(0) : document.shardBytes(part, space, number));
  };
  head.push(built.names.raw, built.values.raw, ...built.changes.map(({ line }) => line.raw));
  body.push(...built.blocks.map(taken('names')), ...built.valueShards.map(taken('values')));
  body.push(...built.changes.map(({ bytes }) => bytes));
}

export async function makeSnapshot(
  domain: Domain,
  identity: Identity,
  before: SnapshotLine | null,
  fields: { readonly time: string; readonly head: string; readonly log: RememberedLog },
): Promise<Line<SnapshotLine>> {
  const { log } = fields;
  const others = (before?.logs ?? []).filter(([id]) => id !== log.id);
  const logs = [...others, [log.id, log.seq, log.digest] as [string, number, string]];
  logs.sort(([a], [b]) => compareBytes(rawId(a), rawId(b)));
  return signLine<SnapshotLine>(
    domain,
    identity.signing,
    {
      kind: 'snapshot',
      n: (before?.n ?? 0) + 1,
      time: fields.time,
      by: identity.principal,
      head: fields.head,
      logs,
    },
    snapshotLine,
    'snapshot',
  );
}

function rawId(id: string): Bytes {
  return parseBase64url(id) ?? new Uint8Array(0);
}
