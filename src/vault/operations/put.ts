/** Storing values: new secrets, new versions, rotation. One place decides versions, metadata, retention. */
import { ConcurrencyError, SecretNotFoundError, UsageError } from '../../errors.ts';
import { parseUtf8, type Bytes } from '../../crypto/bytes.ts';
import type { CatalogEntry, Note } from '../../format/catalog.ts';
import type { Line } from '../../format/json-line.ts';
import type { ValueLine } from '../../format/lines.ts';
import { limits } from '../../format/limits.ts';
import { certificateExpiry } from '../../lifecycle/certificate.ts';
import { urlProblem } from '../../lifecycle/database-credential.ts';
import { withField } from '../../lifecycle/field.ts';
import { policyValue } from '../../lifecycle/policy.ts';
import type { Draft } from '../draft.ts';
import { currentVersion } from '../secret-history.ts';
import type { WriteScope } from '../scope.ts';
import { noteOwed, tellOfEndedGrace } from './forgotten-value.ts';
import { mergeEntry, type Metadata } from './metadata.ts';
import { checkName, shown } from './secret.ts';

export interface PutOptions {
  readonly environment: string | null;
  readonly name: string;
  /** Borrowed. */
  readonly value: Bytes;
  readonly field?: string | null;
  readonly operation: Note['operation'];
  readonly metadata?: Metadata;
  /** The current version must be this; 0 means that there is none. */
  readonly ifVersion?: number | null;
  readonly ifAbsent?: boolean;
  /** Refuse an empty value in place of one that is not: a pipe that failed upstream looks like this. */
  readonly guardEmpty?: boolean;
  /** The secret must be there already (rotation). */
  readonly mustExist?: boolean;
  /** Until when the value before stays in use. */
  readonly graceUntil?: Date | null;
  /** Whether the version waits for `settleRotation` to become the current one. */
  readonly pending?: boolean;
}

export interface PutResult {
  readonly name: string;
  readonly environment: string;
  readonly version: number;
  readonly created: boolean;
  /** The secret had been removed and is back with this version. */
  readonly revived: boolean;
}

export async function putSecret(scope: WriteScope, options: PutOptions): Promise<PutResult> {
  const { name } = options;
  checkName(name);
  const draft = await scope.draft(options.environment);
  const { reader } = draft;
  await scope.trace.name(reader, name);
  if (options.value.length > limits.value) throw new UsageError('the value is larger than 16 MiB');
  const entry = await draft.find(name);
  const history = entry === null ? null : await draft.history(entry.secret);
  const current = history === null ? null : currentVersion(history);
  const present = entry?.removed === '' && current !== null;
  checkConditions(options, present ? current.value.version : 0);

  let value = options.value;
  if (
    (options.field !== null && options.field !== undefined) ||
    (options.guardEmpty === true && value.length === 0)
  ) {
    if (present) await reader.checkVersion(await draft.history(entry.secret), current.value.version);
    const old = present ? await reader.open(current) : null;
    if (options.field !== null && options.field !== undefined)
      value = withField(old?.bytes ?? null, options.field, parseText(value));
    else if (old !== null && old.length > 0) {
      throw new UsageError(`refusing to replace ${shown(name)} by nothing`, {
        hint: 'use --exact if you mean it',
      });
    }
    old?.wipe();
  }

  const before = current === null ? null : await reader.note(current);
  const metadata = options.metadata ?? {};
  const changed = mergeEntry(entry, name, () => draft.newSecretId(), scope.stamp.time, metadata);
  if (entry === null || JSON.stringify(entry) !== JSON.stringify(changed)) await draft.setEntry(changed);
  const own = changed.type === 'certificate' ? certificateExpiry(value) : null;
  const expires =
    metadata.expires === undefined
      ? (own?.toISOString() ?? expiryToKeep(scope, name, before))
      : (metadata.expires?.toISOString() ?? '');
  const isNew = options.operation === 'put' || options.operation === 'rotate';
  if (isNew && changed.type === 'certificate' && own === null)
    scope.notices.push(`no certificate in PEM could be read in ${shown(name)}: when it ends is not known`);
  if (isNew && expires !== '' && expires <= scope.stamp.time)
    scope.notices.push(`${shown(name)} expired at ${expires}: it is refused from the start`);
  const rotations = (before?.rotations ?? 0) + (options.operation === 'rotate' ? 1 : 0);
  const note: Note = {
    operation: options.operation,
    rotations,
    expires,
    graceUntil: options.graceUntil?.toISOString() ?? '',
  };
  const state = options.pending === true ? 'pending' : 'live';
  const lack =
    options.operation === 'put' && changed.type === 'database-credential' ? urlProblem(value) : null;
  if (lack !== null) scope.notices.push(`${shown(name)} has no field url: ${lack}`);
  const line = await draft.addVersion(changed.secret, value, note, state);
  if (value !== options.value) value.fill(0);
  if (state === 'live') await retain(scope, draft, changed);
  if (state === 'live' && entry !== null && entry.hook !== '' && changed.hook === entry.hook)
    scope.notices.push(
      `${shown(name)} has a hook, and it was not run: nothing was changed where the value is used`,
    );
  if (entry !== null && history !== null) {
    await noteOwed(scope, reader, entry, history);
    if (state === 'live') await tellOfEndedGrace(scope, reader, entry, history);
  }
  const { version } = line.value;
  await scope.trace.name(reader, name, version);
  const from = current?.value.version ?? 0;
  if (state === 'live')
    scope.reversal.note({
      environment: reader.id,
      secret: changed.secret,
      before: entry,
      after: changed,
      from,
      to: version,
    });
  const environment = reader.part.entry.name;
  return {
    name,
    environment,
    version,
    created: entry === null,
    revived: entry !== null && entry.removed !== '',
  };
}

