/** Servers that mean harm, or nonsense: what they send ends a step, and nothing else; and whether it may have changed something is told right. */
import type { Socket } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { scramVerifier } from '../../../src/crypto/scram.ts';
import { StepFailure } from '../../../src/hooks/rotation-hook.ts';
import { sessionsOf, type Done, type Session } from '../../../src/hooks/session.ts';
import { authentication, FakePostgres, message } from '../../support/fake-postgres.ts';
import { FakeRedis } from '../../support/fake-redis.ts';

const password = 'correct horse battery';
const verifier = await scramVerifier('another password', new Uint8Array(16));
const self = [process.execPath, path.resolve(import.meta.dirname, '../../../bin/vault.ts')];
/** The time is never over, unless a test says so. */
let timeIsOver = (): void => undefined;
const session: Session = sessionsOf({
  self,
  environment: process.env,
  keeper: null,
  after: (_, act) => {
    timeIsOver = act;
    return () => undefined;
  },
});

interface Failed {
  readonly message: string;
  readonly isUntouched: boolean;
}

async function failureOf(work: Promise<Done>): Promise<Failed> {
  const error = await work.then(
    () => null,
    (failure: unknown) => failure,
  );
  if (!(error instanceof StepFailure)) throw new Error('it did not fail as a step does', { cause: error });
  expect(error.message).not.toContain(password);
  return { message: error.message, isUntouched: error.isUntouched };
}

const login = (username: string) => ({ username, password, database: null });
const address = (port: number) => ({ host: '127.0.0.1', port, tls: null, limitMs: 600_000 });

const forEver = (bytes: Buffer | string) => (socket: Socket) => {
  // As much as the other side takes.
  const more = (): void => {
    while (socket.writable && socket.write(bytes));
  };
  socket.on('drain', more);
  more();
};
const send = (bytes: Buffer | string) => (socket: Socket) => socket.write(bytes);
const thenTimeIsOver = (bytes: Buffer | string) => (socket: Socket) => {
  socket.write(bytes, () => {
    timeIsOver();
  });
};

const unterminated = message('E', 'SFATAL');
const brokeOff = 'failed: its client broke off at what the server sent';
const tooLate = 'failed: no answer in time';
const beyond = 'failed: the server cannot be used (PROTOCOL)';
const unusable = 'failed: the server cannot be used (no code)';
const nonsense = 'failed: the server did not answer what was asked';

