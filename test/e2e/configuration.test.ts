/** A project's vault.json, the user's config.json, and whom they may tell what. */
import { createHash } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { BinaryVault, fastKdf, scenario, type RunOptions } from '../support/binary-vault.ts';
import { PseudoTerminal } from '../support/pseudo-terminal.ts';

function project(vault: BinaryVault, content: unknown, folder = ''): string {
  const file = vault.in(folder, 'vault.json');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

function config(vault: BinaryVault, content: unknown): string {
  const folder = vault.in('.config', 'vault');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'config.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Where a write would go. */
async function environmentOf(vault: BinaryVault, flags: readonly string[] = [], options: RunOptions = {}) {
  const found = await vault.json(['put', 'probe', '--generate', '--dry-run', ...flags], options);
  return (found as { environment: string }).environment;
}

async function vaultOf(vault: BinaryVault, flags: readonly string[] = [], options: RunOptions = {}) {
  return ((await vault.json(['status', ...flags], options)) as { path: string }).path;
}

describe('settings', () => {
  scenario('of a flag, a variable, vault.json and config.json, in this order', async (vault) => {
    const env = { VAULT_ENVIRONMENT: 'testing' };
    expect(await environmentOf(vault)).toBe('development');
    config(vault, { environment: 'staging' });
    expect(await environmentOf(vault)).toBe('staging');
    project(vault, { environment: 'production' });
    expect(await environmentOf(vault)).toBe('production');
    expect(await environmentOf(vault, [], { env })).toBe('testing');
    expect(await environmentOf(vault, ['-e', 'development'], { env })).toBe('development');
  });

  scenario('say which vault', async (vault) => {
    const files = ['flag', 'variable', 'project', 'user'].map((name) =>
      vault.in(`${name}s`, 'secrets.vault'),
    );
    for (const file of files) await vault.ok(['init', file, ...fastKdf, '--no-recovery', '-q']);
    const [flag, variable, chosen, user] = files as [string, string, string, string];
    const own = vault.in('.local/share/vault/secrets.vault');
    await vault.ok(['init', '--user', ...fastKdf, '--no-recovery', '-q'], { cwd: '/' });
    // Only the user's own is found from a folder without one.
    const cwd = vault.in('flags');
    const elsewhere = { cwd: '/' };
    expect(await vaultOf(vault, [], elsewhere)).toBe(own);
    config(vault, { vault: '~/users' });
    expect(await vaultOf(vault, [], elsewhere)).toBe(user);
    // The nearest one comes before the user's own, wherever that is; what the project says comes before the nearest one.
    expect(await vaultOf(vault, [], { cwd })).toBe(flag);
    expect(await vaultOf(vault)).toBe(vault.file);
    const file = project(vault, { vault: 'projects' });
    const trust = { VAULT_TRUST_PROJECT: hashOf(file) };
    expect(await vaultOf(vault, [], { env: trust })).toBe(chosen);
    expect(await vaultOf(vault, [], { cwd, env: trust })).toBe(chosen);
    expect(await vaultOf(vault, [], { env: { ...trust, VAULT_PATH: 'variables' } })).toBe(variable);
    const both = { env: { VAULT_PATH: 'variables' } };
    expect(await vaultOf(vault, ['--vault', 'flags'], both)).toBe(flag);
    expect(await vaultOf(vault, ['--vault', flag])).toBe(flag);
  });

  scenario('say where a new vault goes', async (vault) => {
    config(vault, { vault: '~/mine/own.vault' });
    const { stdout } = await vault.ok(['init', '--user', ...fastKdf, '--no-recovery']);
    expect(stdout.toString()).toBe(`${vault.in('mine/own.vault')}\n`);
    project(vault, { vault: '../team/shared.vault' }, 'work');
    const cwd = vault.in('work');
    const args = ['init', ...fastKdf, '--no-recovery'];
    await vault.fails(5, args, { cwd });
    await vault.ok(['trust', '--yes'], { cwd });
    expect((await vault.ok(args, { cwd })).stdout.toString()).toBe(`${vault.in('team/shared.vault')}\n`);
    expect((await vault.ok([...args, 'here.vault'], { cwd })).stdout.toString()).toBe(
      `${vault.in('work/here.vault')}\n`,
    );
  });

  scenario('name an environment that a new vault must have, before it is made', async (vault) => {
    writeFileSync(vault.in('.env'), 'A=1\n');
    project(vault, { environment: 'ci' });
    const args = ['init', 'new.vault', ...fastKdf, '--no-recovery', '--from', '.env'];
    expect(await vault.fails(2, args)).toContain('no environment ci');
    expect(existsSync(vault.in('new.vault'))).toBe(false);
    await vault.ok([...args, '--environments', 'ci,production']);
    expect(await vault.json(['ls', '--vault', 'new.vault'])).toMatchObject([{ environment: 'ci' }]);
  });

  scenario('of who you are give way to a flag, a variable, and to a token', async (vault) => {
    config(vault, { principal: 'nobody-here' });
    expect(await vault.fails(4, ['ls'])).toContain('no principal nobody-here');
    await vault.ok(['ls', '--as', 'owner']);
    await vault.ok(['ls'], { env: { VAULT_PRINCIPAL: 'owner' } });
    const env = { VAULT_ACCESS_TOKEN: `vlt1_${'A'.repeat(60)}` };
    expect(await vault.fails(4, ['ls'], { env })).not.toContain('nobody-here');
  });

  scenario('are found upward, and the nearest vault.json alone counts', async (vault) => {
    project(vault, { environment: 'staging' });
    mkdirSync(vault.in('a/b'), { recursive: true });
    expect(await environmentOf(vault, [], { cwd: vault.in('a/b') })).toBe('staging');
    project(vault, {}, 'a');
    expect(await environmentOf(vault, [], { cwd: vault.in('a/b') })).toBe('development');
    project(vault, { environment: 'production' }, 'a/b');
    expect(await environmentOf(vault, [], { cwd: vault.in('a/b') })).toBe('production');
  });

  scenario('that are not understood are refused: 2, with file, line and key, and no value', async (vault) => {
    const wrong = `{\n  "environment": "development",\n  "enviroment": "${vault.canary.value}"\n}\n`;
    const files = [vault.asked(project(vault, wrong)), vault.asked(config(vault, '{}'))] as const;
    const cases: readonly (readonly [string, RegExp])[] = [
      [wrong, /, line 3: there is no key "enviroment"/u],
      [`{"vault": "/x",\n"vault": "${vault.canary.value}"}`, /, line 2: "vault" is there twice/u],
      [`{"a":\n'${vault.canary.value}'}`, /, line 2: expected a value/u],
      [`["${vault.canary.value}"]`, /, line 1: all of it must be an object/u],
      [`{"__proto__": {"environment": "${vault.canary.value}"}}`, /, line 1: there is no key "__proto__"/u],
      [`// ${vault.canary.value}\n{}`, /, line 1: expected a value/u],
      ['', /, line 1: it ends too early/u],
      [`{"environment": "${'x'.repeat(300_000)}"}`, /is larger than 262144 bytes/u],
    ];
    for (const file of files) {
      for (const [content, message] of cases) {
        writeFileSync(file, content);
        const text = await vault.fails(2, ['ls']);
        expect(text).toMatch(message);
        expect(text).toContain(file);
        expect(JSON.parse(await vault.fails(2, ['ls', '--json']))).toMatchObject({ code: 'USAGE' });
      }
      writeFileSync(file, Buffer.from([0x7b, 0xff, 0x7d]));
      expect(await vault.fails(2, ['get', 'canary'])).toContain(`${file} is not UTF-8 text`);
      expect(await vault.fails(125, ['exec', '--', 'touch', 'ran'])).toContain(file);
      writeFileSync(file, '{}');
    }
    expect(existsSync(vault.in('ran'))).toBe(false);
    // Before anybody types a passphrase.
    writeFileSync(files[0], wrong);
    await vault.fails(2, ['ls'], { env: { VAULT_PASSPHRASE: undefined } });
  });

  scenario('that flags and variables make needless are not read', async (vault) => {
    project(vault, 'nonsense');
    config(vault, 'nonsense');
    await vault.ok(['get', 'canary', '--vault', '.vault', '-e', 'development', '--as', 'owner'], {
      shows: true,
    });
    await vault.ok(['--help']);
    await vault.ok(['--version']);
    await vault.ok(['init', '--help']);
  });

  scenario('in a link or a special file are refused: 7', async (vault) => {
    const file = project(vault, { environment: 'staging' });
    rmSync(file);
    writeFileSync(vault.in('elsewhere.json'), '{}');
    symlinkSync(vault.in('elsewhere.json'), file);
    expect(await vault.fails(7, ['ls'])).toContain(file);
    expect(await vault.fails(7, ['trust', '--yes'])).toContain(file);
    rmSync(file);
    mkdirSync(file);
    await vault.fails(7, ['ls']);
    rmSync(file, { recursive: true });
    await vault.shell('mkfifo vault.json');
    await vault.fails(7, ['ls']);
  });

  it.runIf(process.getuid?.() === 0)(
    'are refused in somebody else’s file, and not looked for in somebody else’s folder',
    async () => {
      const vault = await BinaryVault.make();
      const file = project(vault, { environment: 'staging' });
      chownSync(file, 12_345, 12_345);
      expect(await vault.fails(7, ['ls'])).toContain(`${file} does not belong to you`);
      chownSync(file, 0, 0);
      mkdirSync(vault.in('theirs/mine'), { recursive: true });
      project(vault, { environment: 'production' }, 'theirs');
      chownSync(vault.in('theirs'), 12_345, 12_345);
      const options = { cwd: vault.in('theirs/mine'), env: { VAULT_PATH: vault.file } };
      expect(await environmentOf(vault, [], options)).toBe('development');
      expect(await environmentOf(vault)).toBe('staging');
    },
  );
});

describe('exec in a project', () => {
  const names = ['exec', '--', '/usr/bin/env', '-0'];

  async function variables(vault: BinaryVault, args: readonly string[] = names) {
    const { stdout, stderr } = await vault.ok(args, { shows: true });
    const pairs = stdout.toString().split('\0').slice(0, -1);
    const all = Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
    return { all, stderr };
  }

  scenario('hands over what vault.json requires, and nothing else', async (vault) => {
    await vault.put('db/password', 'p', '--type', 'password', '--var', 'RECORDED');
    await vault.put('api', 'a', '--type', 'password');
    await vault.put('__proto__', 'x');
    project(
      vault,
      '{"required":{"db/password":{"type":"password","variable":"PGPASSWORD","description":"of the app"},"api":{"type":"api-key"},"__proto__":{"variable":"PROTO"}}}',
    );
    const { all, stderr } = await variables(vault);
    expect(all).toMatchObject({ PGPASSWORD: 'p', API: 'a', PROTO: 'x' });
    for (const name of ['CANARY', 'RECORDED', 'DB_PASSWORD']) expect(all).not.toHaveProperty(name);
    expect(stderr).toBe(
      'vault: warning: "api" is of type password in development; vault.json says api-key\n',
    );
    expect(
      (await variables(vault, ['exec', '--prefix', 'X_', '--', '/usr/bin/env', '-0'])).all,
    ).toMatchObject({
      X_PGPASSWORD: 'p',
      X_API: 'a',
    });
    project(vault, { required: { 'db/password': {} } });
    expect((await variables(vault)).all).toMatchObject({ RECORDED: 'p' });
  });

  scenario('hands over what is selected, whatever vault.json requires', async (vault) => {
    await vault.put('other', 'o');
    project(vault, { required: { absent: {} } });
    const { all } = await variables(vault, ['exec', '--only', 'other', '--', '/usr/bin/env', '-0']);
    expect(all).toMatchObject({ OTHER: 'o' });
    const mapped = await variables(vault, ['exec', '--map', 'X=other', '--', '/usr/bin/env', '-0']);
    expect(mapped.all).toMatchObject({ X: 'o' });
    expect(mapped.all).not.toHaveProperty('CANARY');
    await vault.ok(['exec', '--stdin', 'other', '--', 'cat']);
  });

  scenario(
    'does not run without what vault.json requires: all that is missing in one message',
    async (vault) => {
      await vault.put('gone', 'x');
      await vault.ok(['rm', 'gone']);
      project(vault, { required: { canary: {}, 'b/c': {}, gone: {}, a: { type: 'token' } } });
      const text = await vault.fails(125, ['exec', '--', 'touch', 'ran']);
      expect(text).toContain('"b/c", "gone", "a" are required by vault.json and not in development');
      expect(JSON.parse(await vault.fails(125, ['exec', '--json', '--', 'touch', 'ran']))).toMatchObject({
        code: 'SECRET_NOT_FOUND',
      });
      expect(await vault.fails(125, ['exec', '-e', 'staging', '--', 'touch', 'ran'])).toContain(
        '"canary", "b/c"',
      );
      expect(existsSync(vault.in('ran'))).toBe(false);
      expect(await vault.json(['audit', '--failed', '--name', 'canary'])).toMatchObject([
        { operation: 'exec' },
      ]);
    },
  );

  scenario('takes no variable from vault.json that changes what programs do', async (vault) => {
    project(vault, { required: { canary: { variable: 'LD_PRELOAD' } } });
    expect(await vault.fails(125, ['exec', '--', 'true'])).toContain('LD_PRELOAD');
    project(vault, { required: { canary: { variable: 'PATH' } } });
    expect(await vault.fails(125, ['exec', '--', 'true'])).toContain('PATH');
  });

  scenario('hands over all of the environment where nothing is required', async (vault) => {
    await vault.put('other', 'o');
    project(vault, { environment: 'development' });
    expect((await variables(vault)).all).toMatchObject({ CANARY: vault.canary.value, OTHER: 'o' });
  });
});

/** At a terminal, with a passphrase given. */
function at(vault: BinaryVault, args: readonly string[]): PseudoTerminal {
  const env = { ...vault.environment({ TERM: 'xterm' }) };
  return new PseudoTerminal(binary, args, { env, cwd: vault.folder });
}

describe('trust', () => {
  const guarded = { vault: '.vault', environment: 'development' };

  scenario('is needed for the vault of a project, and for nothing else of it', async (vault) => {
    project(vault, guarded);
    const error = JSON.parse(await vault.fails(5, ['ls', '--json'])) as { code: string; hint: string };
    expect(error.code).toBe('UNTRUSTED_PROJECT');
    expect(error.hint).toContain('VAULT_TRUST_PROJECT');
    await vault.fails(5, ['ls', '--no-input']);
    await vault.fails(125, ['exec', '--', 'touch', 'ran']);
    expect(existsSync(vault.in('ran'))).toBe(false);
    await vault.ok(['ls', '--vault', '.vault']);
    await vault.ok(['ls'], { env: { VAULT_PATH: '.vault' } });
    project(vault, {
      environment: 'development',
      required: { canary: {} },
      providers: { p: { type: 'env' } },
      chain: { default: ['p'] },
    });
    await vault.ok(['ls']);
    await vault.ok(['exec', '--', 'true']);
  });

  scenario('is given to bytes at a path, and ends when either changes', async (vault) => {
    const file = project(vault, guarded);
    await vault.fails(2, ['trust']);
    await vault.fails(5, ['ls']);
    const { stdout, stderr } = await vault.ok(['trust', '--yes']);
    expect(stdout.toString()).toBe('');
    for (const shown of [file, hashOf(file), vault.in('.vault')]) expect(stderr).toContain(shown);
    await vault.ok(['ls']);
    await vault.ok(['ls', '--no-input']);
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n`);
    expect(await vault.fails(5, ['ls'])).toContain('has changed since you accepted it');
    await vault.ok(['trust', '-y', '-q']);
    await vault.ok(['ls']);
    // The same bytes elsewhere are another file.
    project(vault, readFileSync(file, 'utf8'), 'copy');
    await vault.fails(5, ['ls'], { cwd: vault.in('copy') });
    writeFileSync(file, JSON.stringify({ vault: 'other' }));
    await vault.fails(5, ['ls']);
  });

  scenario('is given by the hash in VAULT_TRUST_PROJECT', async (vault) => {
    const file = project(vault, guarded);
    await vault.ok(['ls'], { env: { VAULT_TRUST_PROJECT: hashOf(file) } });
    await vault.ok(['ls', '--no-input'], { env: { VAULT_TRUST_PROJECT: hashOf(file).toUpperCase() } });
    for (const wrong of ['', '0'.repeat(64), '1', 'true']) {
      await vault.fails(5, ['ls'], { env: { VAULT_TRUST_PROJECT: wrong } });
    }
    await vault.fails(5, ['ls']);
  });

  scenario('is kept for its owner alone, listed, and taken back', async (vault) => {
    const file = project(vault, guarded);
    expect(await vault.json(['trust', '--list'])).toEqual([]);
    await vault.ok(['trust', '--yes']);
    const folder = path.join(vault.state, 'vault', 'trust');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const [only] = (await vault.json(['trust', '--list'])) as Record<string, string>[];
    expect(only).toMatchObject({ file, sha256: hashOf(file), state: 'trusted' });
    expect((await vault.ok(['trust', '--list'])).stdout.toString()).toContain(file);
    writeFileSync(file, '{}');
    expect(await vault.json(['trust', '--list'])).toMatchObject([{ state: 'changed' }]);
    rmSync(file);
    expect(await vault.json(['trust', '--list'])).toMatchObject([{ state: 'gone' }]);
    await vault.fails(3, ['trust', '--forget']);
    expect(await vault.json(['trust', '--forget', file])).toEqual({ file, forgotten: true });
    expect(await vault.json(['trust', '--list'])).toEqual([]);
    expect(await vault.json(['trust', '--forget', file])).toEqual({ file, forgotten: false });
    project(vault, guarded);
    await vault.ok(['trust', '--yes']);
    writeFileSync(file, 'nonsense');
    // Also where the file is not understood any more; and by its folder.
    expect(await vault.json(['trust', '--forget'])).toMatchObject({ forgotten: true });
    project(vault, guarded, 'sub');
    await vault.ok(['trust', '--yes'], { cwd: vault.in('sub') });
    expect(await vault.json(['trust', '--forget', 'sub'])).toMatchObject({ forgotten: true });
    await vault.fails(2, ['trust', '--list', '--forget']);
  });

  scenario('is not needed, or not to be had', async (vault) => {
    await vault.fails(3, ['trust', '--yes']);
    const file = project(vault, { environment: 'staging' });
    expect(await vault.json(['trust'])).toEqual({ file, sha256: hashOf(file), keys: [], trusted: true });
    expect(await vault.json(['trust', '--list'])).toEqual([]);
    project(vault, 'nonsense');
    await vault.fails(2, ['trust', '--yes']);
    project(vault, guarded);
    const homeless = { HOME: '/nonexistent', XDG_STATE_HOME: undefined };
    expect(await vault.fails(2, ['trust', '--yes'], { env: homeless })).toContain('VAULT_TRUST_PROJECT');
  });

  scenario('is asked for at a terminal, with all that would take effect', async (vault) => {
    project(vault, { ...guarded, providers: { p: { type: 'command', command: 'curl \u001b[31m evil' } } });
    const untrusted = at(vault, ['ls']);
    expect(await untrusted.end()).toBe(5);
    expect(untrusted.screen).toContain('accept it with `vault trust`');
    expect(untrusted.screen).not.toContain('VAULT_TRUST_PROJECT');
    const declined = at(vault, ['trust']);
    await declined.sees('take effect?');
    expect(declined.screen).toContain(vault.in('.vault'));
    expect(declined.screen).toContain('command="curl \\u001b[31m evil"');
    declined.type('n\r');
    expect(await declined.end()).toBe(1);
    await vault.fails(5, ['ls']);
    const accepted = at(vault, ['trust']);
    await accepted.sees('take effect?');
    // What was shown is what is accepted.
    project(vault, { vault: 'evil.vault' });
    accepted.type('y\r');
    expect(await accepted.end()).toBe(0);
    expect(await vault.fails(5, ['ls'])).toContain('has changed since');
    const again = at(vault, ['trust']);
    await again.sees('It has changed since');
    again.type('\u0003');
    expect(await again.end()).toBe(130);
  });
});
