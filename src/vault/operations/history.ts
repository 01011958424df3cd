/** Versions of one secret: what is kept, who wrote it, and going back to an old one by a new version. */
import { UsageError } from '../../errors.ts';
import type { Note } from '../../format/catalog.ts';
import { dueAt, dueTime } from '../../lifecycle/due.ts';
import { dueRulesOf } from '../due-rules.ts';
import type { Scope, WriteScope } from '../scope.ts';
import { currentVersion } from '../secret-history.ts';
import { tellOfOld } from './known-value.ts';
import { findSecret, infoOf, pickVersion, shown, type SecretInfo } from './secret.ts';
import { putSecret, type PutResult } from './put.ts';

export interface VersionInfo {
  readonly version: number;
  readonly state: 'live' | 'pending' | 'withdrawn';
  readonly current: boolean;
  readonly time: string;
  readonly author: string;
  readonly operation: Note['operation'];
  readonly expires: string | null;
}

export interface SecretDetails {
  readonly info: SecretInfo;
  readonly versions: readonly VersionInfo[];
  /** Versions up to this one are purged; 0 if none. */
  readonly purgedThrough: number;
  /** When it is to be rotated, or `null`. */
  readonly due: string | null;
}

/** Everything that can be told of a secret but its value. */
export async function showSecret(
  scope: Scope,
  environment: string | null,
  name: string,
): Promise<SecretDetails> {
  const found = await findSecret(scope, environment, name);
  const { reader, history } = found;
  await reader.checkVersion(history, 1);
  const current = currentVersion(history);
  const versions = await Promise.all(
    history.versions.map(async (line): Promise<VersionInfo> => {
      const note = await reader.note(line);
      return {
        version: line.value.version,
        state: line.value.state,
        current: line === current,
        time: line.value.time,
        author: scope.authority.nameOf(line.value.author),
        operation: note.operation,
        expires: note.expires === '' ? null : note.expires,
      };
    }),
  );
  const info = await infoOf(found);
  const rules = await dueRulesOf(scope, reader);
  const due = dueTime(dueAt(info, rules(found.entry)));
  return { info, versions, purgedThrough: history.purged?.value.through ?? 0, due };
}

export interface RollbackOptions {
  readonly environment: string | null;
  readonly name: string;
  readonly to: number;
}

/** The value of an old version becomes the newest one. History only grows. */
export async function rollbackSecret(scope: WriteScope, options: RollbackOptions): Promise<PutResult> {
  const { environment, name } = options;
  // First, since what does not hold is left out by it.
  await scope.draft(environment);
  const found = await findSecret(scope, environment, name);
  const line = pickVersion(found, options.to);
  if (line === currentVersion(found.history))
    throw new UsageError(`${shown(name)} is at version ${options.to} already`);
  await found.reader.checkVersion(found.history, line.value.version);
  const value = await found.reader.open(line);
  try {
    await tellOfOld(scope, found.reader, name, line);
    const note = await found.reader.note(line);
    const expires = note.expires === '' ? null : new Date(note.expires);
    return await putSecret(scope, {
      environment,
      name,
      value: value.bytes,
      operation: 'rollback',
      metadata: { expires },
    });
  } finally {
    value.wipe();
  }
}
