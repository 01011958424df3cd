/** Many values at once, for a program that is to run with them. */
import { SecretExpiredError, SecretNotFoundError } from '../../errors.ts';
import type { SecretBytes } from '../../crypto/secret-bytes.ts';
import { matchesPattern } from '../../lifecycle/glob.ts';
import type { Scope } from '../scope.ts';
import { getSecret, type GetOptions } from './get.ts';

export interface WantedSecret {
  readonly name: string;
  readonly field: string | null;
  /** `null`: the environment that is meant where none is named. */
  readonly environment: string | null;
}

export interface SelectOptions {
  readonly environment: string | null;
  /** Patterns over names. Without any, and without `names`, the whole environment is meant. */
  readonly only: readonly string[];
  readonly names: readonly WantedSecret[];
  readonly allowExpired: boolean;
  /** Also the values before, where their grace lasts. */
  readonly withPrevious: boolean;
}

export interface SelectedSecret {
  readonly name: string;
  readonly variable: string | null;
  /** Owned by the caller. */
  readonly value: SecretBytes;
  /** Days until it expires, where that is soon; else `null`. */
  readonly daysLeft: number | null;
  /** The value before it, while it is in use beside it; owned by the caller. */
  readonly previous: SecretBytes | null;
}

export interface Selection {
  /** Of the patterns, or the whole environment; by name. */
  readonly matching: readonly SelectedSecret[];
  /** One for each of `names`, in their order. */
  readonly named: readonly SelectedSecret[];
}

/** @throws SecretNotFoundError for a name that is not there or a pattern that matches nothing; SecretExpiredError */
export async function selectSecrets(scope: Scope, options: SelectOptions): Promise<Selection> {
  const { only, names, allowExpired } = options;
  const read = async ({ name, field, environment }: WantedSecret): Promise<SelectedSecret> => {
    const wanted = { environment, name, field, allowExpired };
    const { value, info, daysLeft } = await getSecret(scope, { ...wanted, version: null });
    const inGrace = options.withPrevious && (info.graceUntil ?? '') > scope.now.toISOString();
    const previous = inGrace ? await before(scope, wanted) : null;
    return { name, variable: info.variable, value, daysLeft, previous };
  };
  const matching: SelectedSecret[] = [];
  if (only.length > 0 || names.length === 0) {
    for (const name of await matchingNames(scope, options.environment, only)) {
      matching.push(await read({ name, field: null, environment: options.environment }));
    }
  }
  const named: SelectedSecret[] = [];
  for (const one of names) named.push(await read(one));
  return { matching, named };
}

/** The value before the current one, or `null` where it has expired, or does not have the field. */
async function before(scope: Scope, wanted: Omit<GetOptions, 'version'>): Promise<SecretBytes | null> {
  try {
    return (await getSecret(scope, { ...wanted, version: 'previous' })).value;
  } catch (error) {
    if (error instanceof SecretExpiredError || error instanceof SecretNotFoundError) return null;
    throw error;
  }
}

async function matchingNames(
  scope: Scope,
  environment: string | null,
  only: readonly string[],
): Promise<string[]> {
  const reader = await scope.reader(environment);
  scope.trace.environment = reader.id;
  const names = (await reader.entries()).filter((entry) => entry.removed === '').map((entry) => entry.name);
  for (const pattern of only) {
    if (!names.some((name) => matchesPattern(pattern, name))) {
      throw new SecretNotFoundError(
        `no secret in ${reader.part.entry.name} matches ${JSON.stringify(pattern)}`,
      );
    }
  }
  return only.length === 0
    ? names
    : names.filter((name) => only.some((pattern) => matchesPattern(pattern, name)));
}
