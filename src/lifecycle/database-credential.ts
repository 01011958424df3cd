/** What a secret of the type database-credential holds: a JSON object, whose members have a few usual spellings. */
import { SecretNotFoundError, UsageError } from '../errors.ts';
import { parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';
import { databaseUrl, isRedis, type DatabaseFields } from './database-url.ts';
import { readField, readMembers, withField } from './field.ts';
import { encodeJsonText, isRawNumber } from './json-text.ts';

/** Spellings that mean nothing else beside the others. docs/library.md has them, too. */
export const databaseSpellings = {
  engine: ['engine', 'dialect'],
  host: ['host', 'hostname'],
  port: ['port'],
  database: ['database', 'dbname', 'db'],
  username: ['username', 'user'],
  password: ['password'],
} as const satisfies Readonly<Record<keyof DatabaseFields, readonly string[]>>;

type Members = ReadonlyMap<string, unknown>;

/** @throws UsageError for what is no such object, or has a member of another form; SecretNotFoundError FIELD_NOT_FOUND */
export function parseDatabaseCredential(value: Bytes): DatabaseFields {
  return fieldsOf(readMembers(value));
}

function fieldsOf(members: Members): DatabaseFields {
  const engine = optional(members, 'engine');
  return {
    engine,
    host: required(members, 'host'),
    port: port(members),
    database: database(members),
    // Redis has a user of its own without a name.
    username: isRedis(engine) ? (optional(members, 'username') ?? '') : required(members, 'username'),
    password: required(members, 'password', true),
  };
}

/** The field `url` of a credential that has none of that name: composed of the others. Caller wipes. @throws as `parseDatabaseCredential` */
export function urlOf(value: Bytes): Bytes {
  const members = readMembers(value);
  if (members.has('url')) return readField(value, 'url');
  return utf8(databaseUrl(fieldsOf(members), members.get('options')));
}

/** Why it has no field `url`, in words that quote nothing of it; `null` if it has one. */
export function urlProblem(value: Bytes): string | null {
  try {
    urlOf(value).fill(0);
    return null;
  } catch (error) {
    if (error instanceof UsageError || error instanceof SecretNotFoundError) return error.message;
    throw error;
  }
}

/**
 * The credential with another password, and another user where one is named; caller wipes.
 * @param password text in UTF-8, borrowed
 */
export function withLogin(value: Bytes, password: Bytes, username: string | null): Bytes {
  // The whole of it is looked at before anything is made of it.
  parseDatabaseCredential(value);
  const members = readMembers(value);
  if (members.has('url')) {
    const hint = 'leave it out: `vault get NAME --field url` makes one of the other fields';
    throw new UsageError('the credential has a url of its own, which would keep the old password', { hint });
  }
  let changed = withField(value, 'password', parseUtf8(password));
  if (username === null) return changed;
  const named = databaseSpellings.username.filter((name) => members.has(name));
  for (const name of named.length === 0 ? [databaseSpellings.username[0]] : named) {
    const before = changed;
    changed = withField(before, name, username);
    before.fill(0);
  }
  return changed;
}

/** The member under any of its spellings; `null` and a member that is not there are the same. */
function member(members: Members, field: keyof DatabaseFields): unknown {
  const there = databaseSpellings[field].filter((name) => (members.get(name) ?? null) !== null);
  const [first, ...others] = there.map((name) => members.get(name));
  // Numbers keep their spelling in an object of their own.
  if (others.some((other) => encodeJsonText(other) !== encodeJsonText(first)))
    throw new UsageError(`the credential has ${there.join(' and ')}, and they differ`);
  return first ?? null;
}

function optional(members: Members, field: keyof DatabaseFields): string | null {
  const found = member(members, field);
  if (found !== null && (typeof found !== 'string' || found === ''))
    throw new UsageError(`${field} of the credential is not text`);
  return found;
}

function required(members: Members, field: keyof DatabaseFields, mayBeEmpty = false): string {
  const found = member(members, field);
  if (found === null)
    throw new SecretNotFoundError(`the credential has no field ${field}`, {}, 'FIELD_NOT_FOUND');
  if (typeof found !== 'string') throw new UsageError(`${field} of the credential is not text`);
  if (found === '' && !mayBeEmpty) throw new UsageError(`${field} of the credential is empty`);
  return found;
}

/** Of Redis a number. */
function database(members: Members): string | null {
  const found = member(members, 'database');
  return isRawNumber(found) ? encodeJsonText(found) : optional(members, 'database');
}

function port(members: Members): number | null {
  const found = member(members, 'port');
  if (found === null) return null;
  const text = isRawNumber(found) ? encodeJsonText(found) : found;
  const number = typeof text === 'string' && /^[1-9]\d{0,4}$/u.test(text) ? Number(text) : 0;
  if (number < 1 || number > 65_535)
    throw new UsageError('port of the credential is not a number from 1 to 65535');
  return number;
}
