/**
 * Passwords of Redis users (ACL, Redis 6 and later), of which a user may have several: the new one is added, and the old one goes when it is
 * retired. The server is sent SHA-256 of a password, as it keeps it.
 */
import { SecretsManagerError, UsageError } from '../errors.ts';
import { encodeHex, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { HookInput } from '../exec/hook.ts';
import { codeOf, isLocal, loginOf, needsOld, tlsOf, withLogin, type Login } from './database.ts';
import { LoginRefused, StepFailure, type RotationHook, type SecretSource } from './rotation-hook.ts';

interface Options {
  /** Name of a secret: who sets passwords; `null` for the user itself. */
  readonly admin: string | null;
  /** Whether a server on another host is spoken to without TLS. */
  readonly plain: boolean;
  readonly secrets: SecretSource;
  /** Takes what the person should know. */
  readonly warn: (message: string) => void;
}

const connectMs = 10_000;
const usualPort = 6_379;

/** A connection that takes one command at a time. */
type Send = (...words: readonly string[]) => Promise<unknown>;

export function redisHook(options: Options): RotationHook {
  const change = async (sign: '#' | '!', of: Login, own: readonly (Login | null)[]): Promise<void> =>
    withAdmin(options, own, async (send) => {
      const hash = encodeHex(await sha256(utf8(of.password)));
      await send('ACL', 'SETUSER', userOf(of), `${sign}${hash}`).catch((error: unknown) => {
        // Taken away already.
        if (sign !== '!' || !(error instanceof Error) || !error.message.includes('no such password'))
          throw error;
      });
      if (!(await isKept(send)))
        options.warn(
          'the server keeps the change in memory only: it has no ACL file and no configuration file',
        );
    });
  return {
    next: (present, password) => withLogin(present, password, null),
    endsPrevious: false,
    steps: {
      apply: async (input) => change('#', newLogin(input), [oldLogin(input), newLogin(input)]),
      check: async (input) => as(options, newLogin(input), async () => Promise.resolve()),
      undo: async (input) => change('!', newLogin(input), [oldLogin(input)]),
      retire: async (input) => {
        const old = oldLogin(input);
        const now = newLogin(input);
        if (old === null) throw needsOld();
        if (old.password !== now.password || userOf(old) !== userOf(now)) await change('!', old, [now]);
      },
    },
  };
}

const newLogin = ({ value }: HookInput): Login => loginOf(Uint8Array.from(value));
const oldLogin = ({ old }: HookInput): Login | null => (old === null ? null : loginOf(Uint8Array.from(old)));
const userOf = ({ username }: Login): string => (username === '' ? 'default' : username);

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

/** As the administrator; without one as the user itself, by the first of these that the server takes. */
async function withAdmin(
  options: Options,
  own: readonly (Login | null)[],
  work: (send: Send) => Promise<void>,
): Promise<void> {
  if (options.admin !== null) {
    const value = await options.secrets(options.admin);
    try {
      await as(options, loginOf(value), work);
    } finally {
      value.fill(0);
    }
    return;
  }
  const logins = own.filter((login) => login !== null);
  if (logins.length === 0) throw needsOld();
  for (const [index, login] of logins.entries()) {
    try {
      await as(options, login, work);
      return;
    } catch (error) {
      if (!(error instanceof LoginRefused) || index === logins.length - 1) throw error;
    }
  }
}

async function as(options: Options, login: Login, work: (send: Send) => Promise<void>): Promise<void> {
  const { createClient } = await import('@redis/client');
  const { host, port, username, password } = login;
  if (password === '') throw new UsageError('the credential has no password');
  const client = createClient({
    RESP: 2,
    ...(username === '' ? {} : { username }),
    password,
    socket: socketOf(options, login, host, port ?? usualPort),
    disableClientInfo: true,
    disableOfflineQueue: true,
  });
  // What breaks while nothing waits for it is no crash: the next command fails.
  client.on('error', () => undefined);
  let isUntouched = true;
  try {
    await client.connect();
    isUntouched = false;
    await work(async (...words) => client.sendCommand([...words]));
  } catch (cause) {
    throw failureFrom(cause, isUntouched);
  } finally {
    client.destroy();
  }
}

function socketOf({ plain }: Options, login: Login, host: string, port: number): object {
  const common = { reconnectStrategy: false, connectTimeout: connectMs };
  if (host.startsWith('/')) return { ...common, path: host };
  const mode =
    login.options.get('sslmode') ?? (login.engine?.toLowerCase() === 'rediss' ? 'verify-full' : 'disable');
  const tls = tlsOf(host, mode, login.options.get('sslrootcert'));
  if (tls !== null) return { ...common, host, port, tls: true, ...tls };
  if (!isLocal(host) && !plain) {
    throw new UsageError('a password is not sent to another host without TLS', {
      hint: 'engine `rediss`, or the setting `plain=yes`',
    });
  }
  return { ...common, host, port };
}

function failureFrom(cause: unknown, isUntouched: boolean): Error {
  if (cause instanceof SecretsManagerError) return cause;
  const reply = cause instanceof Error ? (/^([A-Z]{3,16})(?: |$)/u.exec(cause.message)?.[1] ?? null) : null;
  if (reply === 'WRONGPASS' || reply === 'NOAUTH') return new LoginRefused(cause);
  return new StepFailure(`failed: the server cannot be used (${reply ?? codeOf(cause)})`, {
    cause,
    isUntouched,
  });
}
