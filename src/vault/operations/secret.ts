/** What every operation on one secret starts from: finding it, its current version, what can be told of it. */
import { IntegrityError, SecretExpiredError, SecretNotFoundError, UsageError } from '../../errors.ts';
import type { CatalogEntry, Note } from '../../format/catalog.ts';
import type { Line } from '../../format/json-line.ts';
import type { ValueLine } from '../../format/lines.ts';
import { neverRotated } from '../../lifecycle/rotation-intervals.ts';
import { nameProblem, shown } from '../../format/name.ts';
import type { EnvironmentReader } from '../environment-reader.ts';
import { currentVersion, type SecretHistory } from '../secret-history.ts';
import type { Scope } from '../scope.ts';
import type { SecretInfo } from '../secret-info.ts';

export { shown } from '../../format/name.ts';
export type { SecretInfo } from '../secret-info.ts';

export interface Found {
  readonly reader: EnvironmentReader;
  readonly entry: CatalogEntry;
  readonly history: SecretHistory;
}

export function checkName(name: string): void {
  const problem = nameProblem(name);
  if (problem !== null) throw new UsageError(`this cannot be the name of a secret: ${problem}`);
}

/** A secret that is there and not removed. @throws SecretNotFoundError naming the environments that have it */
export async function findSecret(scope: Scope, environment: string | null, name: string): Promise<Found> {
  checkName(name);
  const reader = await scope.reader(environment);
  await scope.trace.name(reader, name);
  const entry = await reader.find(name);
  if (entry?.removed === '') {
    const history = await reader.history(entry.secret);
    if (history.removed === null) return { reader, entry, history };
  }
  throw await notFound(scope, reader, name, entry !== null);
}

async function notFound(
  scope: Scope,
  reader: EnvironmentReader,
  name: string,
  removed: boolean,
): Promise<SecretNotFoundError> {
  const here = reader.part.entry.name;
  if (removed) {
    const hint = `bring it back with \`vault restore\``;
    return new SecretNotFoundError(`${shown(name)} was removed from ${here}`, { hint });
  }
  const others: string[] = [];
  for (const entry of scope.accessible()) {
    if (entry.id === reader.id) continue;
    const other = await (await scope.readerOf(entry)).find(name);
    if (other?.removed === '') others.push(entry.name);
  }
  const message = `there is no secret ${shown(name)} in ${here}`;
  if (others.length === 0) return new SecretNotFoundError(message);
  return new SecretNotFoundError(`${message}; ${others.join(', ')} has it`, {
    hint: `choose the environment with --env`,
  });
}

/** Which version is asked for: a number, `previous`, or `null` for the current one. */
export type VersionWanted = number | 'previous' | null;

export function pickVersion(found: Found, wanted: VersionWanted): Line<ValueLine> {
  const { history, entry } = found;
  const current = currentVersion(history);
  if (history.versions.length === 0) {
    throw new IntegrityError(`${shown(entry.name)} is in the catalog, but its versions are not in the vault`);
  }
  if (current === null)
    throw new SecretNotFoundError(`${shown(entry.name)} has no value`, {}, 'VERSION_NOT_FOUND');
  if (wanted === null) return current;
  const live = history.versions.filter((line) => line.value.state === 'live');
  // By its number also one that is pending or was withdrawn: it may be the one that is in use where it was applied.
  const line =
    wanted === 'previous'
      ? live.findLast((candidate) => candidate.value.version < current.value.version)
      : history.versions.find((candidate) => candidate.value.version === wanted);
  if (line === undefined) {
    const kept = live.map((candidate) => candidate.value.version);
    const range = kept.length === 1 ? `version ${kept[0]}` : `versions ${kept[0]} to ${kept.at(-1)}`;
    const which = wanted === 'previous' ? 'previous version' : `version ${wanted}`;
    throw new SecretNotFoundError(
      `${shown(entry.name)} has no ${which}; ${range} kept`,
      {},
      'VERSION_NOT_FOUND',
    );
  }
  return line;
}

export function checkExpiry(entry: CatalogEntry, note: Note, now: Date): void {
  if (note.expires !== '' && now.toISOString() >= note.expires) {
    throw new SecretExpiredError(`${shown(entry.name)} expired at ${note.expires}`);
  }
}

export async function infoOf(found: Found): Promise<SecretInfo> {
  const { reader, entry, history } = found;
  const current = currentVersion(history);
  if (current === null) throw new IntegrityError(`${shown(entry.name)} is in the catalog and has no version`);
  return infoFrom(reader, entry, current, await reader.note(current));
}

export function infoFrom(
  reader: EnvironmentReader,
  entry: CatalogEntry,
  line: Line<ValueLine>,
  note: Note,
): SecretInfo {
  // Tags come from a list: a tag may be called `__proto__` and is a member like any other.
  const tags: Record<string, string> = Object.fromEntries(entry.tags.map(([key, value]) => [key, value]));
  return {
    name: entry.name,
    environment: reader.part.entry.name,
    type: entry.type,
    version: line.value.version,
    created: entry.created,
    updated: line.value.time,
    expires: note.expires === '' ? null : note.expires,
    tags,
    description: entry.description,
    variable: entry.variable === '' ? null : entry.variable,
    rotations: note.rotations,
    graceUntil: note.graceUntil === '' ? null : note.graceUntil,
    rotateEverySeconds: [0, neverRotated].includes(entry.interval) ? null : entry.interval,
    hook: entry.hook === '' ? null : entry.hook,
    removed: entry.removed === '' ? null : entry.removed,
  };
}
