/** The hooks that the program brings for PostgreSQL, against a real one: who logs in meanwhile, and what is left when it is killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { BinaryVault } from '../support/binary-vault.ts';
import { LoginLoad } from '../support/login-load.ts';
import { Postgres, postgresMissing } from '../support/postgres.ts';
import { TlsRelay } from '../support/tls-relay.ts';
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

  /** One that works on this server, but for what is said. */
  const hook = async (id: string, use: string, more: Record<string, string>): Promise<unknown> => {
    const settings = { host: '127.0.0.1', port: String(server.port), ...more };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
    return vault.ok(['hook', 'set', id, '--use', use, ...flags]);
  };

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
    await hook('two', 'postgres-alternating', { admin: 'admin', roles: 'app_a, app_b' });
    await hook('own', 'postgres', { roles: 'app,odd"role' });
    await vault.ok(['hook', 'use', 'two', 'pair']);
    await vault.ok(['hook', 'use', 'own', 'db', 'odd']);
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

  test('a value of one’s own is brought there, too; one that will not do is refused before anything is staged', async () => {
    const own = credential('app', "it's \\ mine");
    expect((await vault.run(['rotate', 'db'], { env: env(), input: own })).status).toBe(0);
    expect(await logsIn('db')).toBe(true);
    for (const [index, name] of ['db', 'pair', 'pair'].entries()) {
      const before = await current(name);
      const text = `text ${index} for ${name}`;
      expect((await vault.run(['rotate', name], { env: env(), input: text })).status).toBe(0);
      const after = await current(name);
      expect(after.password).toBe(text);
      expect(after.username === before.username).toBe(name === 'db');
      expect(await logsIn(name)).toBe(true);
    }
    const inUse = (await current('pair')).username;
    const elsewhere = { host: 'evil.example' };
    for (const input of [
      credential('app', 'pässwort'),
      credential('app', ''),
      credential('postgres', 'x'),
      credential('app', 'x', elsewhere),
      credential('app', 'x', { port: 1 }),
    ])
      await vault.fails(2, ['rotate', 'db'], { env: env(), input });
    await vault.fails(2, ['rotate', 'pair'], {
      env: env(),
      input: credential(inUse, 'of the role in use'),
    });
    await vault.fails(2, ['rotate', 'db', '--grace', '1h'], { env: env() });
    expect([await logsIn('db'), await logsIn('pair')]).toEqual([true, true]);
    const { rotationsUnderWay } = (await vault.json(['status'])) as { rotationsUnderWay: unknown[] };
    expect(rotationsUnderWay).toEqual([]);
  });

  test('with a server that is not there, or a login that is refused, nothing changes', async () => {
    const old = await current('db');
    await hook('gone', 'postgres', { roles: 'app', port: '1' });
    await put('gone', credential('app', old.password, { port: 1 }));
    const failed = await vault.run(['rotate', 'gone', '--hook', 'gone'], { env: env() });
    expect([failed.status, failed.stderr.includes('ECONNREFUSED')]).toEqual([9, true]);
    expect(failed.stderr).not.toContain(old.password);
    await put('wrong', credential('app', 'not the password'));
    const refused = await vault.run(['rotate', 'wrong', '--hook', 'own'], { env: env() });
    expect([refused.status, refused.stderr.includes('the login was refused')]).toEqual([9, true]);
    expect(server.accepts('app', old.password)).toBe(true);
    await vault.ok(['rm', 'gone', '--yes'], { env: env() });
  });

  test('who may set the password is not sent where a credential says, and sets nobody else’s', async () => {
    const listener = createServer();
    let connections = 0;
    listener.on('connection', (socket) => {
      connections += 1;
      socket.destroy();
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    await hook('by-admin', 'postgres', { roles: 'app', admin: 'admin' });
    const { password } = await current('db');
    for (const value of [credential('app', password, { port }), credential('postgres', password)]) {
      await put('mallory', value);
      const { status } = await vault.run(['rotate', 'mallory', '--hook', 'by-admin'], { env: env() });
      expect(status).not.toBe(0);
    }
    listener.close();
    expect([connections, server.accepts('postgres', superuser)]).toEqual([0, true]);
  });

  test('a server that asks for no password proves nothing', async () => {
    server.trust('app_b');
    try {
      await hook('trusting', 'postgres', { roles: 'app_b' });
      await put('trusted', credential('app_b', 'any'));
      const ended = await vault.run(['rotate', 'trusted', '--hook', 'trusting'], { env: env() });
      expect([ended.status, ended.stderr.includes('asks for no password')]).toEqual([9, true]);
    } finally {
      server.trust(null);
    }
  });

  test('a server that never answers is given up, and nothing was changed', async () => {
    const silent = createServer(() => undefined);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    await hook('silent', 'postgres', { roles: 'app', port: String(port) });
    await put('silent', credential('app', 'x', { port }));
    const ended = await vault.run(['rotate', 'silent', '--hook', 'silent'], { env: env() });
    expect(ended.status).toBe(9);
    silent.close();
  }, 60_000);

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

  test('after a rollback nothing is let go: the old value may be the one that works', async () => {
    const before = await current('pair');
    expect(await run('rotate', 'pair', '--grace', '1h')).toBe(0);
    const { version } = (await vault.json(['show', 'pair'])) as { version: number };
    expect(await run('rollback', 'pair', '--to', String(version - 1))).toBe(0);
    expect(await run('rotate', 'pair', '--retire')).toBe(3);
    expect(server.accepts(before.username, before.password)).toBe(true);
    expect(await logsIn('pair')).toBe(true);
    // And from there it goes on.
    expect(await run('rotate', 'pair')).toBe(0);
    expect(await logsIn('pair')).toBe(true);
  });

  test('a present value that does not work lets nothing old go', async () => {
    const before = await current('pair');
    expect(await run('rotate', 'pair', '--grace', '1h')).toBe(0);
    const now = await current('pair');
    server.sql('postgres', superuser, `ALTER ROLE "${now.username}" PASSWORD 'by somebody else'`);
    expect(await run('rotate', 'pair', '--retire')).toBe(9);
    expect(server.accepts(before.username, before.password)).toBe(true);
    server.sql('postgres', superuser, `ALTER ROLE "${now.username}" PASSWORD '${now.password}'`);
    expect(await run('rotate', 'pair', '--retire')).toBe(0);
  });

  test('taken back, a value of the role in use does not end that role', async () => {
    const { username, password } = await current('pair');
    const input = credential(username, 'staged by hand');
    const staged = ['rotate', 'pair', '--apply', 'kill -9 $PPID; wait', '--check', 'true'];
    expect((await vault.run(staged, { env: env(), input })).status).toBe(137);
    expect(await run('rotate', '--resume', 'pair')).toBe(2);
    expect(await run('rotate', '--abandon', 'pair')).toBe(9);
    expect(await run('rotate', '--abandon', 'pair', '--no-hook')).toBe(0);
    expect(server.accepts(username, password)).toBe(true);
  });

  test('who sets the passwords of others is rotated after them, and no secret is so by its own two roles', async () => {
    const many = await BinaryVault.make();
    const roles = ['one', 'two', 'three', 'chief'];
    server.sql('postgres', superuser, `CREATE ROLE chief LOGIN CREATEROLE PASSWORD 'first'`);
    for (const role of roles.slice(0, -1))
      server.sql('chief', 'first', `CREATE ROLE ${role} LOGIN PASSWORD 'first'`);
    const of = async (id: string, name: string, ...more: string[]): Promise<void> => {
      const input = credential(id === 'own' ? 'chief' : name, 'first');
      await many.ok(['put', name, '--type', 'database-credential'], { input });
      const settings = ['host=127.0.0.1', `port=${server.port}`, ...more].flatMap((one) => ['--set', one]);
      await many.ok(['hook', 'set', id, '--use', 'postgres', ...settings]);
      await many.ok(['hook', 'use', id, name]);
    };
    // The first by its name, and by when it was stored.
    await of('own', 'admin', 'roles=chief');
    for (const name of roles.slice(0, -1)) await of('others', name, 'roles=one,two,three', 'admin=admin');
    const { results } = (await many.json([
      'rotate',
      '--all',
      '--jobs',
      '8',
      '--type',
      'database-credential',
    ])) as {
      results: { name: string; version: number | null }[];
    };
    expect(results.map(({ name, version }) => [name, version])).toEqual(
      ['admin', 'one', 'three', 'two'].map((name) => [name, 2]),
    );
    const records = (await many.json(['audit', '--op', 'rotate-stage'])) as { secrets: { name: string }[] }[];
    const staged = records.flatMap(({ secrets }) => secrets.map(({ name }) => name));
    expect(staged.toSorted()).toEqual(['admin', 'one', 'three', 'two']);
    expect(staged.at(-1)).toBe('admin');

    const settings = ['host=127.0.0.1', `port=${server.port}`, 'roles=chief,one', 'admin=admin'];
    const flags = settings.flatMap((one) => ['--set', one]);
    await many.ok(['hook', 'set', 'itself', '--use', 'postgres-alternating', ...flags]);
    await many.ok(['hook', 'use', 'itself', 'admin']);
    const ended = await many.run(['rotate', 'admin']);
    expect([ended.status, ended.stderr]).toEqual([2, expect.stringContaining('the admin of its own hook')]);
    expect(((await many.json(['show', 'admin'])) as { version: number }).version).toBe(2);
  });

  test('TLS: a server elsewhere has to prove who it is, by name or by address', async () => {
    const ca = server.useTls('localhost', '127.0.0.1');
    const { password } = await current('db');
    await put('tls', credential('app', password, { host: 'localhost' }));
    const rotate = async (more: Record<string, string>): Promise<[number, string]> => {
      await hook('tls', 'postgres', { roles: 'app', host: 'localhost', ...more });
      const { status, stderr } = await vault.run(['rotate', 'tls', '--hook', 'tls'], { env: env() });
      return [status, stderr];
    };
    expect(await rotate({ tls: 'verify-full' })).toEqual([
      9,
      expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY/u),
    ]);
    expect(await rotate({ tls: 'verify-full', ca })).toEqual([0, expect.anything()]);
    expect((await rotate({ tls: 'require' }))[0]).toBe(0);
    expect(await logsIn('tls')).toBe(true);
    await put('tls', credential('app', (await current('tls')).password));
    expect(await rotate({ host: '127.0.0.1', tls: 'verify-full', ca })).toEqual([0, expect.anything()]);
    // Without a proof of the server's name, who stands between can read the login and not pass it on.
    const relay = await TlsRelay.start(server.port);
    const port = String(relay.port);
    await put('tls', credential('app', (await current('tls')).password, { port: relay.port }));
    const between = await rotate({ host: '127.0.0.1', tls: 'require', port });
    expect([between[0], relay.relayed > 0]).toEqual([9, true]);
    relay.stop();
    await put('tls', credential('app', (await current('tls')).password));
    const other = server.useTls('elsewhere.example', '192.0.2.1');
    expect(await rotate({ host: '127.0.0.1', tls: 'verify-full', ca: other })).toEqual([
      9,
      expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    ]);
    await vault.fails(2, [
      'hook',
      'set',
      'x',
      '--use',
      'postgres',
      '--set',
      'host=h',
      '--set',
      'roles=a',
      '--set',
      'tls=perhaps',
    ]);
  });
});