/** What a value inherits of the one before: an expiry that is over was that one's own. */
function expiryToKeep(scope: WriteScope, name: string, before: Note | null): string {
  const expires = before?.expires ?? '';
  if (expires === '' || expires > scope.stamp.time) return expires;
  scope.notices.push(
    `the value of ${shown(name)} before expired at ${expires}; the new one has no expiry (--expires sets one)`,
  );
  return '';
}

function parseText(value: Bytes): string {
  try {
    return parseUtf8(value);
  } catch {
    throw new UsageError('a field holds text; this value is not UTF-8');
  }
}

/** @throws ConcurrencyError; SecretNotFoundError */
export function checkConditions(
  options: Pick<PutOptions, 'name' | 'ifVersion' | 'ifAbsent' | 'mustExist'>,
  version: number,
): void {
  const { name, ifVersion, ifAbsent, mustExist } = options;
  if (ifAbsent === true && version > 0) {
    throw new ConcurrencyError(`${shown(name)} exists already, at version ${version}`, {}, 'ALREADY_EXISTS');
  }
  if (ifVersion !== null && ifVersion !== undefined && ifVersion !== version) {
    const found = version === 0 ? 'it does not exist' : `it is at version ${version}`;
    throw new ConcurrencyError(`${shown(name)} is not at version ${ifVersion}: ${found}`);
  }
  if (mustExist === true && version === 0)
    throw new SecretNotFoundError(`there is no secret ${shown(name)} to rotate`);
}

const dayMs = 86_400_000;

/**
 * Drop versions that the policy does not keep: those beyond its number, and those in whose place another one came longer ago than its days.
 * The current one, and what is newer, stays; and the one before it, for as long as its grace lasts.
 */
export async function retain(
  scope: WriteScope,
  draft: Draft,
  { secret, hook }: Pick<CatalogEntry, 'secret' | 'hook'>,
): Promise<void> {
  if (!draft.mayPurge) return;
  const keep = Number(policyValue(scope.policy, 'retention.versions'));
  const days = Number(policyValue(scope.policy, 'retention.days'));
  const until = days === 0 ? '' : new Date(Date.parse(scope.stamp.time) - days * dayMs).toISOString();
  const { versions } = await draft.history(secret);
  const current = versions.findLastIndex((line) => line.value.state === 'live');
  const inGrace = await graceBegins(scope, draft, versions, hook !== '');
  let dropped = 0;
  for (; dropped < current; dropped++) {
    const next = versions.find(({ value }, index) => index > dropped && value.state === 'live');
    const replaced = next?.value.time ?? '';
    const live = versions.slice(dropped).filter(({ value }) => value.state === 'live');
    if ((live.length <= keep && replaced >= until) || dropped === inGrace) break;
  }
  const last = versions[dropped - 1];
  if (last !== undefined) await draft.purge(secret, last.value.version);
}

/** Place of the version before the current one, if it is still in use; else -1. */
async function graceBegins(
  scope: WriteScope,
  draft: Draft,
  versions: readonly Line<ValueLine>[],
  hasHook: boolean,
): Promise<number> {
  const [previous, current] = versions.filter(({ value }) => value.state === 'live').slice(-2);
  if (previous === undefined || current === undefined) return -1;
  const { graceUntil } = await draft.reader.note(current);
  // A hook needs it to let it go, however late that is.
  const isNeeded = hasHook ? graceUntil !== '' : graceUntil > scope.now.toISOString();
  return isNeeded ? versions.indexOf(previous) : -1;
}
