/** What a secret of the type api-key holds: the key itself, or a JSON object with a member `key`. */
import { SecretNotFoundError, UsageError } from '../errors.ts';
import { readMembers, readText } from './field.ts';
import type { Bytes } from '../crypto/bytes.ts';

/** @throws UsageError for what is neither; SecretNotFoundError FIELD_NOT_FOUND */
export function parseApiKey(value: Bytes): string {
  const text = readText(value);
  if (!text.trimStart().startsWith('{')) return text;
  const key = readMembers(value).get('key');
  if (key === undefined) throw new SecretNotFoundError('the secret has no field key', {}, 'FIELD_NOT_FOUND');
  if (typeof key !== 'string' || key === '') throw new UsageError('key of the secret is not text');
  return key;
}
