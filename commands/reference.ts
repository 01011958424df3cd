/** References: `vault://ENV/NAME#FIELD`, `vault:///NAME` for the current environment, percent-encoded. Anything else is a name. */
import { UsageError } from '../src/errors.ts';

export interface Reference {
  readonly name: string;
  readonly environment: string | null;
  readonly field: string | null;
}

const scheme = 'vault://';

/** @throws UsageError for a malformed reference, or a field or environment named twice */
export function parseReference(text: string, environment: string | null, field?: string): Reference {
  if (!text.startsWith(scheme)) return { name: text, environment, field: field ?? null };
  const rest = text.slice(scheme.length);
  const hash = rest.indexOf('#');
  const path = hash < 0 ? rest : rest.slice(0, hash);
  const slash = path.indexOf('/');
  if (slash < 0) throw new UsageError('a reference has the form vault://ENV/NAME#FIELD');
  try {
    const own = decodeURIComponent(path.slice(0, slash));
    const fragment = hash < 0 ? null : decodeURIComponent(rest.slice(hash + 1));
    if (fragment !== null && field !== undefined) throw new UsageError('the field is named twice');
    return {
      name: decodeURIComponent(path.slice(slash + 1)),
      environment: own === '' ? environment : own,
      field: fragment ?? field ?? null,
    };
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError('the reference is not well percent-encoded', { cause });
  }
}
