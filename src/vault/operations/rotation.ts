/**
 * Rotation in two phases: a new value is staged, durable and not yet current; once it is in place where it is used, it becomes the current
 * one, and else it is withdrawn. It is never lost: also a withdrawn version can be read by its number.
 */
import { ConcurrencyError, IntegrityError } from '../../errors.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import type { SecretBytes } from '../../crypto/secret-bytes.ts';
import type { CatalogEntry } from '../../format/catalog.ts';
import type { Line } from '../../format/json-line.ts';
import type { ValueLine } from '../../format/lines.ts';
import type { EnvironmentReader } from '../environment-reader.ts';
import { currentVersion } from '../secret-history.ts';
import { tellOfEndedGrace } from './forgotten-value.ts';
import type { Scope, WriteScope } from '../scope.ts';
import { putSecret, retain } from './put.ts';
import { findSecret, shown } from './secret.ts';

export interface PendingRotation {
  readonly name: string;
  readonly environment: string;
  readonly version: number;
  /** Since when. */
  readonly since: string;
  readonly by: string;
  /** Until when the value before stays in use once it is current, or `null`. */
  readonly graceUntil: string | null;
  /** Id of the stored hook of the secret, or `null`. */
  readonly hook: string | null;
  /** Whether the principal that asks may end it. */
  readonly own: boolean;
}

export interface StageOptions {
  readonly environment: string | null;
  readonly name: string;
  /** Borrowed. */
  readonly value: Bytes;
  readonly ifVersion: number | null;
  /** Until when the value before stays in use; `null` for not at all. */
  readonly graceUntil: Date | null;
}

export interface Staged {
  readonly name: string;
  readonly environment: string;
  readonly version: number;
}

/** Stage a new value. @throws SecretNotFoundError; ConcurrencyError while another rotation is under way */
export async function stageRotation(scope: WriteScope, options: StageOptions): Promise<Staged> {
  const { name, environment, version } = await putSecret(scope, {
    ...options,
    operation: 'rotate',
    mustExist: true,
    pending: true,
  });
  return { name, environment, version };
}

/** The value that is to be replaced, for hooks; `null` for who cannot read it. Caller wipes. */
export async function openReplaced(
  scope: Scope,
  { environment, name }: Pick<StageOptions, 'environment' | 'name'>,
): Promise<SecretBytes | null> {
  const { reader, history } = await findSecret(scope, environment, name);
  const current = currentVersion(history);
  if (current === null || reader.keys.value === null) return null;
  await reader.checkVersion(history, current.value.version);
  await scope.trace.name(reader, name, current.value.version);
  return reader.open(current);
}

/** What has become of a staged version. */
export async function stateOf(
  scope: Scope,
  { environment, name, version }: Pick<PendingRotation, 'environment' | 'name' | 'version'>,
): Promise<'live' | 'pending' | 'withdrawn' | 'gone'> {
  const { reader, history } = await findSecret(scope, environment, name);
  const line = history.versions.find(({ value }) => value.version === version);
  if (line === undefined) return 'gone';
  await reader.checkValueLine(line);
  return line.value.state;
}

/** Whether nothing came after a version. */
export async function isNewest(
  scope: Scope,
  { environment, name, version }: Pick<PendingRotation, 'environment' | 'name' | 'version'>,
): Promise<boolean> {
  const { history } = await findSecret(scope, environment, name);
  return history.versions.at(-1)?.value.version === version;
}

/** The staged value, for whoever goes on with it. Caller wipes. */
export async function openStaged(
  scope: Scope,
  { environment, name, version }: Pick<PendingRotation, 'environment' | 'name' | 'version'>,
): Promise<SecretBytes> {
  const { reader, history } = await findSecret(scope, environment, name);
  const line = history.versions.at(-1);
  if (line?.value.version !== version || line.value.state !== 'pending')
    throw new ConcurrencyError(`version ${version} of ${shown(name)} is not pending any more`);
  await reader.checkVersion(history, version);
  await scope.trace.name(reader, name, version);
  return reader.open(line);
}

/** Make a staged version the current one, or withdraw it. */
export async function settleRotation(
  scope: WriteScope,
  { environment, name, version }: Pick<PendingRotation, 'environment' | 'name' | 'version'>,
  state: 'live' | 'withdrawn',
): Promise<void> {
  const draft = await scope.draft(environment);
  const { entry, history } = await findSecret(scope, environment, name);
  const from = currentVersion(history)?.value.version ?? 0;
  if (state === 'live') await tellOfEndedGrace(scope, draft.reader, entry, history);
  await draft.settleVersion(entry.secret, version, state);
  await scope.trace.name(draft.reader, name, version);
  const { secret } = entry;
  scope.reversal.hooks = true;
  scope.reversal.note({
    environment: draft.reader.id,
    secret,
    before: entry,
    after: entry,
    from,
    to: version,
  });
  if (state === 'live') await retain(scope, draft, entry);
}

/** `null` for a secret that does not hold together: reading it says what is wrong. */
async function newestOf(reader: EnvironmentReader, secret: string): Promise<Line<ValueLine> | null> {
  try {
    const line = (await reader.history(secret)).versions.at(-1) ?? null;
    if (line?.value.state === 'pending') await reader.checkValueLine(line);
    return line;
  } catch (error) {
    if (error instanceof IntegrityError) return null;
    throw error;
  }
}

/** `""` too where its note does not open: it can still be taken back. */
async function graceOf(reader: EnvironmentReader, line: Line<ValueLine>): Promise<string> {
  try {
    return (await reader.note(line)).graceUntil;
  } catch (error) {
    if (error instanceof IntegrityError) return '';
    throw error;
  }
}

/** The rotation that is under way by a secret's newest version, or `null`. The line is checked by the caller. */
export async function pendingOf(
  { authority, identity }: Pick<Scope, 'authority' | 'identity'>,
  reader: EnvironmentReader,
  entry: CatalogEntry,
  line: Line<ValueLine>,
): Promise<PendingRotation | null> {
  const { version, time, author, state } = line.value;
  if (state !== 'pending') return null;
  const graceUntil = await graceOf(reader, line);
  return {
    name: entry.name,
    environment: reader.part.entry.name,
    version,
    since: time,
    by: authority.nameOf(author),
    graceUntil: graceUntil === '' ? null : graceUntil,
    hook: entry.hook === '' ? null : entry.hook,
    own: author === identity.principal || authority.isAdmin(identity.principal),
  };
}

/** Rotations that are under way, of one secret or of all that the principal can list. */
export async function pendingRotations(
  scope: Scope,
  environment: string | null,
  name: string | null,
): Promise<PendingRotation[]> {
  const entries = name === null && environment === null ? scope.accessible() : [scope.entry(environment)];
  const found: PendingRotation[] = [];
  for (const where of entries) {
    const reader = await scope.readerOf(where);
    for (const entry of await reader.entries()) {
      if (entry.removed !== '' || (name !== null && entry.name !== name)) continue;
      const line = await newestOf(reader, entry.secret);
      const pending = line === null ? null : await pendingOf(scope, reader, entry, line);
      if (pending !== null) found.push(pending);
    }
  }
  return found;
}
