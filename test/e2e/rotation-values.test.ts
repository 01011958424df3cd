/** What a rotation takes for a new value, what it refuses, and which secrets `rotate --all` leaves alone. */
import { writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';

const credential = '{"engine":"mysql","host":"h","username":"u","password":"one"}';

interface Row {
  readonly name: string;
  readonly environment: string;
  readonly version: number | null;
}

async function many(vault: BinaryVault, args: readonly string[], env = {}) {
  const ended = await vault.run(['rotate', ...args, '--json'], { env });
  const { results } = JSON.parse(ended.stdout.toString()) as { results: readonly Row[] };
  const done = results.filter(({ version }) => version !== null).map(({ name }) => name);
  const left = results.filter(({ version }) => version === null).map(({ name }) => name);
  return { status: ended.status, done, left };
}

describe('of a database credential', () => {
  scenario('text becomes the password, from a pipe and from a command', async (vault) => {
    await vault.put('db', credential, '--type', 'database-credential');
    await vault.ok(['rotate', 'db'], { input: 'two@pipe\n' });
    expect(JSON.parse(await vault.text('db'))).toEqual({ ...JSON.parse(credential), password: 'two@pipe' });
    await vault.ok(['rotate', 'db', '--command', 'echo three']);
    expect(await vault.text('db', '--field', 'url')).toBe('mysql://u:three@h');
  });

  scenario('an object replaces all of it, and text what is no object', async (vault) => {
    await vault.put('db', credential, '--type', 'database-credential');
    const other = credential.replace('one', 'two').replace('"h"', '"g"');
    await vault.ok(['rotate', 'db'], { input: other });
    expect(await vault.text('db')).toBe(other);
    await vault.put('url', 'mysql://u:one@h', '--type', 'database-credential');
    await vault.ok(['rotate', 'url'], { input: 'mysql://u:two@h' });
    expect(await vault.text('url')).toBe('mysql://u:two@h');
    await vault.fails(2, ['rotate', 'url'], { input: 'three' });
    await vault.fails(2, ['rotate', 'db'], { input: 'mysql://u:two@h' });
    expect([await vault.text('db'), await vault.text('url')]).toEqual([other, 'mysql://u:two@h']);
  });
});

describe('standard input', () => {
  scenario('is told as the source, and told to be empty', async (vault) => {
    await vault.put('api', 'one');
    expect((await vault.ok(['rotate', 'api'], { input: 'two' })).stderr).toContain('from standard input');
    expect((await vault.shell('false | "$VAULT" rotate api')).stderr).toContain('standard input is empty');
    expect((await vault.ok(['rotate', 'api'])).stderr).not.toContain('standard input');
    const failed = await vault.fails(3, ['rotate', 'nothing', '--json'], { input: 'two' });
    expect(JSON.parse(failed)).toMatchObject({ code: 'SECRET_NOT_FOUND' });
    const conflict = await vault.fails(8, ['rotate', 'api', '--if-version', '9', '--json'], { input: 'two' });
    expect(JSON.parse(conflict)).toMatchObject({ code: 'CONFLICT' });
  });

  scenario('is where a value belongs, and an argument is not: it is not quoted', async (vault) => {
    for (const json of [[], ['--json']]) {
      const said = await vault.fails(2, ['put', 'api', 'hunter22-value', ...json]);
      expect(said).toContain('a value is never an argument');
      expect(said).not.toContain('hunter22-value');
    }
  });
});

describe('nothing to run', () => {
  scenario('is no hook: nothing is rotated', async (vault) => {
    await vault.put('api', 'one');
    for (const blank of ['', '  ']) {
      for (const flag of ['--apply', '--check', '--command'])
        await vault.fails(2, ['rotate', 'api', flag, blank]);
      await vault.fails(2, ['hook', 'set', 'h', '--apply', blank]);
    }
    expect(await vault.text('api')).toBe('one');
  });
});

describe('a failure that nothing takes back', () => {
  scenario('is told, for the value may be in use', async (vault) => {
    await vault.put('db', 'one');
    const failing = ['--apply', 'printf %s "$VAULT_NEW_VALUE" > server; exit 1'];
    const told = await vault.fails(9, ['rotate', 'db', ...failing]);
    expect(told).toContain('if version 2 is in use somewhere, it still is');
    expect(await vault.fails(9, ['rotate', 'db', ...failing, '--undo', 'true'])).not.toContain('somewhere');
  });
});

describe('variables of the runtime', () => {
  scenario('that would print values are refused', async (vault) => {
    await vault.put('db', 'one');
    for (const debug of ['child_process', 'http,CHILD_PROCESS', '*']) {
      const told = await vault.fails(2, ['rotate', 'db', '--apply', 'true'], { env: { NODE_DEBUG: debug } });
      expect(told).toContain('NODE_DEBUG would print values');
    }
    await vault.ok(['rotate', 'db', '--apply', 'true'], { env: { NODE_DEBUG: 'fs' } });
    await vault.fails(125, ['exec', '--', 'true'], { env: { NODE_DEBUG: 'child_process' } });
  });

  scenario('that would let anybody be the server are refused', async (vault) => {
    await vault.put('db', 'one');
    await vault.ok(['hook', 'set', 'h', '--use', 'http', '--set', 'apply=https://localhost:1/']);
    const env = { NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    const told = await vault.fails(9, ['rotate', 'db', '--hook', 'h'], { env });
    expect(told).toContain('lets anybody be the server');
    expect(await vault.text('db')).toBe('one');
  });
});

describe('an expired secret', () => {
  scenario('can be read again once it has a new value', async (vault) => {
    for (const [name, renew] of [
      ['rotated', ['rotate', 'rotated']],
      ['put', ['put', 'put', '--generate']],
      ['hooked', ['rotate', 'hooked', '--apply', 'true']],
    ] as const) {
      const stored = await vault.put(name, 'one', '--expires', '2020-01-01');
      expect(stored.stderr).toContain('refused from the start');
      await vault.fails(6, ['get', name]);
      const { stderr } = await vault.ok(renew);
      expect(stderr).toContain('the new one has no expiry');
      expect(await vault.text(name)).not.toBe('one');
    }
  });

  scenario('that is renewed in time keeps its expiry', async (vault) => {
    await vault.put('api', 'one', '--expires', '2999-01-01');
    expect((await vault.ok(['rotate', 'api'])).stderr).not.toContain('expir');
    expect(await vault.json(['show', 'api'])).toMatchObject({ expires: '2999-01-01T00:00:00.000Z' });
  });
});

describe('grace', () => {
  scenario('that another value ends is told, with hooks and without', async (vault) => {
    const ended = 'is not its previous one any more';
    await vault.put('api', 'one');
    await vault.ok(['rotate', 'api', '--grace', '1h']);
    const second = await vault.ok(['rotate', 'api', '--apply', 'true', '--grace', '1h']);
    expect(second.stderr).toContain(ended);
    expect((await vault.put('api', 'four')).stderr).toContain(ended);
    expect((await vault.put('api', 'five')).stderr).not.toContain(ended);
  });
});

describe('rotate --all', () => {
  scenario('leaves alone what may be a setting', async (vault) => {
    await vault.ok(['rm', 'canary', '--purge', '--yes']);
    await vault.put('level', 'debug');
    await vault.put('pass', 'one', '--type', 'password');
    await vault.put('own', 'one', '--rotate-every', '30d');
    await vault.put('hooked', 'one');
    await vault.ok(['hook', 'set', 'h', '--apply', 'true']);
    await vault.ok(['hook', 'use', 'h', 'hooked']);
    const expected = { done: ['own', 'pass', 'hooked'].sort(), left: ['level'] };
    for (const args of [['--all', '--dry-run'], ['--all']]) {
      const { status, done, left } = await many(vault, args);
      expect([status, { done: [...done].sort(), left }]).toEqual([1, expected]);
    }
    expect(await vault.text('level')).toBe('debug');
    expect(await many(vault, ['--all', '--generate', 'hex:8'])).toMatchObject({ status: 0, left: [] });
    expect(await vault.text('level')).toMatch(/^[0-9a-f]{16}$/u);
  });

  scenario('is for the environment that is set, however it is set', async (vault) => {
    await vault.put('here', 'one', '--type', 'password');
    await vault.ok(['put', 'there', '-e', 'staging', '--generate', '--type', 'password']);
    const all = ['--all', '--type', 'password', '--dry-run'];
    expect((await many(vault, all)).done.sort()).toEqual(['here', 'there']);
    expect((await many(vault, [...all, '-e', 'staging'])).done).toEqual(['there']);
    expect((await many(vault, all, { VAULT_ENVIRONMENT: 'staging' })).done).toEqual(['there']);
    writeFileSync(vault.in('vault.json'), '{"environment":"development"}');
    expect((await many(vault, all)).done).toEqual(['here']);
  });
});

describe('status', () => {
  scenario('is of the environment that is named', async (vault) => {
    const { environments } = (await vault.json(['status', '-e', 'staging'])) as { environments: Row[] };
    expect(environments.map(({ name }) => name)).toEqual(['staging']);
    await vault.fails(2, ['status', '-e', 'nowhere']);
  });
});