describe('PostgreSQL', () => {
  let server: FakePostgres;
  const work = async (changes = true): Promise<Done> =>
    session({
      server: 'postgres',
      address: address(server.port),
      login: login('app'),
      change: changes ? { role: 'app', verifier } : null,
    });

  beforeEach(async () => {
    server = await FakePostgres.start(password);
  });
  afterEach(() => {
    server.stop();
  });

  test('one that does what is right', async () => {
    expect(await work(false)).toMatchObject({ isKept: true });
    expect(await work()).toMatchObject({ isKept: true });
    expect(server.statements.at(-1)).toMatch(/^ALTER ROLE "app" PASSWORD/u);
    // The password is another one now.
    expect(await failureOf(work())).toEqual({ message: 'failed: the login was refused', isUntouched: true });
  });

  const lies: readonly (readonly [string, Buffer, string])[] = [
    ['no length', authentication(0).subarray(0, 1), tooLate],
    ['an error without an end', unterminated, tooLate],
    ['a request for nothing', message('R'), brokeOff],
    ['a row of less than no columns', message('D', '\u00ff\u00ff'), brokeOff],
    ['a version', message('v', '\0\u0003\0\u0002\0\0\0\0'), unusable],
    [
      'no request for a password',
      Buffer.concat([authentication(0), message('Z', 'I')]),
      'failed: the server asks for no password',
    ],
  ];
  test.each(lies)('sends %s', async (_, bytes, expected) => {
    server.instead.startup = expected === tooLate ? thenTimeIsOver(bytes) : send(bytes);
    expect(await failureOf(work())).toEqual({ message: expected, isUntouched: true });
  });

  const floods: readonly (readonly [string, Buffer])[] = [
    [
      'one message of gigabytes',
      Buffer.concat([Buffer.from('S\u007f\u00ff\u00ff\u00ff', 'latin1'), Buffer.alloc(60_000)]),
    ],
    ['notices', message('N', 'SNOTICE\0Mhello\0\0')],
  ];
  test.each(floods)('sends %s for ever', async (_, bytes) => {
    server.instead.startup = forEver(bytes);
    expect(await failureOf(work())).toEqual({ message: beyond, isUntouched: true });
  });

  test('asks for two thousand million rounds of work', async () => {
    server.instead.nonce = (socket) => {
      const nonce = /r=(.*)$/su.exec(server.received)?.[1] ?? '';
      socket.write(authentication(11, `r=${nonce}x,s=c2FsdA==,i=2147483647`));
    };
    expect(await failureOf(work())).toEqual({ message: unusable, isUntouched: true });
  });

  const asking = 'failed: the server asks for the password itself, and no TLS proves who it is';
  const requests: readonly (readonly [string, Buffer])[] = [
    ['the password', authentication(3)],
    ['its MD5', authentication(5, 'salt')],
  ];
  test.each(requests)('asks for %s, and is not told', async (_, request) => {
    server.instead.startup = send(request);
    expect(await failureOf(work())).toEqual({ message: asking, isUntouched: true });
    // After it has asked for what proves something, too.
    server.instead = { nonce: send(request) };
    expect(await failureOf(work())).toEqual({ message: asking, isUntouched: true });
    expect(server.received).not.toMatch(/correct horse|md5/u);
  });

  test('lets in without knowing the password', async () => {
    server.instead.proof = send(Buffer.concat([authentication(0), message('Z', 'I')]));
    const expected = 'failed: the server does not prove that it knows the password';
    expect(await failureOf(work())).toEqual({ message: expected, isUntouched: true });
    server.instead.proof = send(
      Buffer.concat([authentication(12, 'v=c2VydmVy'), authentication(0), message('Z', 'I')]),
    );
    expect(await failureOf(work())).toEqual({ message: unusable, isUntouched: true });
    expect(server.statements).toEqual([]);
  });

  const answers: readonly (readonly [string, (socket: Socket) => unknown, string])[] = [
    ['an error without an end', thenTimeIsOver(unterminated), tooLate],
    ['a request for nothing', send(message('R')), brokeOff],
    ['rows for ever', forEver(message('D', '\0\0')), beyond],
    ['nothing', (socket) => socket.destroy(), unusable],
    [
      'a code that could be a value',
      send(Buffer.concat([message('E', 'SERROR\0CSTOLEN_PASSWORD\0Mno\0\0'), message('Z', 'I')])),
      unusable,
    ],
    ['what is no answer', send(Buffer.concat([message('C', 'SELECT 1\0'), message('Z', 'I')])), nonsense],
  ];
  test.each(answers)('answers a statement with %s: it may have done it', async (_, answer, expected) => {
    server.instead.statement = answer;
    expect(await failureOf(work())).toEqual({ message: expected, isUntouched: false });
    expect(server.statements).toHaveLength(1);
  });

  test('answers a check without an answer', async () => {
    server.instead.statement = send(Buffer.concat([message('C', 'SELECT 0\0'), message('Z', 'I')]));
    expect(await failureOf(work(false))).toMatchObject({ message: nonsense });
  });
});

