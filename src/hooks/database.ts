/** What the hooks for databases have in common: the credential that is rotated, and how its server is reached. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { AccessDeniedError, UsageError } from '../errors.ts';
import { parseUtf8, type Bytes } from '../crypto/bytes.ts';
import { databaseSpellings, parseDatabaseCredential } from '../lifecycle/database-credential.ts';
import type { DatabaseFields } from '../lifecycle/database-url.ts';
import { readMembers, withField } from '../lifecycle/field.ts';
import { StepFailure } from './rotation-hook.ts';

export interface Login extends DatabaseFields {
  /** Of the member `options`, texts only. */
  readonly options: ReadonlyMap<string, string>;
}

/** @throws UsageError, SecretNotFoundError for what is no credential of a database */
export function loginOf(value: Bytes): Login {
  const options = readMembers(value).get('options');
  const pairs = typeof options === 'object' && options !== null ? Object.entries(options) : [];
  const texts = pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  return { ...parseDatabaseCredential(value), options: new Map(texts) };
}

/**
 * The credential with another password, and another user where one is named; caller wipes.
 * @param password text in UTF-8, borrowed
 */
export function withLogin(value: Bytes, password: Bytes, username: string | null): Bytes {
  // The whole of it is looked at before anything is made of it.
  loginOf(value);
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

/** A server on this machine: what goes there passes no network. */
export function isLocal(host: string): boolean {
  return host.startsWith('/') || /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/iu.test(host);
}

/**
 * TLS as `sslmode` of libpq says it ("SSL Support").
 * @param root file of a certificate to trust in place of the system's
 * @returns `null` for a connection without TLS
 */
export function tlsOf(host: string, mode: string, root: string | undefined): ConnectionOptions | null {
  const ca = root === undefined ? {} : { ca: certificateIn(root) };
  if (mode === 'disable') return null;
  if (mode === 'require') return { ...ca, rejectUnauthorized: root !== undefined, checkServerIdentity: none };
  if (mode === 'verify-ca') return { ...ca, checkServerIdentity: none };
  if (mode === 'verify-full') return { ...ca, servername: host };
  throw new UsageError('sslmode of the credential is none of disable, require, verify-ca, verify-full');
}

const none = (): undefined => undefined;

function certificateIn(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new StepFailure('failed: the file that sslrootcert of the credential names cannot be read', {
      cause,
      isUntouched: true,
    });
  }
}

export function needsOld(): AccessDeniedError {
  return new AccessDeniedError('it needs the old value, which you may not read');
}

/** What a failed connection comes from: a code of the system, of TLS or of the server; never its text, which could quote a value. */
export function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/u.test(code) ? code : 'no code';
}
