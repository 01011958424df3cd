/** Old values that a hook was to let go, and that nothing lets go any more once something else has come. docs/rotation.md. */
import { canRetire } from '../../format/hook.ts';
import type { CatalogEntry } from '../../format/catalog.ts';
import type { EnvironmentReader } from '../environment-reader.ts';
import type { Place } from '../place.ts';
import type { Owed, WriteScope } from '../scope.ts';
import { currentVersion, type SecretHistory } from '../secret-history.ts';
import { knownHooks } from './hooks.ts';
import { retiredAmong } from './rotation-target.ts';
import { shown } from './secret.ts';

/**
 * Note that a change comes in place of a secret's current version, or takes its hook away, without letting go what was owed.
 * @param entry as it was until then
 */
export async function noteOwed(
  scope: WriteScope,
  reader: EnvironmentReader,
  entry: CatalogEntry,
  history: SecretHistory,
): Promise<void> {
  const current = currentVersion(history);
  if (entry.hook === '' || current === null) return;
  const { graceUntil } = await reader.note(current);
  if (graceUntil === '') return;
  const environment = reader.part.entry.name;
  const hook = (await knownHooks(scope, environment)).get(entry.hook);
  // Of a newer program's hook it is not known.
  if (hook === undefined || hook === null || !canRetire(hook.definition)) return;
  const { version, time } = current.value;
  scope.owed.push({ environment, name: entry.name, version, updated: time });
}

/**
 * Tell that a new current version ends the grace of the one before the present one: only one value is `previous`. Of what a hook has to let
 * go, `noteOwed` tells.
 * @param history as it was until then
 */
export async function tellOfEndedGrace(
  scope: WriteScope,
  reader: EnvironmentReader,
  { name, hook }: Pick<CatalogEntry, 'name' | 'hook'>,
  history: SecretHistory,
): Promise<void> {
  const current = currentVersion(history);
  if (hook !== '' || current === null) return;
  const { graceUntil } = await reader.note(current);
  if (graceUntil <= scope.now.toISOString()) return;
  scope.notices.push(
    `the value of ${shown(name)} before version ${current.value.version}, in use until ${graceUntil}, is not its previous one any more`,
  );
}

/** What is to be told of those which the log of this place does not show as let go; where it cannot be read, of all. */
export async function forgottenValues(scope: WriteScope, place: Place): Promise<string[]> {
  const retired = await retiredAmong(scope, place, scope.owed).catch(() => new Set<Owed>());
  return scope.owed
    .filter((one) => !retired.has(one))
    .map(
      ({ name, version }: Owed) =>
        `the value before version ${version} of ${shown(name)} was not let go: it may still be valid where it is used, and no hook ends it any more`,
    );
}
