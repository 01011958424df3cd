/**
 * Whether a value is too weak for what it is. Only where somebody could guess it: certificates, SSH keys and notes are not judged, and of a
 * secret without a type only what its name calls a password, a secret, a token or a key, and the password in a URL.
 */
import type { Bytes } from '../crypto/bytes.ts';
import type { SecretType } from '../format/secret-type.ts';
import { guardedPart, passwordInUrl } from './guarded-part.ts';
import { estimateBits } from './strength.ts';
import { isTelling } from './telling-names.ts';

/** Bits that are wanted at least: against guessing online for what people type, against guessing offline for what machines hold. */
const leastBits: Partial<Readonly<Record<SecretType, number>>> = {
  password: 50,
  'database-credential': 50,
  'api-key': 64,
  token: 64,
  'encryption-key': 100,
};
/** Of what a name calls a password, and of passwords in URLs. */
const leastOfPasswords = 50;
/** Below that many bytes, or bits, the same value of two secrets that are no credentials is a setting, such as a host. */
const leastCompared = { bytes: 16, bits: 80 } as const;

const unjudged: ReadonlySet<SecretType> = new Set(['note', 'certificate', 'ssh-key']);

function bitsWanted(type: SecretType, name: string): number | null {
  if (type === 'other') return isTelling(name) ? leastOfPasswords : null;
  return leastBits[type] ?? null;
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
  const password = unjudged.has(type) ? null : passwordInUrl(part);
  const rated = rate(part, bitsWanted(type, name));
  const isCredential = type === 'database-credential';
  // Several URLs of one login are no several passwords; of a credential that is one, the password counts as in any other.
  const compared = rated.isCompared ? ((isCredential ? password : null) ?? part) : null;
  const isWeak = password !== null && estimateBits(password) < leastOfPasswords;
  const weakness = password === null ? rated.weakness : isWeak ? 'easy to guess' : null;
  for (const bytes of [part, password]) if (bytes !== compared) bytes?.fill(0);
  return { weakness, compared };
}

/** @param wanted bits, or `null` for what is not judged */
function rate(
  part: Bytes,
  wanted: number | null,
): { readonly weakness: Judged['weakness']; readonly isCompared: boolean } {
  if (part.length === 0) return { weakness: wanted === null ? null : 'empty', isCompared: false };
  const bits = estimateBits(part);
  return {
    weakness: wanted !== null && bits < wanted ? 'easy to guess' : null,
    isCompared: wanted !== null || (part.length >= leastCompared.bytes && bits >= leastCompared.bits),
  };
}
