/**
 * Passwords of PostgreSQL roles. The server is sent what it keeps of a password (crypto/scram.ts), so that none stands in a statement, and none
 * in the server's log.
 */
import { UsageError } from '../errors.ts';
import type { RandomSource } from '../crypto/aead.ts';
import { scramSaltLength, scramVerifier } from '../crypto/scram.ts';
import type { HookInput } from '../exec/hook.ts';
import { withLogin } from '../lifecycle/database-credential.ts';
import { asAllowed, loginOn, needsOld, serverOf, usesOf, type Server } from './database.ts';
import { LoginRefused, type ProposedChange, type RotationHook, type SecretSource } from './rotation-hook.ts';
import type { Login, PostgresJob, Session } from './session.ts';

interface Options {
  readonly settings: ReadonlyMap<string, string>;
  readonly secrets: SecretSource;
  readonly random: RandomSource;
  readonly session: Session;
}

const usualPort = 5_432;

class Postgres {
  readonly server: Server;
  readonly #secrets: SecretSource;
  readonly #random: RandomSource;
  readonly #session: Session;

  constructor({ settings, secrets, random, session }: Options) {
    this.server = serverOf(settings, 'roles', usualPort);
    this.#secrets = secrets;
    this.#random = random;
    this.#session = session;
  }

  login(value: Uint8Array): Login {
    return loginOn(this.server, value);
  }

  old({ old }: ProposedChange): Login | null {
    return old === null ? null : this.login(old);
  }

  async check({ value }: HookInput): Promise<void> {
    await this.#as(this.login(value), null);
  }

  async accepts(login: Login): Promise<boolean> {
    try {
      await this.#as(login, null);
      return true;
    } catch (error) {
      if (error instanceof LoginRefused) return false;
      throw error;
    }
  }

  async setPassword(
    { name }: HookInput,
    role: string,
    password: string | null,
    own: readonly (Login | null)[],
  ): Promise<void> {
    const verifier = password === null ? null : await scramVerifier(password, this.#random(scramSaltLength));
    const { admin } = this.server;
    await asAllowed({ admin, secrets: this.#secrets, name, own }, async (login) =>
      this.#as(login, { role, verifier }),
    );
  }

  async #as(login: Login, change: PostgresJob['change']): Promise<void> {
    await this.#session({ server: 'postgres', address: this.server.address, login, change });
  }
}

/** Roles whose passwords change at once: whoever logs in by an old one fails from then on. */
export function postgresHook(options: Options): RotationHook {
  const postgres = new Postgres(options);
  return {
    isReady: true,
    keepsOld: false,
    next: (present, password) => withLogin(present, password, null),
    uses: usesOf(postgres.server),
    validate: ({ old, value }) => {
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
  const other = (input: ProposedChange): Login => {
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
    uses: usesOf(postgres.server),
    validate: (change) => {
      other(change);
      // Its role would be another one with each rotation.
      if (change.name === postgres.server.admin)
        throw new UsageError(
          'the secret is the admin of its own hook; postgres-alternating needs another one',
        );
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
