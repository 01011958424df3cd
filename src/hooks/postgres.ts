/**
 * Passwords of PostgreSQL roles. The server is sent what it keeps of a password (crypto/scram.ts), so that none stands in a statement, and none
 * in the server's log.
 */
import type { Client } from 'pg';
import { SecretsManagerError, UsageError } from '../errors.ts';
import type { RandomSource } from '../crypto/aead.ts';
import { isPlainPassword, scramSaltLength, scramVerifier } from '../crypto/scram.ts';
import type { HookInput } from '../exec/hook.ts';
import { codeOf, isLocal, loginOf, needsOld, tlsOf, withLogin, type Login } from './database.ts';
import { LoginRefused, StepFailure, type RotationHook, type SecretSource } from './rotation-hook.ts';

interface Options {
  /** Name of a secret: who sets passwords; `null` for the role itself. */
  readonly admin: string | null;
  readonly secrets: SecretSource;
  readonly random: RandomSource;
}

const connectMs = 10_000;
const statementMs = 30_000;

/** One role, whose password changes at once: whoever logs in by the old one fails from then on. */
export function postgresHook(options: Options): RotationHook {
  const set = async (to: Login, before: Login | null): Promise<void> =>
    withAdmin(options, [before, to], async (client) =>
      setPassword(client, to.username, to.password, options.random),
    );
  return {
    next: (present, password) => withLogin(present, password, null),
    endsPrevious: false,
    steps: {
      apply: async (input) => set(newLogin(input), oldLogin(input)),
      check: async (input) => as(newLogin(input), async (client) => client.query('select 1')),
      undo: async (input) => {
        const old = oldLogin(input);
        if (old === null) throw needsOld();
        await set(old, newLogin(input));
      },
    },
  };
}

/** Two roles in turn: the one that is not in use gets the new password, so that no login ever fails. */
export function alternatingPostgresHook(
  roles: string,
  options: Options & { readonly admin: string },
): RotationHook {
  const [first, second, ...more] = roles.split(',').map((role) => role.trim());
  if (first === undefined || second === undefined || more.length > 0 || first === '' || second === '')
    throw new UsageError('roles of the hook are two, with a comma');
  if (first === second) throw new UsageError('roles of the hook are the same one twice');
  const set = async (username: string, password: string | null): Promise<void> =>
    withAdmin(options, [], async (client) => setPassword(client, username, password, options.random));
  return {
    next: (present, password) =>
      withLogin(present, password, loginOf(present).username === first ? second : first),
    endsPrevious: true,
    steps: {
      apply: async (input) => {
        const { username, password } = newLogin(input);
        if (username === oldLogin(input)?.username)
          throw new UsageError('the new value is of the role that is in use');
        await set(username, password);
      },
      check: async (input) => as(newLogin(input), async (client) => client.query('select 1')),
      // The other role is in use, and stays as it is.
      undo: async (input) => set(newLogin(input).username, null),
      retire: async (input) => {
        const old = oldLogin(input);
        if (old !== null && old.username !== newLogin(input).username) await set(old.username, null);
      },
    },
  };
}

const newLogin = ({ value }: HookInput): Login => loginOf(Uint8Array.from(value));
const oldLogin = ({ old }: HookInput): Login | null => (old === null ? null : loginOf(Uint8Array.from(old)));

/** As the administrator; without one as the role itself, by the first of these that the server takes: it may have been changed already. */
async function withAdmin(
  { admin, secrets }: Options,
  own: readonly (Login | null)[],
  work: (client: Client) => Promise<unknown>,
): Promise<void> {
  if (admin !== null) {
    const value = await secrets(admin);
    try {
      await as(loginOf(value), work);
    } finally {
      value.fill(0);
    }
    return;
  }
  const [first, ...others] = own.filter((login) => login !== null);
  if (first === undefined) throw needsOld();
  try {
    await as(first, work);
  } catch (error) {
    const [second] = others;
    if (second === undefined || !(error instanceof LoginRefused)) throw error;
    await as(second, work);
  }
}

async function setPassword(
  client: Client,
  username: string,
  password: string | null,
  random: RandomSource,
): Promise<void> {
  const kept =
    password === null
      ? 'NULL'
      : client.escapeLiteral(
          isPlainPassword(password) ? await scramVerifier(password, random(scramSaltLength)) : password,
        );
  await client.query(`ALTER ROLE ${client.escapeIdentifier(username)} PASSWORD ${kept}`);
}

async function as(login: Login, work: (client: Client) => Promise<unknown>): Promise<void> {
  const { default: pg } = await import('pg');
  const { host, port, database, username, password } = login;
  if (password === '') throw new UsageError('the credential has no password');
  const mode = login.options.get('sslmode') ?? (isLocal(host) ? 'disable' : 'verify-full');
  const client = new pg.Client({
    host,
    port: port ?? 5_432,
    database: database ?? username,
    user: username,
    password,
    ssl: tlsOf(host, mode, login.options.get('sslrootcert')) ?? false,
    connectionTimeoutMillis: connectMs,
    query_timeout: statementMs,
    application_name: 'vault',
  });
  // A connection that breaks while nothing waits for it is no crash: the next statement fails.
  client.on('error', () => undefined);
  let isUntouched = true;
  try {
    await client.connect();
    isUntouched = false;
    await work(client);
  } catch (cause) {
    throw failureFrom(cause, isUntouched);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function failureFrom(cause: unknown, isUntouched: boolean): Error {
  if (cause instanceof SecretsManagerError) return cause;
  const code = codeOf(cause);
  // SQLSTATE of class 28: invalid authorization.
  if (code.startsWith('28')) return new LoginRefused(cause);
  return new StepFailure(`failed: the server cannot be used (${code})`, { cause, isUntouched });
}
