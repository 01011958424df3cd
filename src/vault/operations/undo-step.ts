/** One secret of a write that is taken back: whether it is still as that write left it, and the way back to what was before. */
import { AccessDeniedError, ConcurrencyError, SecretNotFoundError } from '../../errors.ts';
import type { SignedRecord } from '../../format/audit-record.ts';
import type { CatalogEntry } from '../../format/catalog.ts';
import type { Draft } from '../draft.ts';
import type { Reversal, Step } from '../reversal.ts';
import type { WriteScope } from '../scope.ts';
import { currentVersion } from '../secret-history.ts';
import { hashesOf } from './audit-names.ts';
import { tellOfOld } from './known-value.ts';
import { shown } from './secret.ts';
import { changeOf } from './undo-refusal.ts';

/** What became of a secret. */
export interface TakenBack {
  /** As it is now. */
  readonly name: string;
  readonly environment: string;
  /** The name that it had until then, or `null` where that is the same. */
  readonly renamedFrom: string | null;
  /** The current version. */
  readonly version: number;
  /** The version whose value and expiry that one has, or `null` where no version was written. */
  readonly valueOf: number | null;
  /** Whether type, description, tags, variable or interval are others than until then. */
  readonly metadata: boolean;
  readonly state: 'there' | 'removed' | 'restored';
}

const mostNamed = 5;

/**
 * Every secret must be as the write left it.
 * @throws ConcurrencyError that names those which are not, and what happened
 */
export async function checkUnchanged(
  scope: WriteScope,
  reversal: Reversal,
  record: SignedRecord,
): Promise<void> {
  const moved: string[] = [];
  for (const step of reversal.steps) {
    const draft = await draftOf(scope, step);
    await scope.trace.name(draft.reader, step.after.name);
    const change = await changeSince(scope, draft, step, reversal.time);
    if (change !== null) moved.push(`${shown(step.after.name)} in ${nameOf(draft)} ${change}`);
  }
  if (moved.length === 0) return;
  const more = moved.length > mostNamed ? `; and ${moved.length - mostNamed} more` : '';
  const what = `${moved.slice(0, mostNamed).join('; ')}${more}`;
  throw new ConcurrencyError(`${changeOf(record)}, cannot be taken back any more: ${what}`, {
    hint: '`vault history NAME` has what was before, and `vault rollback NAME --to N` brings it back',
  });
}

const nameOf = ({ reader }: Draft): string => reader.part.entry.name;

async function draftOf(scope: WriteScope, { environment }: Step): Promise<Draft> {
  const name = scope.authority.header.environments.find(({ id }) => id === environment)?.name ?? environment;
  return scope.draft(name);
}

/** What happened to a secret since a write of that time, or `null`. */
async function changeSince(
  { authority, identity }: WriteScope,
  draft: Draft,
  { secret, after, from, to }: Step,
  time: string,
): Promise<string | null> {
  const found = await draft.find(after.name);
  if (found?.secret !== secret) {
    const elsewhere = (await draft.reader.entries()).find((entry) => entry.secret === secret);
    return elsewhere === undefined ? 'was purged' : `is called ${shown(elsewhere.name)} now`;
  }
  const history = await draft.history(secret);
  const newest = history.versions.at(-1)?.value;
  if (newest?.state === 'pending')
    return `is being rotated by ${authority.nameOf(newest.author)} since ${newest.time}`;
  const current = currentVersion(history)?.value;
  if (current === undefined) return 'has no value any more';
  const own = from === to || (current.author === identity.principal && current.time === time);
  if (current.version !== to || !own)
    return `is at version ${current.version}, which ${authority.nameOf(current.author)} wrote at ${current.time}`;
  if (found.removed !== after.removed)
    return found.removed === '' ? 'was restored' : `was removed at ${found.removed}`;
  return sameMetadata(found, after) ? null : 'has other metadata';
}

