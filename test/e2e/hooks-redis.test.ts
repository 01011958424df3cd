/** The hook that the program brings for Redis, against a real one: both passwords log in while the old one has its grace. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

  beforeAll(async () => {
    server = await Redis.start('first');
    vault = await BinaryVault.make();
    token = (await vault.ok(['slot', 'add', '--token', '-q'])).stdout.toString().trim();
    await put('redis', credential('first'));
    await put('admin', credential('first'));
    await vault.ok(['hook', 'use', 'redis', 'redis']);
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
    const old = await passwordOf('redis');
    expect(await run('rotate', 'redis', '--grace', '1s')).toBe(0);
    const value = await passwordOf('redis');
    const graceUntil = Date.parse(
      ((await vault.json(['show', 'redis'])) as { graceUntil: string }).graceUntil,
    );
    while (Date.now() <= graceUntil) await new Promise((resolve) => setTimeout(resolve, 20));
    const retirements = async (): Promise<number> =>
      ((await vault.json(['audit', '--name', 'redis', '--op', 'rotate-retire', '--last', '99'])) as unknown[])
        .length;
    const before = await retirements();
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
    expect(await run('rotate', 'app', '--hook', 'redis')).toBe(9);
    expect(await passwordOf('app')).toBe('weak');
    // The user may not set a password, so nobody can tell what became of it.
    expect(await run('rotate', '--abandon', 'app', '--no-hook')).toBe(0);
    await vault.ok(['hook', 'set', 'by-admin', '--use', 'redis', '--set', 'admin=admin']);
    expect(await run('rotate', 'app', '--hook', 'by-admin')).toBe(0);
    expect(server.accepts(await passwordOf('app'), 'app')).toBe(true);
    expect(server.accepts('weak', 'app')).toBe(false);
  });

  test('a password does not go to another host without TLS', async () => {
    await put('far', credential('x', { host: 'redis.example' }));
    const failed = await vault.run(['rotate', 'far', '--hook', 'redis'], { env: env() });
    expect([failed.status, failed.stderr.includes('without TLS')]).toEqual([9, true]);
    const { versions } = (await vault.json(['history', 'far'])) as { versions: { state: string }[] };
    expect(versions.map(({ state }) => state)).toEqual(['live', 'withdrawn']);
    await vault.ok(['verify']);
    vault.expectNoLeak();
  });
});
