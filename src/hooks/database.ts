/** What the hooks for databases have in common: the credential that is rotated, and how its server is reached. */
import { AccessDeniedError, UsageError } from '../errors.ts';
import { namesOf } from '../format/ready-hooks.ts';
import { parseDatabaseCredential } from '../lifecycle/database-credential.ts';
import { LoginRefused, type SecretSource } from './rotation-hook.ts';
import type { Address, Login } from './session.ts';
import { tlsFrom } from './tls.ts';

/** The server that a hook works on, by its settings: a credential that says something else is refused. */
export interface Server {
  readonly address: Address;
  /** Users or roles whose passwords may be set. */
  readonly users: readonly string[];
  /** Name of the secret of who sets passwords; `null` for the user itself. */
  readonly admin: string | null;
}

/** What a hook for it needs beside the credential. */
export const usesOf = ({ admin }: Server): readonly string[] => (admin === null ? [] : [admin]);

const usualSeconds = 60;

/** @param settings as format/hook.ts has checked them @param users the setting that names them */
export function serverOf(settings: ReadonlyMap<string, string>, users: string, usualPort: number): Server {
  const host = settings.get('host') ?? '';
  const port = Number(settings.get('port') ?? usualPort);
  const limitMs = Number(settings.get('timeout') ?? usualSeconds) * 1_000;
  return {
    address: { host, port, tls: tlsFrom(host, settings), limitMs },
    users: namesOf(settings.get(users) ?? ''),
    admin: settings.get('admin') ?? null,
  };
}

/** Printable ASCII: what SASLprep (RFC 4013) and every client and server leave as it is. */
const plain = /^[ -~]+$/u;

/** @throws UsageError, SecretNotFoundError for what is no credential, or one that the hook must not work on */
export function loginOn(server: Server, value: Uint8Array): Login {
  const { host, port, username, password, database } = parseDatabaseCredential(Uint8Array.from(value));
  const { address } = server;
  if (host !== address.host || (port ?? address.port) !== address.port)
    throw new UsageError('the credential is of another server than the hook');
  const user = username === '' ? 'default' : username;
  if (!server.users.includes(user))
    throw new UsageError('the credential is of a user that the hook does not name');
  return loginFrom(user, password, database);
}

/** The login of who sets passwords: where to is the hook's to say. */
function adminOf(value: Uint8Array): Login {
  const { username, password, database } = parseDatabaseCredential(Uint8Array.from(value));
  return loginFrom(username === '' ? 'default' : username, password, database);
}

function loginFrom(username: string, password: string, database: string | null): Login {
  if (!plain.test(password)) throw new UsageError('a password has to be printable ASCII characters');
  // What ends a string in the protocol would begin another parameter of the session.
  if (`${username}${database ?? ''}`.includes('\0'))
    throw new UsageError('a user and a database have no character of code 0 in their names');
  return { username, password, database };
}

/** Who changes a password, and of what secret. */
export interface Change {
  readonly admin: string | null;
  readonly secrets: SecretSource;
  /** The secret that is rotated. */
  readonly name: string;
  /** Logins of the user itself, for where there is no administrator: the first that the server takes, since it may be changed already. */
  readonly own: readonly (Login | null)[];
}

/** @throws LoginRefused; AccessDeniedError where there is no login of the user itself */
export async function asAllowed<T>(
  { admin, secrets, name, own }: Change,
  work: (login: Login) => Promise<T>,
): Promise<T> {
  // The administrator's own password is set by itself.
  if (admin === null || admin === name) return asFirst(own, work);
  const value = await secrets(admin);
  try {
    return await work(adminOf(value));
  } finally {
    value.fill(0);
  }
}

async function asFirst<T>(own: readonly (Login | null)[], work: (login: Login) => Promise<T>): Promise<T> {
  const logins = own.filter((login) => login !== null);
  for (const [index, login] of logins.entries()) {
    try {
      return await work(login);
    } catch (error) {
      if (!(error instanceof LoginRefused) || index === logins.length - 1) throw error;
    }
  }
  throw needsOld();
}

export function needsOld(): AccessDeniedError {
  return new AccessDeniedError('it needs the old value, which you may not read');
}

/** What a failed connection comes from: a code of the system, of TLS or of the server; never its text, which could quote a value. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return 'no code';
  const { code } = error;
  // A code that a server sends (SQLSTATE) has five characters; a longer one could be a value.
  const form = 'severity' in error ? /^[A-Z0-9]{5}$/u : /^[A-Z0-9_]{1,64}$/u;
  return typeof code === 'string' && form.test(code) ? code : 'no code';
}
