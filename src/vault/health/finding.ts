/** Something that `doctor` has to say, and how it is mended. */
import { findingKinds, type FindingId, type Severity } from './finding-kinds.ts';

/** Names and metadata of secrets, paths, principals; never a value. */
export interface Finding {
  readonly id: FindingId;
  readonly severity: Severity;
  /** The environment that it is in; `null` for the place, and for what is in several. */
  readonly environment: string | null;
  /** Secrets, principals or paths that it is about; secrets of several environments as references, `vault://ENV/NAME`. */
  readonly names: readonly string[];
  /** What was found, without the names. */
  readonly message: string;
  readonly hint: string;
}

/** What a finding is about; a hint in place of its kind's where something else mends it. */
export type FindingDetails = Partial<Pick<Finding, 'environment' | 'names' | 'hint'>>;

/** How a database credential gets a new password: a random text in its place would be none. */
export const databaseHint = 'the password in it: `vault put NAME -e ENVIRONMENT --field password --generate`';

/** What can stand in a command as it is. */
const plainWord = /^[\w./][\w./-]*$/u;

/** A command with what it is about in the place of PATH, NAME and ENVIRONMENT, as far as that is plain. */
function filled(hint: string, environment: string | null, names: readonly string[]): string {
  const words: readonly (readonly [string, readonly string[]])[] = [
    ['ENVIRONMENT', environment === null ? [] : [environment]],
    ['NAME', names.length === 1 ? names : []],
    ['PATH', names],
  ];
  return words.reduce((text, [word, found]) => {
    const plain = found.length > 0 && found.every((one) => plainWord.test(one));
    return plain ? text.replaceAll(word, () => found.join(' ')) : text;
  }, hint);
}

export function finding(
  id: FindingId,
  message: string,
  { environment = null, names = [], hint }: FindingDetails = {},
): Finding {
  const kind = findingKinds[id];
  return {
    id,
    severity: kind.severity,
    environment,
    names,
    message,
    hint: filled(hint ?? kind.hint, environment, names),
  };
}
