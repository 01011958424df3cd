/** A new vault: where it goes, what it is protected with, and how it is found again. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { BinaryVault, fastKdf, scenario } from '../support/binary-vault.ts';

const mode = (file: string): string => (statSync(file).mode & 0o777).toString(8);
const fast = [...fastKdf, '--no-recovery'];

const strong = 'tundra-basil-oxcart-plinth-veto';

describe('init', () => {
  test('makes folders and files for their owner alone, whatever the umask', async () => {
    const vault = new BinaryVault();
    const { stdout } = await vault.shell(`umask 000; $VAULT init ${fast.join(' ')}`);
    expect(stdout.toString()).toBe(`${vault.file}\n`);
    expect(mode(vault.in('.vault'))).toBe('700');
    for (const file of readdirSync(vault.in('.vault')))
      expect([file, mode(vault.in('.vault', file))]).toEqual([file, '600']);
    expect(mode(vault.in('state', 'vault'))).toBe('700');
    for (const file of readdirSync(vault.in('state', 'vault')))
      expect(mode(vault.in('state', 'vault', file))).toBe('600');
    const deep = await vault.shell(`umask 000; $VAULT init a/b/c.vault ${fast.join(' ')}`);
    expect(deep.stdout.toString()).toBe(`${vault.in('a/b/c.vault')}\n`);
    expect([mode(vault.in('a')), mode(vault.in('a/b')), mode(vault.in('a/b/c.vault'))]).toEqual([
      '700',
      '700',
      '600',
    ]);
  });

  test('leaves an existing folder as it is', async () => {
    const vault = new BinaryVault();
    mkdirSync(vault.in('shared'), { mode: 0o755 });
    await vault.ok(['init', 'shared/team.vault', ...fast]);
    expect(mode(vault.in('shared'))).toBe('755');
  });

  test('without a terminal wants to know where the recovery key goes', async () => {
    const vault = new BinaryVault();
    const message = await vault.fails(2, ['init', ...fastKdf]);
    expect(message).toContain('--recovery-file');
    await vault.fails(2, ['init', ...fastKdf, '--recovery-file', 'key', '--no-recovery']);
    expect(readdirSync(vault.folder)).toEqual([]);
  });

  test('warns of a passphrase that is easy to guess, wherever a new one comes from', async () => {
    const warning = 'the passphrase is easy to guess';
    const weak = new BinaryVault({ VAULT_PASSPHRASE: 'Summer2024!' });
    const made = await weak.ok(['init', ...fastKdf, '--no-recovery']);
    expect(made.stderr).toContain(warning);
    writeFileSync(weak.in('strong'), `${strong}\n`);
    writeFileSync(weak.in('weak'), 'letmein99\n');
    const changes = ['passwd', ...fastKdf, '--new-passphrase-file'];
    expect((await weak.ok([...changes, 'strong'])).stderr).not.toContain(warning);
    const env = { VAULT_PASSPHRASE: strong };
    expect((await weak.ok([...changes, 'weak'], { env })).stderr).toContain(warning);
    const withFactor = new BinaryVault({ VAULT_PASSPHRASE: 'Summer2024!' });
    writeFileSync(withFactor.in('key'), Buffer.alloc(64, 7));
    const second = ['init', ...fastKdf, '--no-recovery', '--key-file', 'key'];
    expect((await withFactor.ok(second)).stderr).not.toContain(warning);
    const other = new BinaryVault(env);
    expect((await other.ok(['init', ...fastKdf, '--no-recovery'])).stderr).not.toContain(warning);
  });

  test('writes the recovery key to a new file of 0600, and nowhere else; it lets one back in', async () => {
    const vault = new BinaryVault();
    const { stdout, stderr } = await vault.ok(['init', ...fastKdf, '--recovery-file', 'key']);
    const key = readFileSync(vault.in('key'), 'utf8');
    expect(key).toMatch(/^VRK1[0-9A-HJKMNP-TV-Z-]{58,}\n$/u);
    expect(mode(vault.in('key'))).toBe('600');
    expect(`${stdout.toString()}${stderr}`).not.toContain('VRK1');
    writeFileSync(vault.in('new'), 'the second passphrase\n');
    const flags = [
      '--recovery-key-file',
      'key',
      '--new-passphrase-file',
      'new',
      '--recovery-file',
      'next',
      ...fastKdf,
    ];
    await vault.ok(['recover', ...flags], { env: { VAULT_PASSPHRASE: undefined } });
    await vault.fails(4, ['ls']);
    await vault.ok(['ls'], { env: { VAULT_PASSPHRASE: 'the second passphrase' } });
    // The used key is spent, the next one is not.
    const again = ['--new-passphrase-file', 'new', '--no-recovery', ...fastKdf];
    await vault.fails(4, ['recover', '--recovery-key-file', 'key', ...again]);
    await vault.ok(['recover', '--recovery-key-file', 'next', ...again]);
    writeFileSync(vault.in('bad'), `${key.slice(0, -3)}00\n`);
    await vault.fails(4, ['recover', '--recovery-key-file', 'bad', ...again]);
  });

  test('does not write the recovery key over a file, nor through a link', async () => {
    const vault = new BinaryVault();
    writeFileSync(vault.in('key'), 'mine');
    symlinkSync('elsewhere', vault.in('link'));
    await vault.fails(8, ['init', ...fastKdf, '--recovery-file', 'key']);
    await vault.fails(8, ['init', ...fastKdf, '--recovery-file', 'link']);
    expect(readFileSync(vault.in('key'), 'utf8')).toBe('mine');
    expect(existsSync(vault.in('elsewhere'))).toBe(false);
    expect(existsSync(vault.file)).toBe(false);
  });

  test('leaves no recovery file behind when it fails', async () => {
    const vault = new BinaryVault();
    await vault.ok(['init', ...fast]);
    await vault.fails(8, ['init', ...fastKdf, '--recovery-file', 'key']);
    await vault.fails(2, ['init', 'x.vault', ...fastKdf, '--recovery-file', 'key', '--environments', 'a,a']);
    expect(existsSync(vault.in('key'))).toBe(false);
  });

  scenario('does not touch a vault that is there', async (vault) => {
    const before = readFileSync(vault.file);
    await vault.fails(8, ['init', ...fast]);
    await vault.fails(8, ['init', vault.file, ...fast]);
    await vault.fails(8, ['init', '.vault', ...fast]);
    expect(readFileSync(vault.file).equals(before)).toBe(true);
  });

  scenario('does not write through a link', async (vault) => {
    symlinkSync('target.vault', vault.in('link.vault'));
    await vault.fails(7, ['init', 'link.vault', ...fast]);
    expect(existsSync(vault.in('target.vault'))).toBe(false);
    symlinkSync(vault.file, vault.in('other.vault'));
    await vault.fails(7, ['init', 'other.vault', ...fast]);
    expect(await vault.text('canary', '--vault', vault.file)).toBe(vault.canary.value);
  });

  for (const suffix of ['.lock', '.audit.jsonl', '.new']) {
    test(`does not follow a link at ${suffix}`, async () => {
      const vault = new BinaryVault();
      writeFileSync(vault.in('target'), 'untouched');
      symlinkSync('target', vault.in(`x.vault${suffix}`));
      await vault.fails(7, ['init', 'x.vault', ...fast]);
      expect(readFileSync(vault.in('target'), 'utf8')).toBe('untouched');
    });
  }

  test('has the environments it is told, and imports at once', async () => {
    const vault = new BinaryVault();
    writeFileSync(
      vault.in('.env'),
      `export DATABASE_URL="postgres://x"\nhttp_proxy=proxy:1\n# comment\nEMPTY=\n`,
    );
    await vault.ok(['init', ...fast, '--environments', 'live, test', '--from', '.env']);
    const { environments } = (await vault.json(['status'])) as {
      environments: { name: string; secrets: number }[];
    };
    expect(environments.map(({ name, secrets }) => [name, secrets])).toEqual([
      ['live', 3],
      ['test', 0],
    ]);
    expect(await vault.text('DATABASE_URL')).toBe('postgres://x');
    for (const names of ['', 'a,,b', 'a,a', 'with space']) {
      await vault.fails(2, ['init', 'y.vault', ...fast, '--environments', names]);
    }
    await vault.fails(3, ['init', 'y.vault', ...fast, '--from', 'absent']);
    expect(existsSync(vault.in('y.vault'))).toBe(false);
  });

  test('prints JSON', async () => {
    const vault = new BinaryVault();
    const made = await vault.json(['init', ...fast]);
    expect(made).toEqual({ path: vault.file, vaultId: expect.stringMatching(/^[\w-]{22}$/u) as unknown });
  });
});

describe('key derivation', () => {
  test('has bounds, on creation', async () => {
    const vault = new BinaryVault();
    const outside: readonly (readonly string[])[] = [
      ['--memory', '7'],
      ['--memory', '2049'],
      ['--passes', '0'],
      ['--passes', '33'],
      ['--lanes', '0'],
      ['--lanes', '17'],
      ['--memory', '8', '--lanes', '1', '--passes', 'x'],
      ['--kdf', 'pbkdf2', '--iterations', '99999'],
      ['--kdf', 'pbkdf2', '--iterations', '10000001'],
      ['--kdf', 'pbkdf2', '--memory', '64'],
      ['--kdf', 'scrypt'],
      ['--iterations', '600000'],
    ];
    for (const flags of outside) await vault.fails(2, ['init', '--no-recovery', ...flags]);
    expect(existsSync(vault.file)).toBe(false);
  });

  test('warns where it is weak, and only there', async () => {
    const vault = new BinaryVault({ VAULT_PASSPHRASE: strong });
    const cases: readonly (readonly [string, readonly string[], boolean])[] = [
      ['a', ['--memory', '8', '--passes', '1'], true],
      ['b', ['--memory', '18', '--passes', '2'], true],
      ['c', ['--memory', '19', '--passes', '2'], false],
      ['d', ['--kdf', 'pbkdf2', '--iterations', '599999'], true],
      ['e', ['--kdf', 'pbkdf2', '--iterations', '600000'], false],
      ['f', [], false],
    ];
    for (const [name, flags, warned] of cases) {
      const { stderr } = await vault.ok(['init', `${name}.vault`, '--no-recovery', ...flags]);
      expect([name, stderr.includes('warning')], stderr).toEqual([name, warned]);
    }
  });

  test('gives the same key by both engines', async () => {
    const vault = new BinaryVault();
    await vault.ok(['init', '--no-recovery', '--memory', '8', '--passes', '1', '--lanes', '2'], {
      env: { VAULT_KDF_ENGINE: 'wasm' },
    });
    await vault.put('x', 'y');
    expect(await vault.text('x')).toBe('y');
    const { stdout } = await vault.ok(['get', 'x'], { env: { VAULT_KDF_ENGINE: undefined } });
    expect(stdout.toString()).toBe('y');
  });

  test('may need a key file too', async () => {
    const vault = new BinaryVault();
    writeFileSync(vault.in('short'), 'x'.repeat(31));
    writeFileSync(vault.in('factor'), 'k'.repeat(32));
    writeFileSync(vault.in('other'), 'K'.repeat(32));
    await vault.fails(2, ['init', ...fast, '--key-file', 'short']);
    await vault.ok(['init', ...fast, '--key-file', 'factor']);
    await vault.fails(4, ['ls']);
    await vault.fails(4, ['ls', '--key-file', 'other']);
    await vault.fails(3, ['ls', '--key-file', 'absent']);
    await vault.fails(4, ['ls', '--key-file', 'factor'], { env: { VAULT_PASSPHRASE: 'wrong' } });
    await vault.ok(['ls', '--key-file', 'factor']);
    await vault.ok(['ls'], { env: { VAULT_KEY_FILE: 'factor' } });
  });

  test('takes a passphrase in either Unicode form, and 10,000 bytes of it', async () => {
    const vault = new BinaryVault();
    const long = 'é'.repeat(5_000);
    await vault.ok(['init', ...fast], { env: { VAULT_PASSPHRASE: long.normalize('NFC') } });
    await vault.ok(['ls'], { env: { VAULT_PASSPHRASE: long.normalize('NFD') } });
    await vault.fails(4, ['ls'], { env: { VAULT_PASSPHRASE: `${long}e` } });
    await vault.fails(2, ['init', 'x.vault', ...fast], { env: { VAULT_PASSPHRASE: '' } });
  });
});

describe('the vault that is meant', () => {
  scenario('is the nearest upward', async (vault) => {
    mkdirSync(vault.in('a', 'b', 'c'), { recursive: true });
    const below = { cwd: vault.in('a', 'b', 'c') };
    const found = async (): Promise<unknown> =>
      ((await vault.json(['status'], below)) as { path: string }).path;
    expect(await found()).toBe(vault.file);
    await vault.ok(['init', 'a/near.vault', ...fast]);
    expect(await found()).toBe(vault.in('a', 'near.vault'));
  });

  scenario('is not chosen between two', async (vault) => {
    await vault.ok(['init', 'second.vault', ...fast]);
    const message = await vault.fails(2, ['get', 'canary']);
    expect(message).toContain(vault.file);
    expect(message).toContain(vault.in('second.vault'));
    expect(await vault.text('canary', '--vault', '.vault/secrets.vault')).toBe(vault.canary.value);
  });

  scenario('is named by flag, by variable, by its folder', async (vault) => {
    const elsewhere = { cwd: '/', shows: true };
    const by = async (args: readonly string[], env: Record<string, string>): Promise<void> => {
      const { stdout } = await vault.ok(['get', 'canary', ...args], { ...elsewhere, env });
      expect(stdout.toString()).toBe(vault.canary.value);
    };
    await by([], { VAULT_PATH: vault.file });
    await by([], { VAULT_PATH: vault.in('.vault') });
    await by(['--vault', vault.file], { VAULT_PATH: '/nonexistent' });
    await by(['--vault', vault.in('.vault')], {});
    expect(await vault.run(['--vault', vault.file, 'get', 'canary'], elsewhere)).toMatchObject({ status: 0 });
    expect(await vault.text('canary', '-e', 'development')).toBe(vault.canary.value);
    await vault.put('p', 'production', '-e', 'production');
    const { stdout } = await vault.ok(['get', 'p'], { env: { VAULT_ENVIRONMENT: 'production' } });
    expect(stdout.toString()).toBe('production');
    await vault.fails(3, ['get', 'p', '-e', 'development'], { env: { VAULT_ENVIRONMENT: 'production' } });
  });

  scenario('opens where nothing can be remembered', async (vault) => {
    vault.forget();
    writeFileSync(vault.state, '');
    await vault.text('canary');
  });

  scenario('may be the user’s own', async (vault) => {
    const { stdout } = await vault.ok(['init', '--user', ...fast]);
    expect(stdout.toString()).toBe(`${vault.in('.local', 'share', 'vault', 'secrets.vault')}\n`);
    const { path: found } = (await vault.json(['status'], { cwd: '/' })) as { path: string };
    expect(found).toBe(stdout.toString().trim());
    await vault.fails(2, ['init', 'x.vault', '--user', ...fast]);
  });

  scenario('may be reached by one link of one’s own', async (vault) => {
    symlinkSync(vault.file, vault.in('link'));
    expect(await vault.text('canary', '--vault', 'link')).toBe(vault.canary.value);
    await vault.ok(['put', 'x', '--generate', '--vault', 'link']);
    expect(readdirSync(vault.folder)).not.toContain('link.lock');
    expect(readdirSync(path.dirname(vault.file))).toContain('secrets.vault');
  });

  scenario('is refused where something else stands in its place or beside it', async (vault) => {
    writeFileSync(vault.in('target'), '');
    for (const suffix of ['.new', '.lock', '.audit.jsonl']) {
      const copy = await BinaryVault.make();
      const place = `${copy.file}${suffix}`;
      if (existsSync(place)) renameSync(place, copy.in('aside'));
      symlinkSync(vault.in('target'), place);
      const { status, stdout } = await copy.run(['put', 'x', '--generate']);
      expect([suffix, status, stdout.toString()]).toEqual([suffix, 7, '']);
    }
    expect(readFileSync(vault.in('target'), 'utf8')).toBe('');
    expect(await vault.shell('mkfifo pipe.vault && timeout 10 $VAULT ls --vault pipe.vault')).toMatchObject({
      status: 7,
    });
    expect(await vault.run(['ls', '--vault', '/dev/zero'])).toMatchObject({ status: 7 });
  });
});

scenario('a state folder that cannot be made is no memory, and no endless loop', async (vault) => {
  await vault.ok(['get', 'canary'], { env: { XDG_STATE_HOME: '/proc/none' }, shows: true });
  await vault.fails(9, ['init', '/proc/none/x.vault', '--no-recovery']);
});
