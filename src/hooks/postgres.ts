/**
 * Passwords of PostgreSQL roles. The server is sent what it keeps of a password (crypto/scram.ts), so that none stands in a statement, and none
 * in the server's log.
 */
import type { Client } from 'pg';
import { SecretsManagerError, UsageError } from '../errors.ts';
import type { RandomSource } from '../crypto/aead.ts';
import { scramSaltLength, scramVerifier } from '../crypto/scram.ts';
import type { HookInput } from '../exec/hook.ts';
import { withLogin } from '../lifecycle/database-credential.ts';
import { adminOf, codeOf, loginOn, needsOld, serverOf, type Login, type Server } from './database.ts';
import { within } from './deadline.ts';
import { LoginRefused, StepFailure, type RotationHook, type SecretSource } from './rotation-hook.ts';

interface Options {
  readonly settings: ReadonlyMap<string, string>;
  readonly secrets: SecretSource;
  readonly random: RandomSource;
}

const usualPort = 5_432;
const connectMs = 10_000;
const statementMs = 30_000;
/** For all of a step. */
const stepMs = 60_000;
const goodbyeMs = 2_000;

/** Nothing was changed: not allowed (insufficient_privilege), or somebody else is changing the same role (internal_error). */
const untouched: ReadonlySet<string> = new Set(['42501', 'XX000']);

class Postgres {
  readonly server: Server;
  readonly #secrets: SecretSource;
  readonly #random: RandomSource;

  constructor({ settings, secrets, random }: Options) {
    this.server = serverOf(settings, 'roles', usualPort);
    this.#secrets = secrets;
    this.#random = random;
  }

  login(value: Uint8Array): Login {
    return loginOn(this.server, value);
  }

  old({ old }: HookInput): Login | null {
    return old === null ? null : this.login(old);
  }

  async check({ value }: HookInput): Promise<void> {
    await this.#as(this.login(value), async (client) => client.query('select 1'));
  }

  async accepts(login: Login): Promise<boolean> {
    try {
      await this.#as(login, async (client) => client.query('select 1'));
      return true;
    } catch (error) {
      if (error instanceof LoginRefused) return false;
      throw error;
    }
  }

  /** @param own logins of the role itself, for where there is no administrator: the first that the server takes, since it may be changed already */
  async setPassword(
    { name }: HookInput,
    username: string,
    password: string | null,
    own: readonly (Login | null)[],
  ): Promise<void> {
    const work = async (client: Client): Promise<void> => {
      const kept =
        password === null
          ? 'NULL'
          : client.escapeLiteral(await scramVerifier(password, this.#random(scramSaltLength)));
      await client.query(`ALTER ROLE ${client.escapeIdentifier(username)} PASSWORD ${kept}`);
    };
    const { admin } = this.server;
    // The administrator's own password is set by itself.
    if (admin === null || admin === name) await this.#asOne(own, work);
    else {
      const value = await this.#secrets(admin);
      try {
        await this.#as(adminOf(value), work);
      } finally {
        value.fill(0);
      }
    }
  }

  async #asOne(own: readonly (Login | null)[], work: (client: Client) => Promise<void>): Promise<void> {
    const logins = own.filter((login) => login !== null);
    if (logins.length === 0) throw needsOld();
    for (const [index, login] of logins.entries()) {
      try {
        await this.#as(login, work);
        return;
      } catch (error) {
        if (!(error instanceof LoginRefused) || index === logins.length - 1) throw error;
      }
    }
  }

  async #as(login: Login, work: (client: Client) => Promise<unknown>): Promise<void> {
    const { default: pg } = await import('pg');
    const { host, port, tls } = this.server;
    const { username, password, database } = login;
    let asked = false;
    const client = new pg.Client({
      host,
      port,
      database: database ?? username,
      user: username,
      password: () => {
        asked = true;
        return password;
      },
      ssl: tls ?? false,
      connectionTimeoutMillis: connectMs,
      query_timeout: statementMs,
      application_name: 'vault',
    });
    // A connection that breaks while nothing waits for it is no crash: the next statement fails.
    client.on('error', () => undefined);
    const cut = (): void => {
      client.connection.stream.destroy();
    };
    let isUntouched = true;
    const run = async (): Promise<void> => {
      await client.connect();
      // Who is let in without one proves nothing, and is not who was meant.
      if (!asked) throw new StepFailure('failed: the server asks for no password', { isUntouched });
      isUntouched = false;
      await work(client);
    };
    try {
      await within(stepMs, run(), cut, () => isUntouched);
    } catch (cause) {
      throw failureFrom(cause, isUntouched);
    } finally {
      await within(goodbyeMs, client.end(), cut).catch(() => undefined);
    }
  }
}

function failureFrom(cause: unknown, isUntouched: boolean): Error {
  if (cause instanceof SecretsManagerError) return cause;
  const code = codeOf(cause);
  // SQLSTATE of class 28: invalid authorization.
  if (code.startsWith('28')) return new LoginRefused(cause);
  return new StepFailure(`failed: the server cannot be used (${code})`, {
    cause,
    isUntouched: isUntouched || untouched.has(code),
  });
}

/** Roles whose passwords change at once: whoever logs in by an old one fails from then on. */
export function postgresHook(options: Options): RotationHook {
  const postgres = new Postgres(options);
  return {
    isReady: true,
    keepsOld: false,
    next: (present, password) => withLogin(present, password, null),
    validate: (old, value) => {
      const now = postgres.login(value);
      if (old !== null && postgres.login(old).username !== now.username)
        throw new UsageError('the new value is of another role');
    },
    steps: {
      apply: async (input) => {
        const now = postgres.login(input.value);
        await postgres.setPassword(input, now.username, now.password, [postgres.old(input), now]);
      },
      check: async (input) => postgres.check(input),
      undo: async (input) => {
        const old = postgres.old(input);
        if (old === null) throw needsOld();
        await postgres.setPassword(input, old.username, old.password, [postgres.login(input.value), old]);
      },
    },
  };
}

/** Two roles in turn: the one that is not in use gets the new password, so that no login ever fails. */
export function alternatingPostgresHook(options: Options): RotationHook {
  const postgres = new Postgres(options);
  const [first = '', second = ''] = postgres.server.users;
  /** The one in use is never touched. */
  const other = (input: HookInput): Login => {
    const login = postgres.login(input.value);
    if (login.username === postgres.old(input)?.username)
      throw new UsageError('the new value is of the role that is in use');
    return login;
  };
  return {
    isReady: true,
    keepsOld: true,
    next: (present, password) =>
      withLogin(present, password, postgres.login(present).username === first ? second : first),
    validate: (old, value) => {
      other({ name: '', environment: '', old, value });
    },
    steps: {
      apply: async (input) => {
        const { username, password } = other(input);
        await postgres.setPassword(input, username, password, []);
      },
      check: async (input) => postgres.check(input),
      // The other role is in use, and stays as it is.
      undo: async (input) => postgres.setPassword(input, other(input).username, null, []),
      retire: async (input) => {
        other(input);
        const old = postgres.old(input);
        if (old === null) throw needsOld();
        // Where it does not log in, it was let go already, and what the role has by now is somebody else's.
        if (await postgres.accepts(old)) await postgres.setPassword(input, old.username, null, []);
      },
    },
  };
}
