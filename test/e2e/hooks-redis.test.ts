/** The hook that the program brings for Redis, against a real one: both passwords log in while the old one has its grace. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { BinaryVault } from '../support/binary-vault.ts';
import { LoginLoad } from '../support/login-load.ts';
import { Redis, redisMissing } from '../support/redis.ts';
import { skipped } from '../support/tools.ts';

const missing = await redisMissing();

describe.skipIf(missing !== null)(`ready hook against Redis${skipped(missing ?? '')}`, () => {
  let server: Redis;
  let vault: BinaryVault;
  let token: string;

  const credential = (password: string, more: object = {}): string =>
    JSON.stringify({ engine: 'redis', host: server.socket, password, ...more });
  const put = async (name: string, value: string): Promise<unknown> =>
    vault.ok(['put', name, '--type', 'database-credential'], { input: value });

  const hook = (id: string, ...settings: readonly string[]): string[] => [
    'hook',
    'set',
    id,
    '--use',
    'redis',
    '--set',
    `host=${server.socket}`,
    ...settings.flatMap((setting) => ['--set', setting]),
  ];

  beforeAll(async () => {
    server = await Redis.start('first');
    vault = await BinaryVault.make();
    token = (await vault.ok(['slot', 'add', '--token', '-q'])).stdout.toString().trim();
    await put('redis', credential('first'));
    await put('admin', credential('first'));
    await vault.ok([...hook('own', 'users=default')]);
    await vault.ok(['hook', 'use', 'own', 'redis']);
  }, 60_000);

  afterAll(async () => server.stop());

  const env = (): Record<string, string> => ({ VAULT_ACCESS_TOKEN: token, SOCKET: server.socket });
  const run = async (...args: readonly string[]): Promise<number> =>
    (await vault.run(args, { env: env() })).status;
  const passwordOf = async (name: string): Promise<string> => {
    const { stdout } = await vault.ok(['get', name, '--field', 'password'], { env: env() });
    return stdout.toString();
  };

  test('without grace the old password goes as soon as the new one is current', async () => {
    expect(await run('rotate', 'redis')).toBe(0);
    const value = await passwordOf('redis');
    expect([server.accepts(value), server.accepts('first')]).toEqual([true, false]);
  });

  test('under load, with grace: no login fails, and the old password goes with --retire', async () => {
    const ping = 'REDISCLI_AUTH="$PASSWORD" redis-cli -s "$SOCKET" --no-auth-warning ping | grep -q PONG';
    const program = ['exec', '--map', 'PASSWORD=redis#password', '--', 'sh', '-c', ping];
    const load = new LoginLoad(vault, 3, program, env());
    try {
      for (let round = 0; round < 6; round++) {
        await load.turn();
        const old = await passwordOf('redis');
        expect(await run('rotate', 'redis', '--grace', '1h')).toBe(0);
        const value = await passwordOf('redis');
        expect([server.accepts(old), server.accepts(value)]).toEqual([true, true]);
        await load.turn();
        expect(await run('rotate', 'redis', '--retire')).toBe(0);
        expect([server.accepts(old), server.accepts(value)]).toEqual([false, true]);
      }
      await load.turn();
    } finally {
      await load.stop();
    }
    expect(load.logins.length).toBeGreaterThan(30);
    expect(load.logins.filter(({ ok }) => !ok)).toEqual([]);
  }, 120_000);

  test('what is past its grace is let go by --due, once', async () => {
    const retirements = async (): Promise<number> =>
      ((await vault.json(['audit', '--name', 'redis', '--op', 'rotate-retire', '--last', '99'])) as unknown[])
        .length;
    // A slow machine may be past it before `rotate` has ended.
    const before = await retirements();
    const old = await passwordOf('redis');
    expect(await run('rotate', 'redis', '--grace', '1s')).toBe(0);
    const value = await passwordOf('redis');
    const graceUntil = Date.parse(
      ((await vault.json(['show', 'redis'])) as { graceUntil: string }).graceUntil,
    );
    while (Date.now() <= graceUntil) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await run('rotate', '--due')).toBe(0);
    expect([server.accepts(old), server.accepts(value)]).toEqual([false, true]);
    expect(await run('rotate', '--due')).toBe(0);
    expect(await run('rotate', '--retire')).toBe(0);
    expect(await retirements()).toBe(before + 1);
  });

  test('by an administrator, of a user that may do nothing itself', async () => {
    server.command(await passwordOf('redis'), 'ACL', 'SETUSER', 'app', 'on', '>weak', '+ping');
    await put('app', credential('weak', { username: 'app' }));
    await vault.ok(['put', 'admin', '--field', 'password'], { input: await passwordOf('redis') });
    await vault.ok(hook('by-itself', 'users=app'));
    expect(await run('rotate', 'app', '--hook', 'by-itself')).toBe(9);
    expect(await passwordOf('app')).toBe('weak');
    await vault.ok(hook('by-admin', 'users=app', 'admin=admin'));
    expect(await run('rotate', 'app', '--hook', 'by-admin')).toBe(0);
    expect(server.accepts(await passwordOf('app'), 'app')).toBe(true);
    expect(server.accepts('weak', 'app')).toBe(false);
  });

  test('an old value that a kill, a failure or another rotation left behind is let go later', async () => {
    const old = await passwordOf('redis');
    // Killed once the new one is current, before the old one is let go.
    const before = statSync(vault.log).size;
    const child = spawn(binary, ['rotate', 'redis'], {
      env: vault.environment(env()),
      cwd: vault.folder,
      stdio: 'ignore',
    });
    const closed = once(child, 'close');
    while (child.exitCode === null && child.signalCode === null) {
      if (readFileSync(vault.log).subarray(before).includes('"op":"rotate",')) child.kill('SIGKILL');
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    await closed;
    expect(await run('rotate', '--resume')).toBe(0);
    expect(await passwordOf('redis')).not.toBe(old);
    expect(await run('rotate', '--due')).toBe(0);
    expect(server.accepts(old)).toBe(false);
    // Round after round, with a grace that is over by the next one.
    const passwords = [await passwordOf('redis')];
    for (let round = 0; round < 3; round++) {
      expect(await run('rotate', 'redis', '--grace', '1s')).toBe(0);
      passwords.push(await passwordOf('redis'));
      const { graceUntil } = (await vault.json(['show', 'redis'])) as { graceUntil: string };
      while (Date.now() <= Date.parse(graceUntil)) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await run('rotate', '--retire')).toBe(0);
    expect(passwords.map((password) => server.accepts(password))).toEqual([false, false, false, true]);
    // Two old ones at a time could not both be kept track of.
    expect(await run('rotate', 'redis', '--grace', '1h')).toBe(0);
    expect(await run('rotate', 'redis')).toBe(8);
    expect(await run('rotate', '--retire', 'redis')).toBe(0);
  });

  test('once is enough: let go again, after new keys and under another name, does no harm', async () => {
    expect(await run('rotate', 'redis', '--grace', '1h')).toBe(0);
    expect(await run('rotate', '--retire', 'redis')).toBe(0);
    expect(await run('rotate', '--retire', 'redis')).toBe(0);
    await vault.ok(['rekey']);
    expect(await run('rotate', '--retire')).toBe(0);
    expect(server.accepts(await passwordOf('redis'))).toBe(true);
  });

  test('which old values were let go is told apart also where names are exchanged', async () => {
    const now = await passwordOf('redis');
    for (const [name, user] of [
      ['first', 'u1'],
      ['second', 'u2'],
    ] as const) {
      server.command(now, 'ACL', 'SETUSER', user, 'on', '>start', '+@all');
      await put(name, credential('start', { username: user }));
    }
    await vault.ok(hook('users', 'users=u1,u2'));
    await vault.ok(['hook', 'use', 'users', 'first', 'second']);
    expect(await run('rotate', 'second', '--grace', '1h')).toBe(0);
    expect(await run('rotate', 'first', '--grace', '1h')).toBe(0);
    expect(await run('rotate', '--retire', 'first')).toBe(0);
    await vault.ok(['mv', 'first', 'elsewhere']);
    await vault.ok(['mv', 'second', 'first']);
    // What was "second" has an old value in use still.
    expect(await run('rotate', 'first')).toBe(8);
    expect(await run('rotate', '--retire', 'first')).toBe(0);
    expect([server.accepts('start', 'u1'), server.accepts('start', 'u2')]).toEqual([false, false]);
  });

  test('a user that takes any password is left alone', async () => {
    server.command(await passwordOf('redis'), 'ACL', 'SETUSER', 'open', 'on', 'nopass', '+@all');
    await put('open', credential('any', { username: 'open' }));
    await vault.ok(hook('open', 'users=open'));
    expect(await run('rotate', 'open', '--hook', 'open')).toBe(9);
    expect(server.accepts('any', 'open')).toBe(true);
    const { rotationsUnderWay } = (await vault.json(['status'])) as { rotationsUnderWay: unknown[] };
    expect(rotationsUnderWay).toEqual([]);
  });

  test('a value with the password in use, or of another user, is refused before anything is staged', async () => {
    const password = await passwordOf('redis');
    for (const input of [
      credential(password),
      credential('x', { username: 'app' }),
      credential('x', { host: 'evil.example' }),
    ])
      await vault.fails(2, ['rotate', 'redis'], { env: env(), input });
    expect(server.accepts(password)).toBe(true);
  });

  test('a server that never answers is given up', async () => {
    const silent = createServer(() => undefined);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const settings = ['--set', 'host=127.0.0.1', '--set', `port=${port}`, '--set', 'users=default'];
    await vault.ok(['hook', 'set', 'silent', '--use', 'redis', ...settings]);
    await put('silent', credential('x', { host: '127.0.0.1', port }));
    const ended = await vault.run(['rotate', 'silent', '--hook', 'silent'], { env: env() });
    expect(ended.status).toBe(9);
    silent.close();
    await vault.ok(['verify']);
    vault.expectNoLeak();
  }, 120_000);
});
