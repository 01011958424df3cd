/** Stored hooks: in the policy of an environment, in the user's configuration, and over HTTP. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { addToken, holding } from '../support/binary-team.ts';
import { binary } from '../binary-is-built.ts';
import { BinaryVault, passphrase, scenario } from '../support/binary-vault.ts';

const bring = 'printf %s "$VAULT_NEW_VALUE" > server';
const compare = 'test "$(cat server)" = "$VAULT_NEW_VALUE"';
const takeBack = 'printf %s "$VAULT_OLD_VALUE" > server';

const onServer = (vault: BinaryVault): string => readFileSync(vault.in('server'), 'utf8');

describe('hooks in the policy', () => {
  scenario('a secret is rotated by the one that it names', async (vault) => {
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'smtp', '--apply', bring, '--check', compare, '--undo', takeBack]);
    await vault.ok(['hook', 'use', 'smtp', 'db']);
    expect(await vault.json(['show', 'db'])).toMatchObject({ hook: 'smtp', version: 1 });
    await vault.ok(['rotate', 'db']);
    expect(onServer(vault)).toBe(await vault.text('db'));
    await vault.ok(['rotate', 'db', '--no-hook'], { input: 'only here' });
    expect([await vault.text('db'), onServer(vault) === 'only here']).toEqual(['only here', false]);
    await vault.ok(['hook', 'use', 'none', 'db']);
    expect(await vault.json(['show', 'db'])).toMatchObject({ hook: null });
  });

  scenario('it stays with the secret when that gets another value or name, and new keys', async (vault) => {
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'smtp', '--apply', bring]);
    await vault.ok(['hook', 'use', 'smtp', 'db']);
    await vault.put('db', 'two');
    await vault.ok(['mv', 'db', 'database']);
    await vault.ok(['rekey']);
    await vault.ok(['rotate', 'database']);
    expect(onServer(vault)).toBe(await vault.text('database'));
    await vault.ok(['verify']);
  });

  scenario('what it was is resumed by it, and many are rotated by their own', async (vault) => {
    await vault.put('db', 'one');
    await vault.put('plain', 'one');
    const killed = `${bring}; test -e go || kill -9 $PPID`;
    await vault.ok(['hook', 'set', 'smtp', '--apply', killed, '--check', compare]);
    await vault.ok(['hook', 'use', 'smtp', 'db']);
    expect((await vault.run(['rotate', 'db'])).status).toBe(137);
    writeFileSync(vault.in('go'), '');
    await vault.ok(['rotate', '--resume']);
    expect(onServer(vault)).toBe(await vault.text('db'));
    const { results } = (await vault.json(['rotate', '--all', '--generate'])) as {
      results: { name: string; version: number | null }[];
    };
    expect(results.map(({ version }) => version)).not.toContain(null);
    expect(onServer(vault)).toBe(await vault.text('db'));
  });

  scenario('it may make the value itself, and let the old one go after its grace', async (vault) => {
    await vault.put('cert', 'one', '--type', 'certificate');
    const retire = 'printf %s "$VAULT_OLD_VALUE" > retired';
    await vault.ok([
      'hook',
      'set',
      'ca',
      '--command',
      'echo issued',
      '--apply',
      bring,
      '--check',
      compare,
      '--retire',
      retire,
    ]);
    await vault.ok(['hook', 'use', 'ca', 'cert']);
    await vault.ok(['rotate', 'cert', '--grace', '1h']);
    expect([await vault.text('cert'), onServer(vault), existsSync(vault.in('retired'))]).toEqual([
      'issued',
      'issued',
      false,
    ]);
    await vault.ok(['rotate', '--retire', 'cert']);
    expect(readFileSync(vault.in('retired'), 'utf8')).toBe('one');
    await vault.put('other', 'x');
    await vault.fails(2, ['rotate', '--retire', 'other']);
    // By hand there is nothing old in use.
    await vault.put('cert', 'by hand');
    await vault.fails(3, ['rotate', '--retire', 'cert']);
  });

  scenario('that a retirement failed is told, and the new value is current', async (vault) => {
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'x', '--apply', bring, '--check', compare, '--retire', 'false']);
    const ended = await vault.run(['rotate', 'db', '--hook', 'x']);
    expect([ended.status, ended.stderr.includes('the old value may still be valid there')]).toEqual([
      9,
      true,
    ]);
    expect(await vault.text('db')).toBe(onServer(vault));
    // It is tried again, also by cron.
    await vault.ok(['hook', 'use', 'x', 'db']);
    expect((await vault.run(['rotate', '--due'])).status).toBe(1);
    await vault.ok(['hook', 'set', 'x', '--apply', bring, '--check', compare, '--retire', 'touch gone']);
    await vault.ok(['rotate', '--due']);
    expect(existsSync(vault.in('gone'))).toBe(true);
  });

  scenario('what was changed while it was looked at is not let go', async (vault) => {
    await vault.put('db', 'one');
    const meddle = `test ! -e meddle || VAULT_PASSPHRASE='${passphrase}' '${binary}' put db < meddle`;
    await vault.ok(['hook', 'set', 'x', '--apply', bring, '--check', meddle, '--retire', 'touch gone']);
    await vault.ok(['hook', 'use', 'x', 'db']);
    await vault.ok(['rotate', 'db', '--grace', '1h']);
    writeFileSync(vault.in('meddle'), 'by somebody else');
    await vault.fails(8, ['rotate', '--retire', 'db']);
    expect([existsSync(vault.in('gone')), await vault.text('db')]).toEqual([false, 'by somebody else']);
  });

  scenario('a change without it is told', async (vault) => {
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'x', '--apply', bring]);
    await vault.ok(['hook', 'use', 'x', 'db']);
    const told = '"db" has a hook, and it was not run';
    for (const args of [
      ['put', 'db'],
      ['rotate', 'db', '--no-hook'],
    ])
      expect((await vault.run(args, { input: 'two' })).stderr).toContain(told);
    expect((await vault.run(['rollback', 'db', '--to', '1'])).stderr).toContain(told);
    expect((await vault.run(['rotate', 'db'])).stderr).not.toContain(told);
  });

  scenario('its commands run only where they were accepted as they are', async (vault) => {
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'smtp', '--apply', bring, '--check', compare]);
    await vault.ok(['hook', 'use', 'smtp', 'db']);
    const token = await addToken(vault, 'ci', '--can read,write --env development');
    const { env = {} } = holding(token, { XDG_STATE_HOME: vault.in('elsewhere') });
    const refused = await vault.run(['rotate', 'db'], { env });
    expect([refused.status, existsSync(vault.in('server'))]).toEqual([5, false]);
    expect(refused.stderr).toContain('vault hook trust smtp');
    const { sha256, hook } = JSON.parse(
      (await vault.ok(['hook', 'show', 'smtp', '--json'], { env })).stdout.toString(),
    ) as { sha256: string; hook: object };
    expect(hook).toEqual({ apply: bring, check: compare });
    await vault.ok(['rotate', 'db'], { env: { ...env, VAULT_TRUST_HOOKS: `${'0'.repeat(64)},${sha256}` } });
    await vault.fails(5, ['rotate', 'db'], { env });
    await vault.fails(2, ['hook', 'trust', 'smtp'], { env });
    await vault.ok(['hook', 'trust', 'smtp', '--yes'], { env });
    await vault.ok(['rotate', 'db'], { env });
    await vault.ok(['hook', 'trust', 'smtp', '--forget'], { env });
    await vault.fails(5, ['rotate', 'db'], { env });
    await vault.ok(['hook', 'trust', 'smtp', '--yes'], { env });
    // Another one of the same id is another one.
    await vault.ok(['hook', 'set', 'smtp', '--apply', `${bring}; touch stolen`]);
    await vault.fails(5, ['rotate', 'db'], { env });
    const { results } = JSON.parse(
      (await vault.run(['rotate', '--all', '--json'], { env })).stdout.toString(),
    ) as {
      results: { name: string; code: string | null }[];
    };
    expect(results.find(({ name }) => name === 'db')?.code).toBe('UNTRUSTED_HOOK');
    expect(existsSync(vault.in('stolen'))).toBe(false);
  });

  scenario('one that speaks to a server has to be accepted, too', async (vault) => {
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'web', '--use', 'http', '--set', 'apply=http://127.0.0.1:1/x']);
    const elsewhere = { env: { XDG_STATE_HOME: vault.in('elsewhere') } };
    await vault.fails(5, ['rotate', 'db', '--hook', 'web'], elsewhere);
    await vault.ok(['hook', 'trust', 'web', '--yes'], elsewhere);
    await vault.fails(9, ['rotate', 'db', '--hook', 'web'], elsewhere);
  });

  scenario('only administrators store them; what will not do is refused', async (vault) => {
    const token = await addToken(vault, 'ci', '--can read,write --env development');
    await vault.put('db', 'one');
    const { env } = holding(token);
    await vault.fails(5, ['hook', 'set', 'x', '--apply', 'true'], { env });
    await vault.fails(5, ['hook', 'rm', 'x'], { env });
    await vault.fails(2, ['hook', 'set', 'a b', '--apply', 'true']);
    await vault.fails(2, ['hook', 'set', 'x', '--undo', 'true', '--check', 'true']);
    await vault.fails(2, ['hook', 'set', 'x']);
    await vault.fails(2, ['hook', 'set', 'x', '--use', 'postgres-alternating', '--set', 'admin=a']);
    await vault.fails(2, ['hook', 'set', 'x', '--use', 'redis', '--set', 'rolls=a']);
    await vault.fails(2, ['hook', 'set', 'x', '--use', 'redis', '--apply', 'true']);
    await vault.fails(2, ['hook', 'set', 'x', '--set', 'a=b']);
    await vault.fails(3, ['hook', 'rm', 'x']);
    await vault.fails(3, ['hook', 'show', 'x']);
    await vault.fails(3, ['hook', 'use', 'x', 'db']);
    await vault.fails(3, ['rotate', 'db', '--hook', 'x']);
    await vault.fails(3, ['rotate', 'db', '--hook', 'http']);
    await vault.fails(2, ['rotate', 'db', '--hook', 'x', '--apply', 'true']);
    await vault.fails(2, ['hook', 'set', 'none', '--apply', 'true']);
    await vault.fails(2, ['hook', 'set', 'x', '--apply', '']);
    await vault.fails(2, ['hook', 'set', 'x', '--apply', 'x'.repeat(8_193)]);
    const quotes = ['--apply', '--check', '--undo', '--retire', '--command'].flatMap((f) => [
      f,
      '"'.repeat(8_000),
    ]);
    await vault.fails(2, ['hook', 'set', 'x', ...quotes]);
    await vault.fails(2, ['rotate', '--retire', '--grace', '1h']);
    await vault.fails(2, ['rotate', '--retire', '--hook', 'x']);
    for (const how of ['--retire', '--resume', '--abandon'])
      for (const more of [['--dry-run'], ['--type', 'token'], ['--tag', 'a=b']])
        await vault.fails(2, ['rotate', how, 'db', ...more]);
    await vault.ok(['hook', 'set', 'x', '--check', 'true']);
    await vault.ok(['hook', 'use', 'x', 'db'], { env });
    const removed = await vault.run(['hook', 'rm', 'x']);
    expect([removed.status, removed.stderr.includes('"db" cannot be rotated without it')]).toEqual([0, true]);
    await vault.fails(3, ['rotate', 'db']);
    expect(await vault.text('db')).toBe('one');
  });

  scenario('they are not in clear in the file', async (vault) => {
    await vault.ok(['hook', 'set', 'smtp', '--apply', 'ssh mail.internal set-password']);
    expect(readFileSync(vault.file, 'utf8')).not.toMatch(/smtp|internal/u);
    expect(readFileSync(vault.log, 'utf8')).not.toContain('internal');
  });
});

describe('hooks of the user', () => {
  const configure = (vault: BinaryVault, hooks: object): Record<string, string> => {
    mkdirSync(vault.in('config', 'vault'), { recursive: true });
    writeFileSync(vault.in('config', 'vault', 'config.json'), JSON.stringify({ hooks }));
    return { XDG_CONFIG_HOME: vault.in('config') };
  };

  scenario('run where they are named, and never because a secret names them', async (vault) => {
    await vault.put('db', 'one');
    const env = configure(vault, { smtp: { apply: bring, check: compare } });
    await vault.ok(['rotate', 'db', '--hook', 'smtp'], { env });
    expect(onServer(vault)).toBe(await vault.text('db'));
    await vault.fails(3, ['hook', 'use', 'smtp', 'db'], { env });
    // One of the same id in the policy is another one.
    await vault.ok(['hook', 'set', 'smtp', '--apply', 'touch policy']);
    await vault.ok(['hook', 'use', 'smtp', 'db']);
    const before = onServer(vault);
    await vault.ok(['rotate', 'db'], { env });
    expect([existsSync(vault.in('policy')), onServer(vault)]).toEqual([true, before]);
    const { stdout } = await vault.ok(['hook', 'ls', '--json'], { env });
    expect(JSON.parse(stdout.toString())).toEqual([
      { id: 'smtp', from: 'your configuration', does: 'apply check', trusted: true },
      { id: 'smtp', from: 'policy', does: 'apply', trusted: true },
    ]);
  });

  test.each([
    [{ x: { apply: 1 } }],
    [{ x: { apply: '' } }],
    [{ x: { aply: 'true' } }],
    [{ x: { undo: 'true', check: 'true' } }],
    [{ x: { use: 'postgress' } }],
    [{ x: { use: 'postgres-alternating' } }],
    [{ 'a b': { apply: 'true' } }],
    [{}],
  ])('what will not do is refused with its place: %j', async (hooks) => {
    const vault = await BinaryVault.make();
    await vault.put('db', 'one');
    const failed = await vault.run(['rotate', 'db', '--hook', 'x'], { env: configure(vault, hooks) });
    expect([failed.status, failed.stderr]).toEqual([2, expect.stringContaining('config.json, line 1')]);
  });
});

describe('http', () => {
  interface Request {
    readonly path: string;
    readonly headers: IncomingHttpHeaders;
    readonly body: Record<string, unknown>;
  }

  interface Web {
    readonly base: string;
    readonly requests: readonly Request[];
    readonly server: Server;
  }

  const servers: Server[] = [];

  afterAll(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** A server that answers each path with a status, 200 without one. */
  async function serve(statuses: Record<string, number> = {}): Promise<Web> {
    const requests: Request[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const path = request.url ?? '';
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
        requests.push({ path, headers: request.headers, body });
        const status = statuses[path] ?? 200;
        response.writeHead(status, status === 302 ? { location: '/stolen' } : {}).end('the answer');
      });
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, server };
  }

  const settings = (base: string): string[] =>
    ['apply', 'check', 'undo', 'retire'].flatMap((step) => ['--set', `${step}=${base}/${step}`]);

  scenario('each step is a POST, with the token', async (vault) => {
    const { base, requests } = await serve();
    await vault.put('token', 'bearer-of-this');
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'web', '--use', 'http', ...settings(base), '--set', 'token=token']);
    await vault.ok(['rotate', 'db', '--hook', 'web'], { input: 'two' });
    const common = { name: 'db', environment: 'development', old: 'one', new: 'two' };
    expect(requests.map(({ path, body }) => [path, body])).toEqual([
      ['/apply', { step: 'apply', ...common }],
      ['/check', { step: 'check', ...common }],
      ['/retire', { step: 'retire', ...common }],
    ]);
    expect(new Set(requests.map(({ headers }) => headers.authorization))).toEqual(
      new Set(['Bearer bearer-of-this']),
    );
  });

  scenario('bytes that are no text are base64', async (vault) => {
    const { base, requests } = await serve();
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'web', '--use', 'http', '--set', `apply=${base}/apply`]);
    await vault.ok(['rotate', 'db', '--hook', 'web'], { input: Uint8Array.of(0xff, 0) });
    expect(requests[0]?.body).toMatchObject({ newBase64: '/wA=', old: 'one' });
  });

  scenario('an answer that is no success takes it back; a redirection is none', async (vault) => {
    const { base, requests } = await serve({ '/check': 302 });
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'web', '--use', 'http', ...settings(base)]);
    const failed = await vault.run(['rotate', 'db', '--hook', 'web'], { input: 'two-two' });
    expect([failed.status, failed.stderr.includes('the server answered 302')]).toEqual([9, true]);
    expect(failed.stderr).not.toContain('two-two');
    expect(requests.map(({ path }) => path)).toEqual(['/apply', '/check', '/undo']);
    expect(await vault.text('db')).toBe('one');
  });

  scenario('a server that is not there has changed nothing', async (vault) => {
    const { base, server } = await serve();
    server.close();
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'web', '--use', 'http', ...settings(base)]);
    await vault.fails(9, ['rotate', 'db', '--hook', 'web']);
    const { rotationsUnderWay } = (await vault.json(['status'])) as { rotationsUnderWay: unknown[] };
    expect(rotationsUnderWay).toEqual([]);
  });

  scenario('no value goes over a network without TLS', async (vault) => {
    await vault.put('db', 'one');
    for (const address of [
      'http://example.org/x',
      'ftp://127.0.0.1/x',
      'nothing',
      'https://user:pw@example.org/',
    ]) {
      await vault.fails(2, ['hook', 'set', 'web', '--use', 'http', '--set', `apply=${address}`]);
    }
    expect(await vault.text('db')).toBe('one');
  });
});
