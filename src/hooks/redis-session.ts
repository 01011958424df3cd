/** A session at Redis: one login, and one change of a user (ACL). An answer counts only if it is the one that the command has. */
import { codeOf } from './database.ts';
import { LoginRefused, StepFailure } from './rotation-hook.ts';
import type { Done, RedisJob } from './session.ts';
import { connectionOptions } from './tls.ts';

const connectMs = 10_000;

/** One command and its answer. */
type Send = (...words: readonly string[]) => Promise<unknown>;

/** @param sending called before what changes something is sent. @throws StepFailure */
export async function workAtRedis({ address, login, change }: RedisJob, sending: () => void): Promise<Done> {
  const { createClient } = await import('@redis/client');
  const { host, port, tls } = address;
  const common = { reconnectStrategy: false, connectTimeout: connectMs } as const;
  const client = createClient({
    RESP: 2,
    socket: host.startsWith('/')
      ? { ...common, path: host }
      : tls === null
        ? { ...common, host, port }
        : { ...common, host, port, tls: true, ...connectionOptions(host, tls) },
    disableClientInfo: true,
    disableOfflineQueue: true,
  });
  // What breaks while nothing waits for it is no crash: the next command fails.
  client.on('error', () => undefined);
  const send: Send = async (...words) => client.sendCommand([...words]);
  let isUntouched = true;
  try {
    await client.connect();
    // By ourselves: the client takes anything but an error for success.
    await mustBeOk(send('AUTH', login.username, login.password));
    await seeWhoWeAre(send, login.username);
    if (change === null) return { isKept: true };
    const { sign, user, hash } = change;
    if (sign === '#') await refuseOthers(send, user);
    sending();
    isUntouched = false;
    await mustBeOk(send('ACL', 'SETUSER', user, `${sign}${hash}`)).catch((error: unknown) => {
      // Taken away already.
      if (sign !== '!' || !(error instanceof Error) || !/password.* does not exist/iu.test(error.message))
        throw error;
    });
    return { isKept: await isKept(send) };
  } catch (cause) {
    throw cause instanceof NotOk ? nonsense(isUntouched) : failureFrom(cause, isUntouched);
  } finally {
    if (client.isOpen) client.destroy();
  }
}

class NotOk extends Error {}

async function mustBeOk(reply: Promise<unknown>): Promise<void> {
  if ((await reply) !== 'OK') throw new NotOk();
}

const nonsense = (isUntouched: boolean): StepFailure =>
  new StepFailure('failed: the server did not answer what was asked', { isUntouched });

/** Where a user may not ask that, their login counts. @throws NotOk */
async function seeWhoWeAre(send: Send, user: string): Promise<void> {
  const name = await send('ACL', 'WHOAMI').catch((error: unknown) => {
    if (codeIn(error) === 'NOPERM') return user;
    throw error;
  });
  if (name !== user) throw new NotOk();
}

/**
 * A user that takes any password would get its first one, and with that lose all others; one that there is not would be made.
 * @throws StepFailure
 */
async function refuseOthers(send: Send, user: string): Promise<void> {
  // Who may not ask goes on.
  const reply = await send('ACL', 'GETUSER', user).catch(() => undefined);
  if (reply === null) throw new StepFailure('failed: there is no such user', { isUntouched: true });
  const flags: unknown = Array.isArray(reply) ? reply[reply.indexOf('flags') + 1] : null;
  if (Array.isArray(flags) && flags.includes('nopass'))
    throw new StepFailure('failed: the user takes any password; set one first', { isUntouched: true });
}

/** Whether the server has written down what changed. Where it has a file for users, its configuration has none of them. */
async function isKept(send: Send): Promise<boolean> {
  try {
    await mustBeOk(send('ACL', 'SAVE'));
    return true;
  } catch (error) {
    if (!(error instanceof Error) || !/not configured to use an ACL file/iu.test(error.message)) return false;
  }
  try {
    await mustBeOk(send('CONFIG', 'REWRITE'));
    return true;
  } catch {
    return false;
  }
}

/** What an error begins with, of what Redis itself says: anything else could be a value that a server sends back. */
function codeIn(error: unknown): string | null {
  const known =
    /^(?:WRONGPASS|NOAUTH|NOPERM|ERR|LOADING|READONLY|MASTERDOWN|OOM|MISCONF|BUSY|DENIED)(?= |$)/u;
  return error instanceof Error ? (known.exec(error.message)?.[0] ?? null) : null;
}

function failureFrom(cause: unknown, isUntouched: boolean): StepFailure {
  if (cause instanceof StepFailure) return cause;
  const code = codeIn(cause);
  if (isUntouched && (code === 'WRONGPASS' || code === 'NOAUTH')) return new LoginRefused(cause);
  return new StepFailure(`failed: the server cannot be used (${code ?? codeOf(cause)})`, {
    cause,
    isUntouched: isUntouched || code === 'NOPERM',
  });
}