describe('Redis', () => {
  let server: FakeRedis;
  const work = async (sign: '#' | '!' | null = '#'): Promise<Done> =>
    session({
      server: 'redis',
      address: address(server.port),
      login: login('default'),
      change: sign === null ? null : { sign, user: 'default', hash: 'ab'.repeat(32) },
    });

  beforeEach(async () => {
    server = await FakeRedis.start();
  });
  afterEach(() => {
    server.stop();
  });

  test('one that does what is right', async () => {
    expect(await work()).toMatchObject({ isKept: true });
    expect(server.commands).toContain(`ACL SETUSER default #${'ab'.repeat(32)}`);
    server.instead = {
      'ACL SETUSER':
        '-ERR Error in ACL SETUSER: The password you are trying to remove from the user does not exist\r\n',
    };
    expect(await work('!')).toMatchObject({ isKept: true });
  });

  test('a user who may not ask who it is', async () => {
    server.instead = {
      'ACL WHOAMI': "-NOPERM User default has no permissions to run the 'acl|whoami' command\r\n",
    };
    expect(await work(null)).toMatchObject({ isKept: true });
  });

  const logins: readonly (readonly [string, string, string, string])[] = [
    ['PONG', 'AUTH', '+PONG\r\n', nonsense],
    ['a number', 'AUTH', ':1\r\n', nonsense],
    ['nothing', 'AUTH', '$-1\r\n', nonsense],
    ['a list', 'AUTH', '*1\r\n$2\r\nOK\r\n', nonsense],
    ['a refusal', 'AUTH', '-WRONGPASS no\r\n', 'failed: the login was refused'],
    ['the password', 'AUTH', '-CORRECT horse battery\r\n', unusable],
    ['another user', 'ACL WHOAMI', '$5\r\nother\r\n', nonsense],
    ['no user', 'ACL WHOAMI', '*0\r\n', nonsense],
    ['arrays in arrays', 'AUTH', '*1\r\n'.repeat(100_000), beyond],
    ['room for two thousand million', 'AUTH', '*2147483647\r\n', beyond],
    ['a string of gigabytes', 'AUTH', `$4294967296\r\n${'x'.repeat(1_000)}`, beyond],
    ['another protocol', 'AUTH', 'HTTP/1.1 400 Bad Request\r\n', beyond],
    ['a line without an end', 'AUTH', '+'.repeat(2 ** 17), beyond],
  ];
  test.each(logins)('answers %s to %s', async (_, command, answer, expected) => {
    server.instead = { [command]: answer };
    expect(await failureOf(work())).toEqual({ message: expected, isUntouched: true });
    expect(await failureOf(work(null))).toMatchObject({ message: expected });
    expect(server.commands.filter((line) => line.startsWith('ACL SETUSER'))).toEqual([]);
  });

  const changes: readonly (readonly [string, string | ((socket: Socket) => unknown), string, boolean])[] = [
    ['QUEUED', '+QUEUED\r\n', nonsense, false],
    ['a number', ':0\r\n', nonsense, false],
    ['an error', '-ERR no\r\n', 'failed: the server cannot be used (ERR)', false],
    ['that it may not', '-NOPERM no\r\n', 'failed: the server cannot be used (NOPERM)', true],
    ['a list for ever', forEver(`*9\r\n+1\r\n+2\r\n`), beyond, false],
    ['nothing in time', thenTimeIsOver('$5\r\n'), tooLate, false],
  ];
  test.each(changes)('answers %s to a change', async (_, answer, expected, isUntouched) => {
    server.instead = { 'ACL SETUSER': answer };
    expect(await failureOf(work())).toEqual({ message: expected, isUntouched });
  });

  test('a user that is not there is not made', async () => {
    server.instead = { 'ACL GETUSER': '*-1\r\n' };
    expect(await failureOf(work())).toEqual({ message: 'failed: there is no such user', isUntouched: true });
    expect(server.commands.filter((line) => line.startsWith('ACL SETUSER'))).toEqual([]);
  });

  test('where users have a file of their own, its configuration keeps none of them', async () => {
    const rewrite = { 'CONFIG REWRITE': '+OK\r\n' };
    server.instead = { ...rewrite, 'ACL SAVE': '-ERR There was an error trying to save the ACLs.\r\n' };
    expect(await work()).toMatchObject({ isKept: false });
    server.instead = {
      ...rewrite,
      'ACL SAVE': '-ERR This Redis instance is not configured to use an ACL file. You may want to …\r\n',
    };
    expect(await work()).toMatchObject({ isKept: true });
  });

  test('does not write it down, whatever it says to that', async () => {
    server.instead = { 'ACL SAVE': ':1\r\n', 'CONFIG REWRITE': '$-1\r\n' };
    expect(await work()).toMatchObject({ isKept: false });
  });
});

test('a program that cannot be started has changed nothing', async () => {
  const nobody = sessionsOf({ self: ['/nowhere/vault'], environment: {}, keeper: null });
  const job = { server: 'redis', address: address(1), login: login('default'), change: null } as const;
  expect(await failureOf(nobody(job))).toEqual({
    message: 'failed: the program for it could not be started',
    isUntouched: true,
  });
});
