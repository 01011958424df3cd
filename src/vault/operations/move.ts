/** Removing, bringing back, purging, renaming, copying. */
import { AccessDeniedError, ConcurrencyError, SecretNotFoundError, UsageError } from '../../errors.ts';
import type { CatalogEntry } from '../../format/catalog.ts';
import type { Draft } from '../draft.ts';
import type { WriteScope } from '../scope.ts';
import { hashesOf } from './audit-names.ts';
import { currentVersion } from '../secret-history.ts';
import { putSecret, type PutResult } from './put.ts';
import { checkName, findSecret, pickVersion, shown } from './secret.ts';

/** The secret that was meant, by its name after the operation. */
export interface Moved {
  readonly name: string;
  readonly environment: string;
}

const moved = (draft: Draft, name: string): Moved => ({
  name,
  environment: draft.reader.part.entry.name,
});

async function presentEntry(
  scope: WriteScope,
  environment: string | null,
  name: string,
): Promise<CatalogEntry> {
  return (await findSecret(scope, environment, name)).entry;
}

/** Any entry of the name, removed or not. @throws SecretNotFoundError */
async function anyEntry(draft: Draft, name: string): Promise<CatalogEntry> {
  checkName(name);
  const entry = await draft.find(name);
  if (entry !== null) return entry;
  throw new SecretNotFoundError(
    `there is no secret ${shown(name)} in ${draft.reader.part.entry.name}, removed or not`,
  );
}

function checkDelete(scope: WriteScope, draft: Draft): void {
  if (!scope.authority.hasRight(scope.identity.principal, 'delete', draft.reader.id)) {
    throw new AccessDeniedError(`you may not delete in ${draft.reader.part.entry.name}`);
  }
}

/** What is staged may be in use already: nothing happens to the secret before that is settled. @throws ConcurrencyError */
async function checkSettled(draft: Draft, entry: CatalogEntry): Promise<void> {
  const newest = (await draft.history(entry.secret)).versions.at(-1);
  if (newest?.value.state !== 'pending') return;
  const hint = 'end it first: `vault rotate --resume`, or `--abandon`';
  throw new ConcurrencyError(`a rotation of ${shown(entry.name)} is under way`, { hint });
}

/** For `undo`: an entry was changed, and no version. */
async function noteEntry(
  { reversal }: WriteScope,
  draft: Draft,
  before: CatalogEntry,
  after: CatalogEntry,
): Promise<void> {
  const { secret } = before;
  const version = currentVersion(await draft.history(secret))?.value.version ?? 0;
  reversal.note({ environment: draft.reader.id, secret, before, after, from: version, to: version });
}

/** Remove: the name is gone from listings, its versions stay until they are purged. */
export async function removeSecret(
  scope: WriteScope,
  environment: string | null,
  name: string,
): Promise<Moved> {
  const draft = await scope.draft(environment);
  checkDelete(scope, draft);
  const entry = await presentEntry(scope, environment, name);
  await checkSettled(draft, entry);
  await draft.remove(entry);
  await noteEntry(scope, draft, entry, { ...entry, removed: scope.stamp.time });
  return moved(draft, name);
}

/** Destroy every version and forget the name. A signed trace of the id stays. */
export async function purgeSecret(
  scope: WriteScope,
  environment: string | null,
  name: string,
): Promise<Moved> {
  const draft = await scope.draft(environment);
  checkDelete(scope, draft);
  await scope.trace.name(draft.reader, name);
  const entry = await anyEntry(draft, name);
  await checkSettled(draft, entry);
  const { versions } = await draft.history(entry.secret);
  const last = versions.at(-1);
  if (last !== undefined) await draft.purge(entry.secret, last.value.version);
  await draft.deleteEntry(name);
  return moved(draft, name);
}

export async function restoreSecret(
  scope: WriteScope,
  environment: string | null,
  name: string,
): Promise<Moved> {
  const draft = await scope.draft(environment);
  await scope.trace.name(draft.reader, name);
  const entry = await anyEntry(draft, name);
  if (entry.removed === '') throw new UsageError(`${shown(name)} is there; nothing to restore`);
  const restored = { ...entry, removed: '' };
  await draft.setEntry(restored);
  await noteEntry(scope, draft, entry, restored);
  return moved(draft, name);
}

/** Rename within an environment; id, versions and signatures stay. @throws ConcurrencyError ALREADY_EXISTS */
export async function renameSecret(
  scope: WriteScope,
  environment: string | null,
  from: string,
  to: string,
): Promise<Moved> {
  checkName(to);
  const draft = await scope.draft(environment);
  const entry = await presentEntry(scope, environment, from);
  await checkSettled(draft, entry);
  // Whoever looks for what was done under the old name cannot hash it any more.
  scope.trace.hashes(draft.reader, await hashesOf(scope, draft.reader, from));
  await scope.trace.name(draft.reader, to);
  await refuseOccupied(draft, to);
  await draft.deleteEntry(from);
  const renamed = { ...entry, name: to };
  await draft.setEntry(renamed);
  await noteEntry(scope, draft, entry, renamed);
  return moved(draft, to);
}

async function refuseOccupied(draft: Draft, name: string): Promise<void> {
  const occupied = await draft.find(name);
  if (occupied === null) return;
  const state = occupied.removed === '' ? 'exists already' : 'was removed and can still be restored';
  const hint =
    occupied.removed === '' ? 'choose another name' : `choose another name, or \`vault rm --purge\` it first`;
  throw new ConcurrencyError(`${shown(name)} ${state}`, { hint }, 'ALREADY_EXISTS');
}

export interface CopyOptions {
  readonly environment: string | null;
  readonly from: string;
  readonly to: string;
  /** Another environment; the same one if `null`. */
  readonly toEnvironment: string | null;
}

/** Copy the current value and the metadata; history is not copied. @throws ConcurrencyError ALREADY_EXISTS */
export async function copySecret(scope: WriteScope, options: CopyOptions): Promise<PutResult> {
  const { environment, from, to } = options;
  checkName(to);
  const found = await findSecret(scope, environment, from);
  const target = options.toEnvironment ?? found.reader.part.entry.name;
  const line = pickVersion(found, null);
  await found.reader.checkVersion(found.history, line.value.version);
  await refuseOccupied(await scope.draft(target), to);
  const value = await found.reader.open(line);
  try {
    const note = await found.reader.note(line);
    const { type, description, tags, variable, interval } = found.entry;
    return await putSecret(scope, {
      environment: target,
      name: to,
      value: value.bytes,
      operation: 'copy',
      metadata: {
        type,
        description,
        tags: new Map(tags),
        variable: to === from ? variable : '',
        intervalSeconds: interval,
        expires: note.expires === '' ? null : new Date(note.expires),
      },
    });
  } finally {
    value.wipe();
  }
}