/** The members of an entry that people set. */
function sameMetadata(one: CatalogEntry, other: CatalogEntry): boolean {
  const told = ({ type, description, tags, variable, interval, hook }: CatalogEntry): string =>
    JSON.stringify([type, description, tags, variable, interval, hook]);
  return told(one) === told(other);
}

/** Stage the way back of one secret, which `checkUnchanged` has seen. @throws AccessDeniedError; ConcurrencyError; SecretNotFoundError */
export async function takeBack(scope: WriteScope, step: Step): Promise<TakenBack> {
  const { secret, before, after, to } = step;
  const draft = await draftOf(scope, step);
  const { reader } = draft;
  const wasThere = before?.removed === '';
  const removed = wasThere ? '' : scope.stamp.time;
  if (removed !== '' && !scope.authority.hasRight(scope.identity.principal, 'delete', reader.id))
    throw new AccessDeniedError(
      `you may not delete in ${nameOf(draft)}: ${shown(after.name)} was not there before, and would be removed`,
    );
  const target: CatalogEntry = { ...(before ?? after), removed };
  if (target.name !== after.name) await rename(scope, draft, after.name, target.name);
  const valueOf = before !== null && step.from !== to && step.from > 0 ? step.from : null;
  const version = valueOf === null ? to : await addOld(scope, draft, step, valueOf);
  await draft.setEntry(target);
  await scope.trace.name(reader, target.name, valueOf === null ? 0 : version);
  scope.reversal.note({
    environment: reader.id,
    secret,
    before: after,
    after: target,
    from: to,
    to: version,
  });
  return {
    name: target.name,
    environment: nameOf(draft),
    renamedFrom: target.name === after.name ? null : after.name,
    version,
    valueOf,
    metadata: !sameMetadata(target, after),
    state: removed !== '' ? 'removed' : after.removed === '' ? 'there' : 'restored',
  };
}

async function rename(scope: WriteScope, draft: Draft, from: string, to: string): Promise<void> {
  if ((await draft.find(to)) !== null)
    throw new ConcurrencyError(
      `${shown(from)} was called ${shown(to)}, and there is another ${shown(to)} in ${nameOf(draft)} now`,
      { hint: '`vault ls --removed` shows it if it was removed' },
      'ALREADY_EXISTS',
    );
  // As for any rename: whoever looks for what was done under the old name cannot hash it any more.
  scope.trace.hashes(draft.reader, await hashesOf(scope, draft.reader, from));
  await draft.deleteEntry(from);
}

/** A new version with value and expiry of an old one. @returns its number */
async function addOld(
  scope: WriteScope,
  draft: Draft,
  { secret, after, to }: Step,
  old: number,
): Promise<number> {
  const { reader } = draft;
  const name = shown(after.name);
  if (reader.keys.value === null)
    throw new AccessDeniedError(
      `you may not read in ${nameOf(draft)}, and so cannot bring back the value that ${name} had`,
      { hint: `who may read and write there can: \`vault rollback NAME --to ${old}\`` },
    );
  const history = await draft.history(secret);
  const line = history.versions.find(({ value }) => value.version === old);
  if (line === undefined) {
    const hint = 'the rule for versions is in `vault policy show retention.versions`';
    throw new SecretNotFoundError(
      `${name} had version ${old} before, and that is not kept any more`,
      { hint },
      'VERSION_NOT_FOUND',
    );
  }
  const present = history.versions.find(({ value }) => value.version === to) ?? line;
  await reader.checkVersion(history, old);
  const [{ expires }, { rotations }] = [await reader.note(line), await reader.note(present)];
  const value = await reader.open(line);
  try {
    const note = { operation: 'rollback', rotations, expires, graceUntil: '' } as const;
    // What it takes the place of is kept, whatever the policy says, until the next new value: it may be wanted back.
    const added = await draft.addVersion(secret, value.bytes, note);
    await tellOfOld(scope, reader, after.name, line);
    return added.value.version;
  } finally {
    value.wipe();
  }
}
