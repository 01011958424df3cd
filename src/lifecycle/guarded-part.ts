/**
 * The part of a value that must not be guessed: the password of a database credential or of a URL, the key of an API key, else all of it. Whatever
 * somebody has stored, there is an answer: what cannot be read as what its type says is judged as a whole.
 */
import { parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';
import { SecretNotFoundError, UsageError } from '../errors.ts';
import type { SecretType } from '../format/secret-type.ts';
import { parseApiKey } from './api-key.ts';
import { readMembers } from './field.ts';
import { encodeJsonText } from './json-text.ts';

/** A longer value is not looked into: JSON of 16 MiB takes seconds, and nobody remembers a value like that. */
const mostParsed = 65_536;
const mostUrl = 8_192;

/** The password of a database credential, the key of an API key, else all; `null` where there is none. A copy: caller wipes. */
export function guardedPart(type: SecretType, value: Bytes): Bytes | null {
  if (value.length > mostParsed) return value.slice();
  try {
    // A lone surrogate is judged as what it is written as.
    if (type === 'database-credential') return passwordIn(readMembers(value));
    if (type === 'api-key') return utf8(parseApiKey(value).toWellFormed());
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof SecretNotFoundError)) throw error;
  }
  return value.slice();
}

/** The password alone: what else a credential has to have is a matter of those who log in with it. @throws UsageError for one that is nested too deeply */
function passwordIn(members: ReadonlyMap<string, unknown>): Bytes | null {
  const password = members.get('password') ?? null;
  if (password !== null)
    return utf8((typeof password === 'string' ? password : encodeJsonText(password)).toWellFormed());
  const url = members.get('url');
  return typeof url === 'string' ? passwordInUrl(utf8(url.toWellFormed())) : null;
}

/** `scheme://user:password@host`; the scheme may be two, as in `jdbc:postgresql:`, and the password may have signs that should be escaped. */
const userInfo = /^\s*(?:[a-z][\da-z+.-]*:){1,3}\/\/[^\s/?#:@]*:(?<password>[^\s/?#]*)@/iu;

/** The password in a value that is a URL; `null` where there is none, or the value is something else. Caller wipes. */
export function passwordInUrl(value: Bytes): Bytes | null {
  // Most values have no such sign, and no text is made of them.
  if (value.length > mostUrl || !value.includes(0x40) || !value.includes(0x3a)) return null;
  try {
    const { password = '' } = userInfo.exec(parseUtf8(value))?.groups ?? {};
    return password === '' ? null : utf8(decoded(password));
  } catch {
    // No text.
    return null;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
