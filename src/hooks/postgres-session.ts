/** A session at PostgreSQL: one login, and one statement. The server has to show who it is, by TLS or by knowing the password (RFC 5802). */
import type { Client } from 'pg';
import { codeOf } from './database.ts';
import { LoginRefused, StepFailure } from './rotation-hook.ts';
import type { Done, PostgresJob } from './session.ts';
import { connectionOptions, isProven } from './tls.ts';

const connectMs = 10_000;

/** Nothing was changed: not allowed (insufficient_privilege), or somebody else is changing the same role. */
const isRefusal = (code: string, cause: unknown): boolean =>
  code === '42501' ||
  (code === 'XX000' &&
    cause instanceof Error &&
    'routine' in cause &&
    cause.routine === 'simple_heap_update');

/** @param sending called before what changes something is sent. @throws StepFailure */
export async function workAtPostgres(
  { address, login, change }: PostgresJob,
  sending: () => void,
): Promise<Done> {
  const { default: pg } = await import('pg');
  const { host, port, tls } = address;
  const client = new pg.Client({
    host,
    port,
    database: login.database ?? login.username,
    user: login.username,
    // A function: where there is none, nobody looks for one in a file.
    password: () => login.password,
    ssl: tls === null ? false : connectionOptions(host, tls),
    // Who stands between two TLS connections cannot pass on one's login at the other (RFC 5929 section 4).
    enableChannelBinding: tls !== null,
    connectionTimeoutMillis: connectMs,
    application_name: 'vault',
  });
  // A connection that breaks while nothing waits for it is no crash: the next statement fails.
  client.on('error', () => undefined);
  const proof = new ServerProof(client, isProven(tls));
  let isUntouched = true;
  try {
    await client.connect();
    proof.require();
    if (change === null) {
      const { rows } = await client.query<{ one?: unknown }>('select 1 as one');
      if (rows.length !== 1 || rows[0]?.one !== 1) throw nonsense();
    } else {
      const { role, verifier } = change;
      const kept = verifier === null ? 'NULL' : client.escapeLiteral(verifier);
      sending();
      isUntouched = false;
      const { command } = await client.query(`ALTER ROLE ${client.escapeIdentifier(role)} PASSWORD ${kept}`);
      if (command !== 'ALTER') throw nonsense();
    }
    return { isKept: true };
  } catch (cause) {
    throw cause instanceof StepFailure ? cause : (proof.problem ?? failureFrom(cause, isUntouched));
  } finally {
    client.end().catch(() => undefined);
  }
}

const nonsense = (): StepFailure => new StepFailure('failed: the server did not answer what was asked');

/** What the server has shown of itself by the time that it lets somebody in. */
class ServerProof {
  /** Why nothing is said to it. */
  problem: StepFailure | null = null;
  #asks = false;
  #hasProven = false;

  /** @param byTls whether it has shown who it is before */
  constructor(client: Client, byTls: boolean) {
    // Before the client's own listeners, which answer.
    const { connection } = client;
    for (const request of ['authenticationCleartextPassword', 'authenticationMD5Password'])
      connection.on(request, () => {
        this.#asks = true;
        this.#hasProven = byTls;
        if (byTls) return;
        this.problem = unsaid('asks for the password itself, and no TLS proves who it is');
        connection.stream.destroy();
      });
    connection.on('authenticationSASL', () => {
      this.#asks = true;
      this.#hasProven = false;
    });
    // The client compares the signature, and does not connect if it is wrong; that it has not come is nothing to it.
    connection.on('authenticationSASLFinal', () => {
      this.#hasProven = true;
    });
  }

  /** Who is let in without a password proves nothing, and is not who was meant. @throws StepFailure */
  require(): void {
    if (!this.#asks) throw unsaid('asks for no password');
    if (!this.#hasProven) throw unsaid('does not prove that it knows the password');
  }
}

const unsaid = (why: string): StepFailure =>
  new StepFailure(`failed: the server ${why}`, { isUntouched: true });

function failureFrom(cause: unknown, isUntouched: boolean): StepFailure {
  const code = codeOf(cause);
  // SQLSTATE of class 28: invalid authorization.
  if (isUntouched && code.startsWith('28')) return new LoginRefused(cause);
  return new StepFailure(`failed: the server cannot be used (${code})`, {
    cause,
    isUntouched: isUntouched || isRefusal(code, cause),
  });
}
