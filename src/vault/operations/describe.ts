/** What is said of a secret, changed by itself: its value, its versions and its age stay as they are. */
import { UsageError } from '../../errors.ts';
import { currentVersion } from '../secret-history.ts';
import type { WriteScope } from '../scope.ts';
import { mergeEntry, type Metadata } from './metadata.ts';
import { checkConditions, type PutResult } from './put.ts';
import { findSecret, shown } from './secret.ts';

export interface DescribeOptions {
  readonly environment: string | null;
  readonly name: string;
  readonly metadata: Metadata;
  /** The current version must be this. */
  readonly ifVersion: number | null;
}

/**
 * @throws UsageError where nothing is said, and for an expiry, which is a value's own; SecretNotFoundError; ConcurrencyError;
 *   AccessDeniedError without `write`
 */
export async function describeSecret(scope: WriteScope, options: DescribeOptions): Promise<PutResult> {
  const { name, metadata, ifVersion } = options;
  if (metadata.expires !== undefined)
    throw new UsageError('an expiry is of a value, and comes with one', {
      hint: '`vault get NAME | vault put NAME --exact --expires TIME` stores the same value once more',
    });
  if (Object.values(metadata).every((one) => one === undefined))
    throw new UsageError('with --keep, say what is to be changed');
  const draft = await scope.draft(options.environment);
  const { entry, history } = await findSecret(scope, options.environment, name);
  const version = currentVersion(history)?.value.version ?? 0;
  checkConditions({ name, ifVersion }, version);
  const before = (await draft.find(name)) ?? entry;
  const after = mergeEntry(before, name, () => before.secret, before.created, metadata);
  await draft.setEntry(after);
  scope.trace.detail = 'metadata';
  await scope.trace.name(draft.reader, name);
  if (after.type === 'certificate' && before.type !== 'certificate')
    scope.notices.push(`when ${shown(name)} ends is read from its next value`);
  const { id: environment } = draft.reader;
  scope.reversal.note({
    environment,
    secret: entry.secret,
    before,
    after,
    from: version,
    to: version,
  });
  return { name, environment: draft.reader.part.entry.name, version, created: false, revived: false };
}
