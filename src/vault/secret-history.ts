/**
 * The versions of one secret out of the lines that there are of it: chain, order, and what `changes` add. docs/format.md section 5. Signatures
 * of versions are checked by whoever relies on them.
 */
import { IntegrityError } from '../errors.ts';
import { lineDigest } from '../access/digest.ts';
import type { Authority } from '../access/authority.ts';
import type { Bytes } from '../crypto/bytes.ts';
import type { EnvironmentPart } from '../format/document.ts';
import { lineKind, parseLine, type Line } from '../format/json-line.ts';
import {
  purgedLine,
  removedLine,
  valueLine,
  type PurgedLine,
  type RemovedLine,
  type ValueLine,
} from '../format/lines.ts';

/** The kept versions of one secret, oldest first, chain checked. */
export interface SecretHistory {
  readonly purged: Line<PurgedLine> | null;
  readonly versions: readonly Line<ValueLine>[];
  readonly removed: Line<RemovedLine> | null;
}

/** Lines of a secret; with the signer of the `changes` part that they stand in, or `null` for the values part. */
export interface HistorySource {
  readonly lines: readonly Bytes[];
  readonly by: string | null;
}

/** @throws IntegrityError unless the versions are a chain */
export async function readHistory(
  authority: Authority,
  part: EnvironmentPart,
  secret: string,
  sources: readonly HistorySource[],
): Promise<SecretHistory> {
  let purged: Line<PurgedLine> | null = null;
  let storedPurge: Line<PurgedLine> | null = null;
  let removed: Line<RemovedLine> | null = null;
  const addedPurges: Line<PurgedLine>[] = [];
  const versions = new Map<number, Line<ValueLine>>();
  for (const { lines, by } of sources) {
    for (const bytes of lines) {
      const line = parseStored(part, bytes, secret, by);
      if (line.value.kind === 'purged') {
        purged = latest(purged, line as Line<PurgedLine>);
        if (by === null) storedPurge = line as Line<PurgedLine>;
        else addedPurges.push(line as Line<PurgedLine>);
      } else if (line.value.kind === 'removed') removed = line as Line<RemovedLine>;
      else place(versions, line as Line<ValueLine>, by !== null);
    }
  }
  const through = purged?.value.through ?? 0;
  const kept = [...versions.values()].filter((line) => line.value.version > through);
  kept.sort((a, b) => a.value.version - b.value.version);
  await checkAdded(authority, part.entry.id, purged, removed);
  await checkPurges(authority, part, { purges: addedPurges, storedPurge, versions });
  await checkChain(authority, part, kept, purged);
  return { purged, versions: kept, removed };
}

/**
 * A stored line of a secret, whole: its shape, its place, and for one of `changes` its signer.
 * @param by signer of the `changes` part that holds it, or `null` for the values part
 * @throws IntegrityError if anything of that is not so; no signature is checked
 */
export function parseStored(
  part: EnvironmentPart,
  raw: Bytes,
  secret: string,
  by: string | null,
): Line<ValueLine | PurgedLine | RemovedLine> {
  const kind = lineKind(raw);
  let line: Line<ValueLine | PurgedLine | RemovedLine>;
  if (kind === 'purged') line = parseLine(raw, purgedLine, 'purged');
  else if (kind === 'removed' && by !== null) line = parseLine(raw, removedLine, 'removed');
  else line = parseLine(raw, valueLine, 'value');
  const { value } = line;
  const belongs = value.environment === part.entry.id && value.secret === secret;
  if (!belongs || (value.kind === 'value' && value.epoch !== part.entry.epoch)) {
    throw new IntegrityError(`${value.kind}: it belongs elsewhere`);
  }
  if (by !== null && (value.by !== by || (value.kind === 'value' && value.author !== by)))
    throw new IntegrityError(`${value.kind}: not by the signer of its changes`);
  return line;
}

/** Signature and right of what ends versions. */
async function checkAdded(
  authority: Authority,
  environment: string,
  purged: Line<PurgedLine> | null,
  removed: Line<RemovedLine> | null,
): Promise<void> {
  if (purged !== null) await authority.checkSigned(purged, environment, ['delete', 'write']);
  if (removed !== null) await authority.checkSigned(removed, environment, ['delete']);
}

interface Purges {
  /** Those of `changes`. */
  readonly purges: readonly Line<PurgedLine>[];
  readonly storedPurge: Line<PurgedLine> | null;
  readonly versions: ReadonlyMap<number, Line<ValueLine>>;
}

/**
 * What `changes` purge is still there until it is folded in: it must be what the trace says, and versions like any others. Else a number
 * or a digest that nobody gave would be what the next version has to follow.
 */
async function checkPurges(
  authority: Authority,
  part: EnvironmentPart,
  { purges, storedPurge, versions }: Purges,
): Promise<void> {
  if (purges.length === 0) return;
  for (const { value } of purges) {
    const last = versions.get(value.through);
    const same =
      last !== undefined &&
      last.value.time === value.last &&
      (await lineDigest(authority.domain, last.raw)) === value.digest;
    if (!same) throw new IntegrityError('purged: it does not name the version that it ends with');
  }
  const before = storedPurge?.value.through ?? 0;
  const all = [...versions.values()].filter(({ value }) => value.version > before);
  all.sort((a, b) => a.value.version - b.value.version);
  await checkChain(authority, part, all, storedPurge);
  const through = Math.max(...purges.map(({ value }) => value.through));
  for (const line of all)
    if (line.value.version <= through)
      await authority.checkSigned(
        line,
        part.entry.id,
        line.value.version === 1 ? ['write'] : ['write', 'rotate'],
      );
}

async function checkChain(
  authority: Authority,
  part: EnvironmentPart,
  versions: readonly Line<ValueLine>[],
  purged: Line<PurgedLine> | null,
): Promise<void> {
  let version = purged?.value.through ?? 0;
  let prev = purged?.value.digest ?? '';
  let time = purged?.value.last ?? '';
  const parts = [part.values, ...part.changes];
  const newest = parts.map(({ value }) => value.time).reduce((a, b) => (a > b ? a : b));
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
    prev = await lineDigest(authority.domain, line.raw);
  }
}

/** Every line of a values shard that names this secret. Sealed text is base64url: the quoted member occurs nowhere else. */
export function linesWith(shard: Bytes, secret: string): Bytes[] {
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
