/** Environments, compartments, rights, new keys, offboarding and policy with the built binary. */
import { writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { addToken, getWith, holding } from '../support/binary-team.ts';
import { fastKdf, passphrase, scenario } from '../support/binary-vault.ts';

describe('environments', () => {
  scenario('come and go; the last one stays', async (vault) => {
    const ci = await addToken(vault, 'ci', '--can read --env testing');
    await vault.ok(['env', 'add', 'preview']);
    await vault.fails(8, ['env', 'add', 'preview']);
    await vault.fails(2, ['env', 'add', 'a b']);
    await vault.fails(2, ['env', 'add', 'nowhere/x']);
    await vault.put('x', 'y', '-e', 'preview');
    const other = { env: { XDG_STATE_HOME: vault.in('another machine') } };
    await vault.ok(['ls', '-e', 'preview'], other);
    for (const name of ['preview', 'testing', 'staging', 'production'])
      await vault.ok(['env', 'rm', name, '--yes']);
    await vault.fails(5, ['env', 'rm', 'development', '--yes']);
    await vault.fails(2, ['get', 'x', '-e', 'preview']);
    await vault.ok(['verify'], other);
    await vault.put('more', 'x');
    await vault.ok(['verify'], other);
    expect(await vault.json(['env', 'ls'])).toMatchObject([
      { name: 'development', default: true, level: 'read' },
    ]);
    // Who had nothing else is still there, with nothing.
    await vault.fails(5, ['ls'], holding(ci));
    await vault.ok(['status'], holding(ci));
    await vault.ok(['access', 'grant', 'ci', '--can', 'read', '--env', 'development']);
    expect(await getWith(vault, ci, 'canary')).toBe(vault.canary.value);
  });

  scenario('have compartments with keys of their own', async (vault) => {
    await vault.ok(['env', 'add', 'production/payments']);
    await vault.put('card', vault.canary.value, '-e', 'production/payments');
    await vault.put('db', 'x', '-e', 'production');
    const ops = await addToken(vault, 'ops', '--can read,write,delete --env production');
    const pay = await addToken(vault, 'pay', '--can read --env production/payments');
    expect(await getWith(vault, ops, 'db')).toBe('x');
    for (const args of [['get', 'card'], ['ls'], ['rm', 'card', '--yes'], ['put', 'card', '--generate']])
      await vault.fails(5, [...args, '-e', 'production/payments'], holding(ops));
    expect(await getWith(vault, pay, 'card')).toBe(vault.canary.value);
    await vault.fails(5, ['get', 'db', '-e', 'production'], holding(pay));
    expect(await vault.fails(5, ['env', 'rm', 'production', '--yes'])).toContain('production/payments');
    expect((await vault.ok(['access', 'rm', 'ops', '--yes'])).stderr).toMatch(/new keys for production\n/u);
    await vault.ok(['env', 'rm', 'production/payments', '--yes']);
    await vault.ok(['env', 'rm', 'production', '--yes']);
    await vault.ok(['verify']);
  });
});

describe('rights', () => {
  scenario('grow from list to read, shrink again, and are said', async (vault) => {
    const ci = await addToken(vault, 'ci', '--can list --env development');
    await vault.fails(5, ['get', 'canary'], holding(ci));
    const { stderr } = await vault.ok(['access', 'grant', 'ci', '--can', 'read', '--env', 'development']);
    expect(stderr).toContain('"ci" may do now: read in development');
    expect(stderr).not.toContain('new keys');
    expect(await getWith(vault, ci, 'canary')).toBe(vault.canary.value);
    const less = await vault.ok(['access', 'revoke', 'ci', '--can', 'read', '--env', 'development']);
    expect(less.stderr).toContain('new keys for development');
    await vault.fails(5, ['get', 'canary'], holding(ci));
    await vault.ok(['ls'], holding(ci));
    await vault.ok(['access', 'revoke', 'ci', '--yes']);
    await vault.fails(5, ['ls'], holding(ci));
    for (const args of [
      ['access', 'grant', 'ci', '--can', 'rule', '--env', 'development'],
      ['access', 'grant', 'ci', '--can', 'read'],
      ['access', 'grant', 'ci'],
      ['access', 'grant', 'nobody', '--can', 'read', '--env', 'development'],
      ['access', 'revoke', 'ci', '--can', 'read', '--env', 'development'],
      ['access', 'add', 'ci', '--can', 'read', '--env', 'development', '--token'],
      ['access', 'add', 'x', '--can', 'admin', '--env', 'development', '--token'],
    ])
      await vault.fails(2, args);
    // Where it is given is said, and not taken from what happens to be set.
    const env = { VAULT_ENVIRONMENT: 'development' };
    await vault.fails(2, ['access', 'grant', 'ci', '--can', 'read'], { env });
  });
});

describe('rekey', () => {
  scenario('changes keys and nothing else, and old records are still found by name', async (vault) => {
    await vault.put('db', 'one', '--tag', 'team=core', '--description', 'the database');
    await vault.put('db', 'two');
    const ci = await addToken(vault, 'ci', '--can read --env development');
    const shown = await vault.json(['show', 'db']);
    const found = (await vault.json(['audit', '--name', 'db'])) as unknown[];
    expect((await vault.ok(['rekey', '-e', 'development'])).stderr).toContain('new keys for development\n');
    await vault.ok(['rekey']);
    expect(await vault.json(['show', 'db'])).toEqual(shown);
    expect([await vault.text('db'), await vault.text('db', '--version', '1')]).toEqual(['two', 'one']);
    expect(await vault.text('canary')).toBe(vault.canary.value);
    expect(((await vault.json(['audit', '--name', 'db'])) as unknown[]).slice(0, found.length)).toEqual(
      found,
    );
    expect(await getWith(vault, ci, 'db')).toBe('two');
    await vault.fails(2, ['rekey', '-e', 'nowhere']);
    await vault.ok(['verify']);
    expect(await vault.json(['env', 'ls'])).toMatchObject([
      { epoch: 3 },
      { epoch: 2 },
      { epoch: 2 },
      { epoch: 2 },
    ]);
  });
});

describe('offboard', () => {
  scenario(
    'lists what was used last first, removes, and says 1 until everything is changed',
    async (vault) => {
      await vault.put('a', 'one');
      await vault.put('b', 'one');
      const ci = await addToken(vault, 'ci', '--can read --env development');
      await getWith(vault, ci, 'b');
      await getWith(vault, ci, 'a');
      await vault.fails(5, ['offboard', 'ci', '--yes'], holding(ci));
      await vault.fails(2, ['offboard']);
      await vault.fails(2, ['offboard', 'nobody', '--yes']);
      expect((await vault.run(['offboard', '--status'])).status).toBe(0);
      const { versions } = (await vault.json(['offboard', 'ci', '--yes'])) as {
        versions: { name: string; lastUsed: string | null }[];
      };
      expect(versions.map(({ name }) => name)).toEqual(['a', 'b', 'canary']);
      expect(versions.map(({ lastUsed }) => lastUsed === null)).toEqual([false, false, true]);
      await vault.fails(4, ['get', 'a'], holding(ci));
      const left = async (): Promise<[number, string[]]> => {
        const { status, stdout } = await vault.run(['offboard', 'ci', '--status', '--json']);
        const { secrets } = JSON.parse(stdout.toString()) as { secrets: { name: string }[] };
        return [status, secrets.map(({ name }) => name)];
      };
      expect(await left()).toEqual([1, ['a', 'b', 'canary']]);
      for (const name of ['a', 'canary']) await vault.ok(['rotate', name, '--generate']);
      expect(await left()).toEqual([1, ['b']]);
      await vault.ok(['rollback', 'a', '--to', '1']);
      expect(await left()).toEqual([1, ['a', 'b']]);
      await vault.put('a', 'three');
      await vault.put('b', 'two');
      expect(await left()).toEqual([0, []]);
      await vault.fails(2, ['offboard', 'cii', '--status']);
    },
  );
});

describe('policy', () => {
  scenario('is set, shown and refused', async (vault) => {
    const rules = (await vault.json(['policy', 'show'])) as { key: string; default: boolean }[];
    expect(rules.map(({ key }) => key)).toEqual([
      'audit.days',
      'environment.default',
      'expiry.days',
      'factors.administrators',
      'factors.everyone',
      'kdf.function',
      'passphrase.days',
      'rekey.days',
      'retention.days',
      'retention.versions',
      'rotate.days',
    ]);
    expect(rules.every((rule) => rule.default)).toBe(true);
    await vault.ok(['policy', 'set', 'environment.default', 'production']);
    expect((await vault.ok(['policy', 'show', 'environment.default'])).stdout.toString()).toBe(
      'production\n',
    );
    await vault.put('x', 'y');
    expect(await vault.text('x', '-e', 'production')).toBe('y');
    await vault.ok(['policy', 'set', 'environment.default', 'default']);
    await vault.fails(3, ['get', 'x']);
    // Of one environment, where it was said; else of the vault.
    await vault.ok(['policy', 'set', 'rotate.days', '90']);
    await vault.ok(['policy', 'set', 'rotate.days', '30,token=7', '-e', 'production']);
    const shown = async (...more: string[]): Promise<string> =>
      (await vault.ok(['policy', 'show', 'rotate.days', ...more])).stdout.toString();
    expect([await shown(), await shown('-e', 'production'), await shown('-e', 'staging')]).toEqual([
      '90\n',
      '30,token=7\n',
      '90\n',
    ]);
    await vault.fails(2, ['policy', 'set', 'rekey.days', '90', '-e', 'production']);
    for (const [key, value] of [
      ['rotate.days', '90,car=3'],
      ['rekey.days', '-1'],
      ['rekey.days', '3651'],
      ['retention.versions', '0'],
      ['factors.everyone', '3'],
      ['kdf.function', 'md5'],
      ['environment.default', 'nowhere'],
      ['no.such', '1'],
    ])
      await vault.fails(2, ['policy', 'set', '--', key ?? '', value ?? '']);
    const ci = await addToken(vault, 'ci', '--can read,write,delete --env development');
    await vault.fails(5, ['policy', 'set', 'rekey.days', '90'], holding(ci));
    expect((await vault.ok(['policy', 'show', 'rekey.days'], holding(ci))).stdout.toString()).toBe('0\n');
  });

  scenario('of two factors stops a passphrase alone, until it is put right', async (vault) => {
    writeFileSync(vault.in('key'), 'k'.repeat(40));
    const file = vault.credentialFile('new', 'a fresh passphrase');
    await vault.fails(5, ['policy', 'set', 'factors.administrators', '2']);
    await vault.ok(['slot', 'add', '--new-passphrase-file', file, '--key-file', 'key', ...fastKdf]);
    await vault.ok(['policy', 'set', 'factors.administrators', '2']);
    for (const args of [
      ['get', 'canary'],
      ['ls'],
      ['put', 'x', '--generate'],
      ['audit'],
      ['access', 'ls'],
      ['policy', 'set', 'factors.administrators', '1'],
      ['rekey'],
    ])
      expect(await vault.fails(5, args)).toContain('vault passwd --key-file');
    await vault.fails(125, ['exec', '--', 'true']);
    for (const args of [['status'], ['verify'], ['slot', 'ls']]) await vault.ok(args);
    await vault.fails(2, ['passwd', '--new-passphrase-file', file, ...fastKdf]);
    await vault.ok(['passwd', '--new-passphrase-file', file, '--key-file', 'key', ...fastKdf]);
    const both = {
      env: { VAULT_PASSPHRASE: 'a fresh passphrase', VAULT_KEY_FILE: vault.in('key') },
      shows: true,
    };
    expect((await vault.ok(['get', 'canary'], both)).stdout.toString()).toBe(vault.canary.value);
    await vault.fails(4, ['get', 'canary'], { env: { VAULT_PASSPHRASE: passphrase } });
    await vault.fails(4, ['get', 'canary'], { env: { VAULT_PASSPHRASE: 'a fresh passphrase' } });
  });

  scenario('of the key derivation binds access add, join and passwd', async (vault) => {
    await vault.ok(['policy', 'set', 'kdf.function', 'pbkdf2']);
    const file = vault.credentialFile('new', 'a fresh passphrase');
    await vault.ok([
      'access',
      'add',
      'ada',
      '--can',
      'read',
      '--env',
      'development',
      '--new-passphrase-file',
      file,
    ]);
    const ada = { env: { VAULT_PRINCIPAL: 'ada', VAULT_PASSPHRASE: 'a fresh passphrase' } };
    expect(await vault.json(['slot', 'ls'], ada)).toMatchObject([
      { kdf: { name: 'pbkdf2-hmac-sha256', iterations: 600_000 } },
    ]);
    await vault.fails(2, ['passwd', '--new-passphrase-file', file, '--kdf', 'argon2id'], ada);
    await vault.fails(2, [
      'join',
      '--request',
      '--name',
      'x',
      '--new-passphrase-file',
      file,
      '--kdf',
      'argon2id',
    ]);
  });
});
