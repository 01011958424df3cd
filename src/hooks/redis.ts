/**
 * Passwords of Redis users (ACL, Redis 6 and later), of which a user may have several: the new one is added, and the old one goes when it is
 * retired. The server is sent SHA-256 of a password, as it keeps it.
 */
import { UsageError } from '../errors.ts';
import { encodeHex, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { HookInput } from '../exec/hook.ts';
import { withLogin } from '../lifecycle/database-credential.ts';
import { asAllowed, loginOn, needsOld, serverOf, usesOf } from './database.ts';
import type { RotationHook, SecretSource } from './rotation-hook.ts';
import type { Done, Login, RedisJob, Session } from './session.ts';

interface Options {
  readonly settings: ReadonlyMap<string, string>;
  readonly secrets: SecretSource;
  /** Takes what the person should know. */
  readonly warn: (message: string) => void;
  readonly session: Session;
}

const usualPort = 6_379;

export function redisHook({ settings, secrets, warn, session }: Options): RotationHook {
  const server = serverOf(settings, 'users', usualPort);
  const { address, admin } = server;
  const now = ({ value }: HookInput): Login => loginOn(server, value);
  const before = ({ old }: HookInput): Login | null => (old === null ? null : loginOn(server, old));
  /** Whether both are one password of one user: taking one away would take the other. */
  const isSame = (one: Login | null, other: Login): boolean =>
    one?.username === other.username && one.password === other.password;
  const as = async (login: Login, change: RedisJob['change']): Promise<Done> =>
    session({ server: 'redis', address, login, change });

  const change = async (
    sign: '#' | '!',
    of: Login,
    { name }: HookInput,
    own: readonly (Login | null)[],
  ): Promise<void> => {
    const hash = encodeHex(await sha256(utf8(of.password)));
    const { isKept } = await asAllowed({ admin, secrets, name, own }, async (login) =>
      as(login, { sign, user: of.username, hash }),
    );
    if (!isKept)
      warn('the server keeps the change in memory only: it has no ACL file and no configuration file');
  };

  return {
    isReady: true,
    keepsOld: true,
    next: (present, password) => withLogin(present, password, null),
    uses: usesOf(server),
    validate: ({ old, value }) => {
      const login = loginOn(server, value);
      const present = old === null ? null : loginOn(server, old);
      if (present !== null && present.username !== login.username)
        throw new UsageError('the new value is of another user');
      if (isSame(present, login)) throw new UsageError('the new password is the one that is in use');
    },
    steps: {
      apply: async (input) => change('#', now(input), input, [before(input), now(input)]),
      check: async (input) => {
        await as(now(input), null);
      },
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
