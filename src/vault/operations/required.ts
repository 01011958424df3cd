/** What a project says that its programs need, held against what is there. */
import { SecretNotFoundError } from '../../errors.ts';
import type { SecretType } from '../../format/secret-type.ts';
import type { Scope } from '../scope.ts';
import { shown } from './secret.ts';

interface Wanted {
  readonly name: string;
  readonly type: SecretType | null;
}

/** @returns warnings. @throws SecretNotFoundError that lists all that are missing */
export async function checkRequired(
  scope: Scope,
  environment: string | null,
  required: readonly Wanted[],
): Promise<string[]> {
  if (required.length === 0) return [];
  const reader = await scope.reader(environment);
  const here = reader.part.entry.name;
  const missing: string[] = [];
  const warnings: string[] = [];
  for (const { name, type } of required) {
    const entry = await reader.find(name);
    if (entry?.removed !== '') {
      missing.push(shown(name));
      await scope.trace.name(reader, name);
    } else if (type !== null && entry.type !== type) {
      warnings.push(`${shown(name)} is of type ${entry.type} in ${here}; vault.json says ${type}`);
    }
  }
  if (missing.length === 0) return warnings;
  const message = `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} required by vault.json and not in ${here}`;
  throw new SecretNotFoundError(message, {
    hint: 'store what is missing with `vault put NAME`, choose another environment with --env, or select with --only',
  });
}
