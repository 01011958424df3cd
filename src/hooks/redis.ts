/**
 * Passwords of Redis users (ACL, Redis 6 and later), of which a user may have several: the new one is added, and the old one goes when it is
 * retired. The server is sent SHA-256 of a password, as it keeps it.
 */
import { SecretsManagerError, UsageError } from '../errors.ts';
import { encodeHex, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { HookInput } from '../exec/hook.ts';
import { withLogin } from '../lifecycle/database-credential.ts';
import { adminOf, codeOf, loginOn, needsOld, serverOf, type Login, type Server } from './database.ts';
import { within } from './deadline.ts';
import { LoginRefused, StepFailure, type RotationHook, type SecretSource } from './rotation-hook.ts';

interface Options {
  readonly settings: ReadonlyMap<string, string>;
  readonly secrets: SecretSource;
  /** Takes what the person should know. */
  readonly warn: (message: string) => void;
}

const usualPort = 6_379;
const connectMs = 10_000;
/** For all of a step. */
const stepMs = 40_000;

/** One command and its answer. */
type Send = (...words: readonly string[]) => Promise<unknown>;

export function redisHook({ settings, secrets, warn }: Options): RotationHook {
  const server = serverOf(settings, 'users', usualPort);
  const now = ({ value }: HookInput): Login => loginOn(server, value);
  const before = ({ old }: HookInput): Login | null => (old === null ? null : loginOn(server, old));
  /** Whether both are one password of one user: taking one away would take the other. */
  const isSame = (one: Login | null, other: Login): boolean =>
    one?.username === other.username && one.password === other.password;

  const change = async (
    sign: '#' | '!',
    of: Login,
    { name }: HookInput,
    own: readonly (Login | null)[],
  ): Promise<void> => {
    const work = async (send: Send): Promise<void> => {
      if (sign === '#') await refuseAnyPassword(send, of.username);
      const hash = encodeHex(await sha256(utf8(of.password)));
      await send('ACL', 'SETUSER', of.username, `${sign}${hash}`).catch((error: unknown) => {
        // Taken away already.
        if (sign !== '!' || !(error instanceof Error) || !/password.* does not exist/iu.test(error.message))
          throw error;
      });
      if (!(await isKept(send)))
        warn('the server keeps the change in memory only: it has no ACL file and no configuration file');
    };
    if (server.admin === null || server.admin === name) {
      await asOne(server, own, work);
      return;
    }
    const value = await secrets(server.admin);
    try {
      await as(server, adminOf(value), work);
    } finally {
      value.fill(0);
    }
  };

  return {
    isReady: true,
    keepsOld: true,
    next: (present, password) => withLogin(present, password, null),
    validate: (old, value) => {
      const login = loginOn(server, value);
      const present = old === null ? null : loginOn(server, old);
      if (present !== null && present.username !== login.username)
        throw new UsageError('the new value is of another user');
      if (isSame(present, login)) throw new UsageError('the new password is the one that is in use');
    },
    steps: {
      apply: async (input) => change('#', now(input), input, [before(input), now(input)]),
      check: async (input) => as(server, now(input), async () => Promise.resolve()),
      undo: async (input) => {
        const old = before(input);
        if (!isSame(old, now(input))) await change('!', now(input), input, [old]);
      },
      retire: async (input) => {
        const old = before(input);
        if (old === null) throw needsOld();
        if (!isSame(old, now(input))) await change('!', old, input, [now(input)]);
      },
    },
  };
}

/** A user that takes any password would get its first one, and with that lose all others. @throws StepFailure */
async function refuseAnyPassword(send: Send, user: string): Promise<void> {
  const reply = await send('ACL', 'GETUSER', user).catch(() => null);
  const flags: unknown = Array.isArray(reply) ? reply[reply.indexOf('flags') + 1] : null;
  if (Array.isArray(flags) && flags.includes('nopass'))
    throw new StepFailure('failed: the user takes any password; set one first', { isUntouched: true });
}

/** Whether the server has written down what changed. */
async function isKept(send: Send): Promise<boolean> {
  for (const words of [
    ['ACL', 'SAVE'],
    ['CONFIG', 'REWRITE'],
  ]) {
    try {
      await send(...words);
      return true;
    } catch {
      // No such file, or not allowed: the next way.
    }
  }
  return false;
}

/** As the user itself, by the first of these that the server takes: it may have been changed already. */
async function asOne(
  server: Server,
  own: readonly (Login | null)[],
  work: (send: Send) => Promise<void>,
): Promise<void> {
  const logins = own.filter((login) => login !== null);
  if (logins.length === 0) throw needsOld();
  for (const [index, login] of logins.entries()) {
    try {
      await as(server, login, work);
      return;
    } catch (error) {
      if (!(error instanceof LoginRefused) || index === logins.length - 1) throw error;
    }
  }
}

async function as(server: Server, login: Login, work: (send: Send) => Promise<void>): Promise<void> {
  const { createClient } = await import('@redis/client');
  const { host, port, tls } = server;
  const common = { reconnectStrategy: false, connectTimeout: connectMs } as const;
  const client = createClient({
    RESP: 2,
    username: login.username,
    password: login.password,
    socket: host.startsWith('/')
      ? { ...common, path: host }
      : tls === null
        ? { ...common, host, port }
        : { ...common, host, port, tls: true, ...tls },
    disableClientInfo: true,
    disableOfflineQueue: true,
  });
  // What breaks while nothing waits for it is no crash: the next command fails.
  client.on('error', () => undefined);
  let isUntouched = true;
  const run = async (): Promise<void> => {
    await client.connect();
    isUntouched = false;
    await work(async (...words) => client.sendCommand([...words]));
  };
  try {
    await within(
      stepMs,
      run(),
      () => {
        client.destroy();
      },
      () => isUntouched,
    );
  } catch (cause) {
    throw failureFrom(cause, isUntouched);
  } finally {
    if (client.isOpen) client.destroy();
  }
}

function failureFrom(cause: unknown, isUntouched: boolean): Error {
  if (cause instanceof SecretsManagerError) return cause;
  const reply = cause instanceof Error ? (/^([A-Z]{3,16})(?: |$)/u.exec(cause.message)?.[1] ?? null) : null;
  if (reply === 'WRONGPASS' || reply === 'NOAUTH') return new LoginRefused(cause);
  return new StepFailure(`failed: the server cannot be used (${reply ?? codeOf(cause)})`, {
    cause,
    isUntouched: isUntouched || reply === 'NOPERM',
  });
}
