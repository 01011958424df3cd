/** Many values at once, for a program that is to run with them. */
import { SecretNotFoundError } from '../../errors.ts';
import type { SecretBytes } from '../../crypto/secret-bytes.ts';
import { matchesPattern } from '../../lifecycle/glob.ts';
import type { Scope } from '../scope.ts';
import { getSecret } from './get.ts';

export interface SelectOptions {
  readonly environment: string | null;
  /** Patterns; none means the whole environment, unless `names` are given. */
  readonly only: readonly string[];
  /** Names that are needed, each with a field or `null`. */
  readonly names: readonly { readonly name: string; readonly field: string | null }[];
  readonly allowExpired: boolean;
}

export interface SelectedSecret {
  readonly name: string;
  readonly variable: string | null;
  /** Owned by the caller. */
  readonly value: SecretBytes;
  /** Asked for by name or pattern, not merely part of the environment. */
  readonly selected: boolean;
  /** Set where it was asked for by name. */
  readonly field: string | null;
  readonly byName: boolean;
}

/** @throws SecretNotFoundError for a name or a pattern that matches nothing; SecretExpiredError */
export async function selectSecrets(scope: Scope, options: SelectOptions): Promise<SelectedSecret[]> {
  const { environment, only, names, allowExpired } = options;
  const reader = await scope.reader(environment);
  scope.trace.environment = reader.id;
  const chosen: SelectedSecret[] = [];
  const read = async (name: string, field: string | null, selected: boolean, byName: boolean): Promise<void> => {
    const { value, info } = await getSecret(scope, { environment, name, version: null, field, allowExpired });
    chosen.push({ name, variable: info.variable, value, selected, field, byName });
  };
  if (only.length > 0 || names.length === 0) {
    const entries = (await reader.entries()).filter((entry) => entry.removed === '');
    for (const pattern of only) {
      if (!entries.some((entry) => matchesPattern(pattern, entry.name))) {
        throw new SecretNotFoundError(`no secret in ${reader.part.entry.name} matches ${JSON.stringify(pattern)}`);
      }
    }
    const matching = entries.filter((entry) => only.length === 0 || only.some((pattern) => matchesPattern(pattern, entry.name)));
    for (const entry of matching) await read(entry.name, null, only.length > 0, false);
  }
  for (const { name, field } of names) await read(name, field, true, true);
  return chosen;
}
