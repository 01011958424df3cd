/** Names that say that a value is to be kept from being guessed: `DB_PASSWORD`, `stripe/secret-key`, `token2`, `SECRET_KEY_BASE`. */

/** Wherever they stand. */
const words: ReadonlySet<string> = new Set([
  'password',
  'passwd',
  'passphrase',
  'pgpassword',
  'secret',
  'token',
  'apikey',
]);
const pairs: ReadonlySet<string> = new Set(['api key', 'secret key']);

/** At the end. */
const ends: ReadonlySet<string> = new Set(['pwd', 'pass', 'credential', 'credentials']);
const keys: ReadonlySet<string> = new Set([
  'api',
  'access',
  'secret',
  'private',
  'encryption',
  'signing',
  'master',
  'auth',
]);

/** What the last word makes a setting of: `TOKEN_TTL`, `PASSWORD_MIN_LENGTH`, `SECRET_NAME`. */
const settings: ReadonlySet<string> = new Set(
  (
    'ttl length min max size count limit url uri endpoint host port path file dir folder name user username id type policy algorithm issuer ' +
    'audience scope header prefix expiry expires expiration lifetime age timeout interval seconds minutes hours days enabled required hint arn ' +
    'version region rotation at in'
  ).split(' '),
);

/** Words of a part of a name, in small letters; digits are none. */
function wordsOf(part: string): string[] {
  return part
    .replace(/([a-z])([A-Z])/gu, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/gu, '$1_$2')
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .filter((word) => word !== '');
}

/** Whether the words of a part of a name tell. */
function doTell(part: readonly string[]): boolean {
  const pairsOf = part.slice(1).map((word, index) => `${part[index]} ${word}`);
  return part.some((word) => words.has(word)) || pairsOf.some((pair) => pairs.has(pair));
}

export function isTelling(name: string): boolean {
  const parts = name.split('/').map(wordsOf);
  const own = parts.at(-1) ?? [];
  const last = own.at(-1) ?? '';
  if (settings.has(last)) return false;
  const isKey =
    last === 'key' ? keys.has(own.at(-2) ?? '') : last.endsWith('key') && keys.has(last.slice(0, -3));
  if (doTell(own) || ends.has(last) || isKey) return true;
  // Under `secret/` there may be anything.
  return parts.slice(0, -1).some((folder) => doTell(folder.filter((word) => word !== 'secret')));
}
