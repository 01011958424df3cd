/** What a rotation starts from: the secret as it is, and which old values were let go. */
import { ConcurrencyError, SecretNotFoundError } from '../../errors.ts';
import { signatureHolds } from '../../access/digest.ts';
import { isSigned, parseRecord } from '../../audit/record.ts';
import type { SecretBytes } from '../../crypto/secret-bytes.ts';
import type { SignedRecord } from '../../format/audit-record.ts';
import type { Line } from '../../format/json-line.ts';
import { openLogReader } from '../../storage/log-file.ts';
import { linesBackward } from '../../storage/log-lines.ts';
import type { ValueLine } from '../../format/lines.ts';
import type { EnvironmentReader } from '../environment-reader.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import type { SecretInfo } from '../secret-info.ts';
import { findSecret, infoOf, shown } from './secret.ts';

/** The secret, or `null` where there is none: whoever tries to rotate it puts that on record. */
export async function rotationTarget(
  scope: Scope,
  environment: string | null,
  name: string,
): Promise<SecretInfo | null> {
  try {
    return await infoOf(await findSecret(scope, environment, name));
  } catch (error) {
    if (error instanceof SecretNotFoundError) return null;
    throw error;
  }
}

/** The operation by which an old value is let go; its record has the version that had come in its place, and as `detail` the secret's id. */
export const retireOperation = 'rotate-retire';

const marked = Buffer.from(`"op":"${retireOperation}"`);

type Version = Pick<SecretInfo, 'environment' | 'name' | 'version' | 'updated'>;

/**
 * Those of these versions in whose place nothing old is valid any more, as this place's audit log has it, by who may rotate. Letting go twice does
 * no harm, so a log elsewhere, or one that was pruned, costs a second time and nothing else.
 */
export async function retiredAmong<T extends Version>(
  scope: Scope,
  place: Place,
  versions: readonly T[],
): Promise<ReadonlySet<T>> {
  if (versions.length === 0) return new Set();
  // By the id of the secret, which stays when it gets another name or the environment other keys.
  const wanted = new Map<string, T>();
  for (const one of versions) {
    const entry = await (await scope.reader(one.environment)).find(one.name);
    if (entry !== null) wanted.set(`${entry.secret} ${one.version}`, one);
  }
  const found = new Set<T>();
  const log = openLogReader(place.fs, place.audit.path);
  if (log === null) return found;
  try {
    for (const { raw } of linesBackward(log)) {
      if (!Buffer.from(raw.buffer, raw.byteOffset, raw.length).includes(marked)) continue;
      const record = parseRecord(raw);
      if (!isSigned(record) || !record.value.ok) continue;
      const { detail, secrets } = record.value;
      for (const [environment, , version] of secrets) {
        const one = wanted.get(`${detail} ${version}`);
        if (one === undefined || record.value.time < one.updated) continue;
        if (await isByRotator(scope, record, environment)) found.add(one);
      }
      if (found.size === wanted.size) break;
    }
  } finally {
    log.close();
  }
  return found;
}

/** Whether a record is signed by somebody who may rotate there. */
async function isByRotator(
  { authority }: Scope,
  record: Line<SignedRecord>,
  environment: string,
): Promise<boolean> {
  const { principal, header } = record.value;
  const may = (['rotate', 'write'] as const).some((right) =>
    authority.hasRight(principal, right, environment),
  );
  const key = authority.keyAt(principal, header);
  return may && key !== null && (await signatureHolds(authority.domain, record, key, 'audit'));
}

export interface Retirable {
  /** The values before and now; the caller wipes both. */
  readonly old: SecretBytes;
  readonly value: SecretBytes;
}

/**
 * The value that the version before was, and the one that came in its place, to let the old one go.
 * @param early whether its grace may last still
 * @throws ConcurrencyError where the version is not the current one any more, a rotation is under way, or the old value is in use;
 *   SecretNotFoundError where nothing old stays in use
 */
export async function openRetirable(
  scope: Scope,
  { environment, name, version }: Pick<SecretInfo, 'environment' | 'name' | 'version'>,
  early: boolean,
): Promise<Retirable> {
  const { reader, history } = await findSecret(scope, environment, name);
  const live = history.versions.filter(({ value }) => value.state === 'live');
  const [before, current] = live.slice(-2);
  if (history.versions.at(-1)?.value.state === 'pending')
    throw new ConcurrencyError(`a rotation of ${shown(name)} is under way`, {
      hint: 'end it first: `vault rotate --resume`',
    });
  if (current?.value.version !== version)
    throw new ConcurrencyError(`${shown(name)} is not at version ${version} any more`);
  const { graceUntil } = await reader.note(current);
  if (before === undefined || graceUntil === '') throw await nothingOld(reader, name, live);
  if (!early && graceUntil > scope.now.toISOString())
    throw new ConcurrencyError(`the value before that of ${shown(name)} is in use until ${graceUntil}`);
  await reader.checkVersion(history, before.value.version);
  await scope.trace.name(reader, name, before.value.version);
  await scope.trace.name(reader, name, version);
  const old = await reader.open(before);
  return { old, value: await reader.open(current) };
}

async function nothingOld(
  reader: EnvironmentReader,
  name: string,
  live: readonly Line<ValueLine>[],
): Promise<SecretNotFoundError> {
  const hint = '`vault history NAME` says how it came';
  for (const line of live.slice(0, -1).reverse())
    if ((await reader.note(line)).graceUntil !== '')
      return new SecretNotFoundError(
        `the present value of ${shown(name)} did not come by a hook: the one before version ${line.value.version}, if it was not let go, cannot be by a hook any more`,
        { hint },
      );
  return new SecretNotFoundError(
    `nothing old of ${shown(name)} is in use: its present value did not come by a hook`,
    { hint },
  );
}

/** Of secrets with a hook those whose value before was in use until a time that has passed, and was not let go from here. */
export async function pastGrace<T extends Version & Pick<SecretInfo, 'hook' | 'graceUntil'>>(
  scope: Scope,
  place: Place,
  secrets: readonly T[],
): Promise<T[]> {
  const now = scope.now.toISOString();
  const past = secrets.filter(
    ({ graceUntil, hook }) => hook !== null && graceUntil !== null && graceUntil <= now,
  );
  const done = await retiredAmong(scope, place, past);
  return past.filter((secret) => !done.has(secret));
}

/** What the record of a step names: the version, and for `retire` the secret by its id. */
export async function traceStep(
  scope: Scope,
  operation: string,
  { environment, name, version }: Pick<SecretInfo, 'environment' | 'name' | 'version'>,
): Promise<void> {
  const reader = await scope.reader(environment);
  await scope.trace.name(reader, name, version);
  if (operation === retireOperation) scope.trace.detail = (await reader.find(name))?.secret ?? '';
}
