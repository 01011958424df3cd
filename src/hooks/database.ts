/** What the hooks for databases have in common: the credential that is rotated, and how its server is reached. */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';
import { AccessDeniedError, UsageError } from '../errors.ts';
import { namesOf } from '../format/ready-hooks.ts';
import { parseDatabaseCredential } from '../lifecycle/database-credential.ts';

/** The server that a hook works on, by its settings: a credential that says something else is refused. */
export interface Server {
  readonly host: string;
  readonly port: number;
  /** Users or roles whose passwords may be set. */
  readonly users: readonly string[];
  /** Name of the secret of who sets passwords; `null` for the user itself. */
  readonly admin: string | null;
  readonly tls: ConnectionOptions | null;
}

/** @param settings as format/hook.ts has checked them @param users the setting that names them */
export function serverOf(settings: ReadonlyMap<string, string>, users: string, usualPort: number): Server {
  const host = settings.get('host') ?? '';
  return {
    host,
    port: Number(settings.get('port') ?? usualPort),
    users: namesOf(settings.get(users) ?? ''),
    admin: settings.get('admin') ?? null,
    tls: tlsOf(host, settings.get('tls') ?? (isLocal(host) ? 'disable' : 'verify-full'), settings.get('ca')),
  };
}

/** Who logs in, and where to; of Redis the user `default` has no name in a credential. */
export interface Login {
  readonly username: string;
  readonly password: string;
  readonly database: string | null;
}

/** Printable ASCII: what SASLprep (RFC 4013) and every client and server leave as it is. */
const plain = /^[ -~]+$/u;

/** @throws UsageError, SecretNotFoundError for what is no credential, or one that the hook must not work on */
export function loginOn(server: Server, value: Uint8Array): Login {
  const { host, port, username, password, database } = parseDatabaseCredential(Uint8Array.from(value));
  if (host !== server.host || (port ?? server.port) !== server.port)
    throw new UsageError('the credential is of another server than the hook');
  const user = username === '' ? 'default' : username;
  if (!server.users.includes(user))
    throw new UsageError('the credential is of a user that the hook does not name');
  return loginFrom(user, password, database);
}

/** The login of who sets passwords: where to is the hook's to say. */
export function adminOf(value: Uint8Array): Login {
  const { username, password, database } = parseDatabaseCredential(Uint8Array.from(value));
  return loginFrom(username === '' ? 'default' : username, password, database);
}

function loginFrom(username: string, password: string, database: string | null): Login {
  if (!plain.test(password)) throw new UsageError('a password has to be printable ASCII characters');
  return { username, password, database };
}

/** A server on this machine: what goes there passes no network. */
function isLocal(host: string): boolean {
  return host.startsWith('/') || /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/iu.test(host);
}

/**
 * TLS as `sslmode` of libpq says it ("SSL Support").
 * @param root file of a certificate to trust in place of the system's
 * @returns `null` for a connection without TLS
 */
function tlsOf(host: string, mode: string, root: string | undefined): ConnectionOptions | null {
  if (mode === 'disable') return null;
  const ca = root === undefined ? {} : { ca: certificateIn(root) };
  if (mode === 'require') return { ...ca, rejectUnauthorized: root !== undefined, checkServerIdentity: none };
  if (mode === 'verify-ca') return { ...ca, checkServerIdentity: none };
  // An address is no server name (RFC 6066 section 3), and is what has to stand in the certificate all the same.
  const name = isIP(host) === 0 ? { servername: host } : {};
  return { ...ca, ...name, checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate) };
}

const none = (): undefined => undefined;
const largestCertificate = 1024 ** 2;

function certificateIn(file: string): Buffer {
  try {
    // Not a pipe, which would be waited for.
    const { size } = statSync(file);
    if (!statSync(file).isFile() || size > largestCertificate)
      throw new UsageError('it is no file of a certificate');
    return readFileSync(file);
  } catch (cause) {
    throw new UsageError('the file that the setting ca of the hook names cannot be read', { cause });
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
