/** Names of secrets: Unicode text as typed, 1 to 1,024 bytes, no control characters, no line separators. */
import { utf8 } from '../crypto/bytes.ts';
import { limits } from './limits.ts';

/** Most names are these characters alone, and a regular expression by Unicode properties takes long to compile. */
const plain = /^[!-~]*$/;

/** Why a text cannot be a secret's name, or `null` if it can. The reason does not quote the text. */
export function nameProblem(name: string): string | null {
  if (!name.isWellFormed()) return 'it is not valid Unicode';
  if (name === '') return 'it is empty';
  if (utf8(name).length > limits.name) return `it is longer than ${limits.name} bytes`;
  if (!plain.test(name) && /[\p{Cc}\p{Zl}\p{Zp}]/u.test(name))
    return 'it has a control character or a line separator';
  return null;
}

/** Why a text cannot name a principal or an environment, or `null`. */
export function labelProblem(label: string): string | null {
  if (!label.isWellFormed() || label === '') return 'it is empty or not valid Unicode';
  if (utf8(label).length > limits.label) return `it is longer than ${limits.label} bytes`;
  if (!plain.test(label) && /[\p{Cc}\p{Z}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(label)) {
    return 'it has white space, a control character or a direction mark';
  }
  return null;
}

/**
 * Why a text cannot name a new principal or environment, or `null`. More is refused than in a vault that is there: what cannot be seen,
 * and what has a meaning where names are listed or matched.
 */
export function newLabelProblem(label: string): string | null {
  if (/[\p{Cf}\p{Co}\p{Cn}]/u.test(label)) return 'it has a character that cannot be seen';
  if (/[*?,]/u.test(label)) return 'it has a comma or a wildcard';
  return labelProblem(label);
}

/** A name as it may stand in a message: nothing in it can move the cursor or reorder the line. */
export function shown(name: string): string {
  return JSON.stringify(name).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
