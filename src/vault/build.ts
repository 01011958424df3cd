/** From changed parts to the bytes of a whole new file. docs/format.md sections 2 and 3. */
import { headDigest } from '../access/digest.ts';
import type { Authority } from '../access/authority.ts';
import { makeBundle, type Identity } from '../access/bundle.ts';
import { signLine } from '../access/signing.ts';
import type { RandomSource } from '../crypto/aead.ts';
import { concatBytes, compareBytes, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import type { VaultDocument } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import {
  snapshotLine,
  type BundleLine,
  type Seen,
  type SlotLine,
  type SnapshotLine,
} from '../format/lines.ts';
import type { RememberedLog } from '../storage/state-store.ts';
import type { BuiltEnvironment } from './environment-draft.ts';

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

export interface Changes {
  readonly environments: ReadonlyMap<string, BuiltEnvironment>;
  /** A new bundle and slots of the writing principal, where they change. */
  readonly credentials: {
    readonly bundle: Line<BundleLine>;
    readonly slots: readonly Line<SlotLine>[];
  } | null;
}

export interface BuiltFile {
  readonly head: Bytes;
  readonly headDigest: string;
  readonly body: readonly Bytes[];
}

/** Lay out head and body; what did not change is taken over byte by byte. */
export async function buildFile(
  document: VaultDocument,
  authority: Authority,
  changes: Changes,
): Promise<BuiltFile> {
  const { credentials } = changes;
  const lines: Bytes[] = [];
  for (const kind of ['vault', 'root', 'header', 'succession']) lines.push(...document.rawLines(kind));
  lines.push(...ownReplaced(document, 'slot', credentials?.slots ?? null));
  lines.push(...ownReplaced(document, 'bundle', credentials === null ? null : [credentials.bundle]));
  lines.push(...document.rawLines('grant'));
  const body: Bytes[] = [];
  for (const part of document.environments) {
    const built = changes.environments.get(part.entry.id);
    lines.push((built?.names ?? part.names).raw, (built?.values ?? part.values).raw);
    const copied = (space: 'names' | 'values'): Bytes[] =>
      part[space].value.shards.map((_, number) => document.shardBytes(part, space, number));
    if (built === undefined) {
      lines.push(...part.changes.map((line) => line.raw));
      body.push(...copied('names'), ...copied('values'));
      body.push(...part.changes.map((_, number) => document.shardBytes(part, 'changes', number)));
      continue;
    }
    body.push(...built.blocks.map((bytes, number) => bytes ?? document.shardBytes(part, 'names', number)));
    body.push(
      ...built.valueShards.map((bytes, number) => bytes ?? document.shardBytes(part, 'values', number)),
    );
  }
  for (const kind of ['request', 'decision']) lines.push(...document.rawLines(kind));
  const head = joinLines(lines);
  return { head, headDigest: await headDigest(authority.domain, head), body };
}

/** Lines of a kind with those of one principal replaced; others stay where they are. */
function ownReplaced(
  document: VaultDocument,
  kind: 'slot' | 'bundle',
  own: readonly Line<SlotLine | BundleLine>[] | null,
): Bytes[] {
  const present = document.rawLines(kind);
  const first = own?.[0]?.value;
  if (own === null || first === undefined) return [...present];
  const principal = first.kind === 'slot' ? first.principal : first.by;
  const member = kind === 'slot' ? `"principal":"${principal}"` : `"by":"${principal}"`;
  const isOwn = (raw: Bytes): boolean => Buffer.from(raw.subarray(0, 96)).toString('latin1').includes(member);
  const at = present.findIndex(isOwn);
  const others = present.filter((raw) => !isOwn(raw));
  others.splice(at < 0 ? others.length : at, 0, ...own.map((line) => line.raw));
  return others;
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

/** The principal's next bundle, where its pins are behind the document or its slots change; `null` where neither. */
export async function nextBundle(
  document: VaultDocument,
  authority: Authority,
  random: RandomSource,
  identity: Identity,
  time: string,
  slots: readonly Line<SlotLine>[] | null,
): Promise<Changes['credentials']> {
  const root = authority.rootDigests.length - 1;
  const { content } = identity;
  const pinned = content.root === root && content.floor === authority.header.n;
  if (pinned && slots === null) return null;
  const pins = { root, rootDigest: authority.rootDigests[root] ?? '', floor: authority.header.n };
  const kept = slots ?? document.slotsOf(identity.principal);
  const n = (document.bundleOf(identity.principal)?.value.n ?? 0) + 1;
  const moved: Identity = { ...identity, content: { ...content, ...pins } };
  return { bundle: await makeBundle(authority.domain, random, moved, kept, { n, time }), slots: kept };
}
