/** The hooks that the program brings for PostgreSQL, against a real one: who logs in meanwhile, and what is left when it is killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { BinaryVault } from '../support/binary-vault.ts';
import { LoginLoad } from '../support/login-load.ts';
import { Postgres, postgresMissing } from '../support/postgres.ts';
import { skipped } from '../support/tools.ts';

const missing = await postgresMissing();
const superuser = 'of the superuser';

interface Credential {
  readonly username: string;
  readonly password: string;
}

describe.skipIf(missing !== null)(`ready hooks against PostgreSQL${skipped(missing ?? '')}`, () => {
  let server: Postgres;
  let vault: BinaryVault;
  let token: string;

  const credential = (username: string, password: string, more: object = {}): string => {
    const at = { engine: 'postgres', host: '127.0.0.1', port: server.port, database: 'postgres' };
    return JSON.stringify({ ...at, username, password, ...more });
  };
  const put = async (name: string, value: string): Promise<unknown> =>
    vault.ok(['put', name, '--type', 'database-credential'], { input: value });

  beforeAll(async () => {
    server = await Postgres.start(superuser);
    vault = await BinaryVault.make();
    token = (await vault.ok(['slot', 'add', '--token', '-q'])).stdout.toString().trim();
    for (const role of ['app', 'app_a', 'app_b', 'odd"role'])
      server.sql('postgres', superuser, `CREATE ROLE "${role.replace('"', '""')}" LOGIN PASSWORD 'first'`);
    await put('admin', credential('postgres', superuser));
    await put('db', credential('app', 'first'));
    await put('pair', credential('app_a', 'first'));
    await put('odd', credential('odd"role', 'first'));
    const settings = ['--set', 'admin=admin', '--set', 'roles=app_a, app_b'];
    await vault.ok(['hook', 'set', 'two', '--use', 'postgres-alternating', ...settings]);
    await vault.ok(['hook', 'use', 'two', 'pair']);
    await vault.ok(['hook', 'use', 'postgres', 'db', 'odd']);
  }, 60_000);

  afterAll(() => {
    server.stop();
  });

  const env = (): Record<string, string> => ({ VAULT_ACCESS_TOKEN: token });
  const run = async (...args: readonly string[]): Promise<number> =>
    (await vault.run(args, { env: env() })).status;
  const current = async (name: string): Promise<Credential> =>
    JSON.parse((await vault.ok(['get', name], { env: env() })).stdout.toString()) as Credential;
  const logsIn = async (name: string): Promise<boolean> => {
    const { username, password } = await current(name);
    return server.accepts(username, password);
  };

  test('one role sets its own password; the statement in the server’s log does not have it', async () => {
    server.sql('postgres', superuser, `ALTER SYSTEM SET log_statement = 'all'`);
    server.sql('postgres', superuser, 'SELECT pg_reload_conf()');
    for (const name of ['db', 'odd']) {
      const old = await current(name);
      expect(await run('rotate', name)).toBe(0);
      const now = await current(name);
      expect(now.username).toBe(old.username);
      expect([
        server.accepts(now.username, now.password),
        server.accepts(old.username, old.password),
      ]).toEqual([true, false]);
      expect(server.log()).toContain('ALTER ROLE');
      expect(server.log()).not.toContain(now.password);
    }
    vault.expectNoLeak();
  });

  test('a value of one’s own is brought there, too; one that is no credential is refused before', async () => {
    const { status } = await vault.run(['rotate', 'db'], {
      env: env(),
      input: credential('app', "it's \\ mine ü"),
    });
    expect(status).toBe(0);
    expect(await logsIn('db')).toBe(true);
    await vault.fails(9, ['rotate', 'db'], { env: env(), input: 'no credential' });
    expect(await logsIn('db')).toBe(true);
    expect(((await vault.json(['status'])) as { rotationsUnderWay: unknown[] }).rotationsUnderWay).toEqual(
      [],
    );
  });

  test('without the old value, or with a server that is not there, nothing changes', async () => {
    const old = await current('db');
    await put('gone', credential('app', old.password, { port: 1 }));
    await vault.ok(['hook', 'use', 'postgres', 'gone']);
    const failed = await vault.run(['rotate', 'gone'], { env: env() });
    expect(failed.status).toBe(9);
    expect(failed.stderr).toContain('ECONNREFUSED');
    expect(failed.stderr).not.toContain(old.password);
    await put('wrong', credential('app', 'not the password'));
    await vault.ok(['hook', 'use', 'postgres', 'wrong']);
    const refused = await vault.run(['rotate', 'wrong'], { env: env() });
    expect([refused.status, refused.stderr.includes('the login was refused')]).toEqual([9, true]);
    expect(server.accepts('app', old.password)).toBe(true);
  });

  test('two roles in turn, without grace: the one before is let go at once', async () => {
    const first = await current('pair');
    expect(await run('rotate', 'pair')).toBe(0);
    const second = await current('pair');
    expect([first.username, second.username]).toEqual(['app_a', 'app_b']);
    expect(server.accepts(second.username, second.password)).toBe(true);
    expect(server.accepts(first.username, first.password)).toBe(false);
    expect(await run('rotate', 'pair')).toBe(0);
    expect((await current('pair')).username).toBe('app_a');
    expect(await logsIn('pair')).toBe(true);
  });

  test('two roles in turn, with grace, under load: no login fails', async () => {
    const program = [
      'exec',
      '--map',
      'URL=pair#url',
      '--',
      'sh',
      '-c',
      'exec psql -XAtqc "select 1" "$URL" >/dev/null',
    ];
    const load = new LoginLoad(vault, 3, program, env());
    try {
      for (let round = 0; round < 6; round++) {
        await load.turn();
        const before = await current('pair');
        expect(await run('rotate', 'pair', '--grace', '1h')).toBe(0);
        expect((await current('pair')).username).not.toBe(before.username);
        expect(server.accepts(before.username, before.password)).toBe(true);
        // What is handed out as the value before is not ended while it is.
        expect(await run('rotate', 'pair')).toBe(8);
        // Whoever had the old one has logged in with it.
        await load.turn();
        expect(await run('rotate', 'pair', '--retire')).toBe(0);
        expect(server.accepts(before.username, before.password)).toBe(false);
      }
      await load.turn();
    } finally {
      await load.stop();
    }
    expect(load.logins.length).toBeGreaterThan(30);
    expect(load.logins.filter(({ ok }) => !ok)).toEqual([]);
  }, 120_000);

  test('one role under load: logins fail only while it is rotated', async () => {
    const program = [
      'exec',
      '--map',
      'URL=db#url',
      '--',
      'sh',
      '-c',
      'exec psql -XAtqc "select 1" "$URL" >/dev/null',
    ];
    const load = new LoginLoad(vault, 3, program, env());
    const spans: [number, number][] = [];
    try {
      for (let round = 0; round < 6; round++) {
        await load.turn();
        const from = performance.now();
        expect(await run('rotate', 'db')).toBe(0);
        spans.push([from, performance.now()]);
      }
      await load.turn();
    } finally {
      await load.stop();
    }
    expect(load.failuresOutside(spans)).toEqual([]);
    expect(load.logins.some(({ ok }) => ok)).toBe(true);
  }, 120_000);

  /** Rotate, killed as soon as the log has a record of this operation; what comes after the last one may have ended by then. */
  async function killedAt(operation: string, name: string): Promise<void> {
    const from = statSync(vault.log).size;
    const child = spawn(binary, ['rotate', name], {
      env: vault.environment(env()),
      cwd: vault.folder,
      stdio: 'ignore',
    });
    const closed = once(child, 'close') as Promise<[number | null, string | null]>;
    while (child.exitCode === null && child.signalCode === null) {
      const size = statSync(vault.log).size;
      if (size > from && readFileSync(vault.log).subarray(from).includes(`"op":"${operation}"`)) {
        child.kill('SIGKILL');
        break;
      }
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    const [code, signal] = await closed;
    expect(signal === 'SIGKILL' || code === 0).toBe(true);
  }

  const operations = ['rotate-stage', 'rotate-old', 'rotate-apply', 'rotate-check', 'rotate'];

  test.each(operations.flatMap((operation) => [`${operation} db`, `${operation} pair`]))(
    'killed once %s is on record, ten times: what is current logs in after --resume',
    async (text) => {
      const [operation = '', name = ''] = text.split(' ');
      for (let round = 0; round < 10; round++) {
        await killedAt(operation, name);
        expect(await run('rotate', '--resume')).toBe(0);
        expect(await logsIn(name)).toBe(true);
        const { rotationsUnderWay } = (await vault.json(['status'])) as { rotationsUnderWay: unknown[] };
        expect(rotationsUnderWay).toEqual([]);
      }
    },
    120_000,
  );

  test('the log and who-saw have what the hooks used', async () => {
    expect(await run('rotate', 'pair', '--grace', '1h')).toBe(0);
    expect(await run('rotate', 'pair', '--retire')).toBe(0);
    const records = (await vault.json(['audit', '--name', 'pair', '--last', '5'])) as { operation: string }[];
    expect(records.map(({ operation }) => operation)).toContain('rotate-retire');
    const seen = await vault.ok(['audit', 'who-saw', 'admin']);
    expect(seen.stdout.toString()).toContain('rotate-use');
    await vault.ok(['verify']);
    vault.expectNoLeak();
  });

  test('TLS: a server elsewhere has to prove who it is', async () => {
    const root = server.useTls('localhost');
    const { password } = await current('db');
    const rotate = async (options: object): Promise<[number, string]> => {
      const value = credential('app', (await current('tls')).password, { host: 'localhost', options });
      await put('tls', value);
      const { status, stderr } = await vault.run(['rotate', 'tls'], { env: env() });
      return [status, stderr];
    };
    await put('tls', credential('app', password, { host: 'localhost' }));
    await vault.ok(['hook', 'use', 'postgres', 'tls']);
    const unknown = await rotate({ sslmode: 'verify-full' });
    expect(unknown).toEqual([9, expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY/u)]);
    expect(await rotate({ sslmode: 'verify-full', sslrootcert: root })).toEqual([0, expect.anything()]);
    expect((await rotate({ sslmode: 'require' }))[0]).toBe(0);
    expect((await rotate({ sslmode: 'perhaps' }))[0]).toBe(9);
    const now = await current('tls');
    console.log(server.log().slice(-1500));
    console.log(server.sql(now.username, now.password, 'select 1'));
    expect(await logsIn('tls')).toBe(true);
  });
});
