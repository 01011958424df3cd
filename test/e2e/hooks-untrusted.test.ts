/** Servers that mean harm to the hooks that the program brings: one step fails, the rest goes on, and it is known what may have been changed. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { afterAll, describe, expect } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';
import { open } from '../support/console-terminal.ts';
import { authentication, FakePostgres, message } from '../support/fake-postgres.ts';
import { FakeRedis } from '../support/fake-redis.ts';

const first = 'of-the-first-version';
const stopping: { stop: () => void }[] = [];

afterAll(() => {
  for (const server of stopping.splice(0)) server.stop();
});

async function postgres(): Promise<FakePostgres> {
  const server = await FakePostgres.start(first);
  stopping.push(server);
  return server;
}

async function redis(): Promise<FakeRedis> {
  const server = await FakeRedis.start();
  stopping.push(server);
  return server;
}

/** A secret that this server's hook rotates. */
async function store(
  vault: BinaryVault,
  name: string,
  { port }: { readonly port: number },
  use = 'postgres',
  ...more: readonly string[]
): Promise<void> {
  const user = use === 'redis' ? {} : { username: 'app' };
  const input = JSON.stringify({ engine: use, host: '127.0.0.1', port, ...user, password: first });
  await vault.ok(['put', name, '--type', 'database-credential', '--rotate-every', '1s'], { input });
  const who = use === 'redis' ? 'users=default' : 'roles=app';
  const settings = ['host=127.0.0.1', `port=${port}`, who, ...more];
  await vault.ok(['hook', 'set', name, '--use', use, ...settings.flatMap((setting) => ['--set', setting])]);
  await vault.ok(['hook', 'use', name, name]);
}

const send = (bytes: Buffer) => (socket: Socket) => socket.write(bytes);
/** An error whose fields have no end: the client looks for it for ever. */
const endless = send(message('E', 'SFATAL'));
/** One without the number that says what it asks for: the client throws. */
const empty = send(message('R'));

const passwordOf = async (vault: BinaryVault, name: string): Promise<string> =>
  vault.text(name, '--field', 'password');
const underWay = async (vault: BinaryVault): Promise<unknown[]> =>
  ((await vault.json(['status'])) as { rotationsUnderWay: unknown[] }).rotationsUnderWay;

describe('rotate --due', () => {
  scenario('goes on where servers spin, break off, flood and talk nonsense', async (vault) => {
    const [honest, spinning, breaking, asking] = [
      await postgres(),
      await postgres(),
      await postgres(),
      await postgres(),
    ];
    spinning.instead.startup = endless;
    breaking.instead.startup = empty;
    asking.instead.startup = send(authentication(3));
    const [flooding, other] = [await redis(), await redis()];
    flooding.instead = { AUTH: '*1\r\n'.repeat(100_000) };
    other.instead = { 'ACL WHOAMI': '$5\r\nother\r\n' };
    await store(vault, 'honest', honest);
    await store(vault, 'spinning', spinning, 'postgres', 'timeout=2');
    await store(vault, 'breaking', breaking);
    await store(vault, 'asking', asking);
    await store(vault, 'flooding', flooding, 'redis');
    await store(vault, 'other', other, 'redis');
    await vault.ok(['put', 'plain', '--rotate-every', '1s'], { input: 'x' });
    await vault.ok(['hook', 'set', 'shell', '--apply', 'touch applied', '--check', 'true']);
    await vault.ok(['hook', 'use', 'shell', 'plain']);
    const due = async (): Promise<number> => ((await vault.json(['ls', '--due'])) as unknown[]).length;
    while ((await due()) < 7);

    const ended = await vault.run(['rotate', '--due', '--json']);
    expect(ended.status).toBe(1);
    const { results } = JSON.parse(ended.stdout.toString()) as {
      results: { name: string; version: number | null; reason: string | null }[];
    };
    const told = Object.fromEntries(results.map(({ name, version, reason }) => [name, version ?? reason]));
    expect([told['honest'], told['plain']]).toEqual([2, 2]);
    for (const [name, why] of [
      ['spinning', 'no answer in time'],
      ['breaking', 'its client broke off'],
      ['asking', 'no TLS proves who it is'],
      ['flooding', '(PROTOCOL)'],
      ['other', 'did not answer what was asked'],
    ] as const)
      expect(told[name]).toContain(why);
    expect(ended.stderr + ended.stdout.toString()).not.toContain(first);
    expect(existsSync(vault.in('applied'))).toBe(true);
    // Nothing was changed there, and the old values are current; the honest one has the new password.
    for (const name of ['spinning', 'breaking', 'asking', 'flooding', 'other'])
      expect(await passwordOf(vault, name)).toBe(first);
    expect(await passwordOf(vault, 'honest')).not.toBe(first);
    expect(asking.received).not.toContain(first);
    expect(await underWay(vault)).toEqual([]);
    await vault.ok(['verify']);
  });
});

describe('what breaks off a statement', () => {
  scenario('may have had it done: the new value stays pending until somebody resumes', async (vault) => {
    const server = await postgres();
    await store(vault, 'db', server);
    server.instead.statement = empty;
    const ended = await vault.run(['rotate', 'db']);
    expect([ended.status, ended.stderr.includes('which value is in use there is not known')]).toEqual([
      9,
      true,
    ]);
    expect([await passwordOf(vault, 'db'), (await underWay(vault)).length]).toEqual([first, 1]);
    await vault.ok(['verify']);
    server.instead = {};
    await vault.ok(['rotate', '--resume']);
    expect(await passwordOf(vault, 'db')).not.toBe(first);
    expect(await underWay(vault)).toEqual([]);
    // And what is current is what the server has.
    await vault.ok(['rotate', 'db']);
  });

  scenario('is broken off when vault is killed: nothing comes to a server later', async (vault) => {
    const server = await postgres();
    await store(vault, 'db', server, 'postgres', 'timeout=999');
    const cut = Promise.withResolvers<unknown>();
    const begun = new Promise((resolve) => {
      // It says nothing: what has come is waited for.
      server.instead.statement = (socket) => resolve(socket.on('close', cut.resolve));
    });
    const child = spawn(binary, ['rotate', 'db'], {
      cwd: vault.folder,
      env: vault.environment(),
      stdio: 'ignore',
    });
    await begun;
    child.kill('SIGKILL');
    await cut.promise;
    server.instead = {};
    await vault.ok(['rotate', '--resume']);
    expect(await underWay(vault)).toEqual([]);
    await vault.ok(['rotate', 'db']);
  });

  scenario('has a server that is left waiting ended by q in the console', async (vault) => {
    const server = await postgres();
    await store(vault, 'db', server);
    const cut = Promise.withResolvers<unknown>();
    const begun = new Promise((resolve) => {
      server.instead.statement = (socket) => {
        socket.on('close', cut.resolve);
        resolve(endless(socket));
      };
    });
    const { screen, terminal } = await open(vault);
    screen.type('\u001b[B');
    await screen.until(/^> db /mu);
    screen.type('ry');
    await begun;
    screen.type('q');
    expect(await terminal.end()).toBe(130);
    await cut.promise;
    expect(terminal.screen).toContain('version 2 stays pending; `vault rotate --resume`');
    server.instead = {};
    await vault.ok(['rotate', '--resume']);
    expect(await underWay(vault)).toEqual([]);
    await vault.ok(['verify']);
  });
});
