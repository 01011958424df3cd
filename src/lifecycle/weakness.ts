/**
 * Whether a value is too weak for what it is. Only where somebody could guess it: certificates, SSH keys and notes are not judged, and of a
 * secret without a type only what its name calls a password, a secret, a token or a key.
 */
import { utf8, type Bytes } from '../crypto/bytes.ts';
import { SecretNotFoundError, UsageError } from '../errors.ts';
import type { SecretType } from '../format/secret-type.ts';
import { parseApiKey } from './api-key.ts';
import { parseDatabaseCredential } from './database-credential.ts';
import { estimateBits } from './strength.ts';

/** Bits that are wanted at least: against guessing online for what people type, against guessing offline for what machines hold. */
const leastBits: Partial<Readonly<Record<SecretType, number>>> = {
  password: 50,
  'database-credential': 50,
  'api-key': 64,
  token: 64,
  'encryption-key': 100,
};
const leastOfNamed = 50;
/** Below that many bytes, or bits, the same value of two secrets that are no credentials is a setting, such as a host. */
const leastCompared = { bytes: 16, bits: 80 } as const;

const telling =
  /(?:^|[^a-z])(?:password|passwd|passphrase|pwd|pass|secret|token|credentials?|(?:api|access|secret|private|encryption|signing|master|auth)[^a-z]?key|apikey)$/iu;

/** Whether the end of a name says that the value is to be kept from being guessed: `DB_PASSWORD`, `stripe/secret-key`. */
function isTelling(name: string): boolean {
  return telling.test(name.replace(/([a-z])([A-Z])/gu, '$1_$2'));
}

function bitsWanted(type: SecretType, name: string): number | null {
  if (type === 'other') return isTelling(name) ? leastOfNamed : null;
  return leastBits[type] ?? null;
}

/** The password of a database credential, the key of an API key, else all; `null` where there is none to be found. A copy: caller wipes. */
function guardedPart(type: SecretType, value: Bytes): Bytes | null {
  try {
    if (type === 'database-credential') return utf8(parseDatabaseCredential(value).password);
    if (type === 'api-key') return utf8(parseApiKey(value));
  } catch (error) {
    // Keys may be bytes; a credential that is no JSON says nothing of its password.
    if (!(error instanceof UsageError || error instanceof SecretNotFoundError)) throw error;
    return type === 'api-key' ? value.slice() : null;
  }
  return value.slice();
}

export interface Judged {
  /** In words, without anything of the value; `null` for one that is strong, or not judged. */
  readonly weakness: 'empty' | 'easy to guess' | null;
  /** What must not be the same in two secrets; `null` where that says nothing. Caller wipes. */
  readonly compared: Bytes | null;
}

/** @param value borrowed */
export function judge(type: SecretType, name: string, value: Bytes): Judged {
  if (type === 'note') return { weakness: null, compared: null };
  const part = guardedPart(type, value);
  if (part === null) return { weakness: null, compared: null };
  const wanted = bitsWanted(type, name);
  if (part.length === 0) return { weakness: wanted === null ? null : 'empty', compared: null };
  const bits = estimateBits(part);
  const weakness = wanted !== null && bits < wanted ? 'easy to guess' : null;
  if (wanted !== null || (part.length >= leastCompared.bytes && bits >= leastCompared.bits))
    return { weakness, compared: part };
  part.fill(0);
  return { weakness, compared: null };
}
