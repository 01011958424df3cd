/** The connection URL of a database credential (RFC 3986), as clients of each engine read it. */
import { UsageError } from '../errors.ts';
import { isRawNumber, encodeJsonText } from './json-text.ts';

export interface DatabaseFields {
  readonly engine: string | null;
  readonly host: string;
  readonly port: number | null;
  readonly database: string | null;
  readonly username: string;
  readonly password: string;
}

/** Schemes by the words that people have for an engine. */
const schemes: Readonly<Record<string, string>> = {
  postgres: 'postgresql',
  postgresql: 'postgresql',
  pg: 'postgresql',
  mysql: 'mysql',
  mariadb: 'mysql',
  mongodb: 'mongodb',
  mongo: 'mongodb',
  'mongodb+srv': 'mongodb+srv',
  redis: 'redis',
  rediss: 'rediss',
};

export const isRedis = (engine: string | null): boolean => /^rediss?$/iu.test(engine ?? '');

/** Everything but unreserved characters (RFC 3986 section 2.3): what is a delimiter in one part is data in another. */
function escaped(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/gu,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * @param options parameters that are appended, such as `sslmode`; numbers and booleans as JSON writes them
 * @throws UsageError without an engine that this program knows, or with a host or options that cannot stand in a URL
 */
export function databaseUrl(fields: DatabaseFields, options: unknown = null): string {
  const { engine, port, database, username, password } = fields;
  const scheme = Object.hasOwn(schemes, (engine ?? '').toLowerCase())
    ? schemes[(engine ?? '').toLowerCase()]
    : undefined;
  if (scheme === undefined) {
    const known = [...new Set(Object.values(schemes))].join(', ');
    const why =
      engine === null ? 'the credential has no engine' : 'the engine of the credential is not known';
    throw new UsageError(`${why}: a URL needs one of ${known}`);
  }
  if (scheme === 'mongodb+srv' && port !== null)
    throw new UsageError('a URL of mongodb+srv has no port: leave it out of the credential');
  const user = escaped(username) + (password === '' ? '' : `:${escaped(password)}`);
  const authority = `${user === '' ? '' : `${user}@`}${hostOf(fields.host)}${port === null ? '' : `:${port}`}`;
  const query = queryOf(options);
  const path = database === null ? (query === '' ? '' : '/') : `/${escaped(database)}`;
  return `${scheme}://${authority}${path}${query}`;
}

/** A name or address; an IPv6 address gets its brackets (section 3.2.2). */
function hostOf(host: string): string {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  if (/^[0-9A-Fa-f:.]+$/u.test(bare) && bare.includes(':')) return `[${bare}]`;
  if (host.startsWith('/')) return escaped(host);
  if (!/^[\w.-]+$/u.test(host)) throw new UsageError('host of the credential is not the name of a host');
  return host;
}

function queryOf(options: unknown): string {
  if (options === null || options === undefined) return '';
  if (typeof options !== 'object' || Array.isArray(options) || isRawNumber(options))
    throw new UsageError('options of the credential is not an object');
  const pairs = Object.entries(options as Readonly<Record<string, unknown>>).map(([name, value]) => {
    const text =
      typeof value === 'boolean' ? String(value) : isRawNumber(value) ? encodeJsonText(value) : value;
    if (typeof text !== 'string')
      throw new UsageError(
        'options of the credential holds something that is not text, number, true or false',
      );
    return `${escaped(name)}=${escaped(text)}`;
  });
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
