/** Access tokens: what they open, what is said of a bad one, and where they are not to be found. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { addToken, getWith, holding, shownOnce } from '../support/binary-team.ts';
import { BinaryVault, passphrase, scenario } from '../support/binary-vault.ts';
import { lacking } from '../support/tools.ts';

const noStrace = lacking('strace');

/** Staging with a value, production with the canary; a token for staging. */
async function withToken(vault: BinaryVault, can = 'list,read'): Promise<string> {
  await vault.put('db', 'of staging', '-e', 'staging');
  await vault.put('payments/card', vault.canary.value, '-e', 'production');
  return addToken(vault, 'ci', `--can ${can} --env staging`);
}

describe('a token', () => {
  scenario('for staging reads it without being told where, and nothing of production', async (vault) => {
    const token = await withToken(vault);
    expect(await getWith(vault, token, 'db')).toBe('of staging');
    expect(await vault.json(['ls'], holding(token))).toMatchObject([{ name: 'db', environment: 'staging' }]);
    const all = await vault.ok(['ls', '--all-environments'], holding(token));
    expect(all.stdout.toString()).not.toContain('payments');
    for (const args of [
      ['get', 'payments/card', '-e', 'production'],
      ['ls', '-e', 'production'],
      ['show', 'payments/card', '-e', 'production'],
      ['history', 'payments/card', '-e', 'production'],
      ['put', 'payments/card', '-e', 'production', '--generate'],
      ['rotate', 'payments/card', '-e', 'production'],
      ['rm', 'payments/card', '-e', 'production'],
      ['cp', 'db', 'x', '--to-env', 'production'],
      ['put', 'db', '--generate'],
      ['access', 'grant', 'ci', '--can', 'admin'],
      ['access', 'add', 'eve', '--can', 'read', '--env', 'staging', '--token'],
      ['access', 'rm', 'owner', '--yes'],
      ['env', 'add', 'mine'],
      ['policy', 'set', 'rekey.days', '1'],
      ['rekey'],
      ['offboard', 'owner', '--yes'],
    ])
      await vault.fails(5, args, holding(token));
    expect(await vault.fails(3, ['get', 'payments/card'], holding(token))).not.toContain('production');
    const audit = await vault.ok(['audit', '--last', '100'], holding(token));
    expect(audit.stdout.toString()).not.toContain('payments');
    await vault.ok(['verify'], holding(token));
    await vault.ok(['status'], holding(token));
    await vault.ok(['verify']);
  });

  scenario('that may only list shows names and no value', async (vault) => {
    const token = await withToken(vault, 'list');
    expect(await vault.json(['ls'], holding(token))).toMatchObject([{ name: 'db' }]);
    expect(await vault.json(['show', 'db'], holding(token))).toMatchObject({ name: 'db', version: 1 });
    expect(await vault.fails(5, ['get', 'db'], holding(token))).toContain('list');
    await vault.fails(125, ['exec', '--', 'true'], holding(token));
    await vault.ok(['verify'], holding(token));
  });

  scenario('is printed alone with --quiet, and as a member with --json', async (vault) => {
    const { stdout, stderr } = await vault.ok(
      ['access', 'add', 'a', '--can', 'read', '--env', 'staging', '--token', '--quiet'],
      { shows: true },
    );
    expect(stdout.toString()).toMatch(/^vlt1_[0-9A-Za-z]{60}\n$/u);
    expect(stderr).toBe('');
    const added = (await vault.json([
      'access',
      'add',
      'b',
      '--can',
      'read,write',
      '--env',
      'staging',
      '--expires',
      '90d',
      '--token',
    ])) as { token: string; expires: string };
    expect(added).toMatchObject({
      name: 'b',
      admin: false,
      environments: { staging: ['list', 'read', 'write'] },
    });
    expect(Date.parse(added.expires) - Date.now()).toBeGreaterThan(89 * 86_400_000);
    await vault.ok(['ls'], holding(vault.watch(added.token)));
    expect(await vault.json(['access', 'ls'])).toMatchObject([
      { name: 'owner', admin: true, you: true, credentials: ['passphrase'] },
      { name: 'a', credentials: ['token'], state: 'active' },
      { name: 'b', credentials: ['token'], state: 'active' },
    ]);
  });

  scenario('comes from a file as well', async (vault) => {
    const token = await withToken(vault);
    const file = vault.credentialFile('token', token);
    const env = { VAULT_ACCESS_TOKEN_FILE: file, VAULT_PASSPHRASE: undefined };
    const { stdout } = await vault.ok(['get', 'db'], { env });
    expect(stdout.toString()).toBe('of staging');
  });

  scenario('of one’s own, by slot add, opens what one may', async (vault) => {
    const token = await shownOnce(vault, ['slot', 'add', '--token']);
    expect(await getWith(vault, token, 'canary')).toBe(vault.canary.value);
    await vault.ok(['access', 'ls'], holding(token));
  });
});

describe('a bad token fails with 4, whatever else is there,', () => {
  scenario('mistyped, cut, lengthened, empty or something else', async (vault) => {
    const token = await withToken(vault);
    const last = token.at(-1) ?? '';
    const swapped = `${token.slice(0, 20)}${token.charAt(21)}${token.charAt(20)}${token.slice(22)}`;
    const checksum = await vault.fails(4, ['get', 'db'], { env: { VAULT_ACCESS_TOKEN: token.slice(0, -1) } });
    expect(checksum).toMatch(/mistyped or cut/u);
    for (const bad of [
      `${token.slice(0, -1)}${last === '0' ? '1' : '0'}`,
      swapped === token ? token.slice(1) : swapped,
      token.slice(0, 30),
      'vlt1_',
      `${token}0`,
      token.toLowerCase(),
      ` ${token}`,
      '',
      'hvs.CAESIJ',
      'vli1_000000',
    ]) {
      const message = await vault.fails(4, ['get', 'canary'], { env: { VAULT_ACCESS_TOKEN: bad } });
      // The passphrase beside it is right, and is not used; nothing of the token is repeated.
      expect(message).not.toContain(bad === '' ? passphrase : bad.trim().slice(0, 40));
      expect(message).toMatch(/vault access (add|reissue)/u);
    }
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });

  scenario('of another vault, or of nobody', async (vault) => {
    await withToken(vault);
    const other = await BinaryVault.make();
    const foreign = vault.watch(await addToken(other, 'ci', '--can read --env development'));
    for (const args of [['get', 'canary'], ['ls'], ['status']]) {
      const message = await vault.fails(4, args, { env: { VAULT_ACCESS_TOKEN: foreign } });
      expect(message).toMatch(/revoked, or of another vault/u);
      expect(message).toContain('access add');
    }
    other.expectNoLeak();
  });

  scenario('revoked: removed, reissued or taken out of its slots', async (vault) => {
    const token = await withToken(vault);
    const next = await shownOnce(vault, ['access', 'reissue', 'ci', '--token']);
    expect(await vault.fails(4, ['get', 'db'], holding(token))).toMatch(/revoked/u);
    expect(await getWith(vault, next, 'db')).toBe('of staging');
    await vault.ok(['access', 'rm', 'ci', '--yes']);
    expect(await vault.fails(4, ['get', 'db'], holding(next))).toMatch(/revoked/u);
    // Nor with the passphrase beside it.
    await vault.fails(4, ['get', 'canary'], { env: { VAULT_ACCESS_TOKEN: next } });

    const own = await shownOnce(vault, ['slot', 'add', '--token']);
    const slots = (await vault.json(['slot', 'ls'])) as { id: string; type: string }[];
    const id = slots.find(({ type }) => type === 'token')?.id ?? '';
    await vault.ok(['slot', 'rm', id, '--yes', '--no-recovery']);
    await vault.fails(4, ['get', 'canary'], holding(own));
  });

  scenario('in a file that is not there, or has nothing in it', async (vault) => {
    writeFileSync(vault.in('empty'), '');
    await vault.fails(4, ['get', 'canary'], { env: { VAULT_ACCESS_TOKEN_FILE: 'empty' } });
    const message = await vault.fails(3, ['get', 'canary'], { env: { VAULT_ACCESS_TOKEN_FILE: 'nowhere' } });
    // The variable, not what it says: that may be the token itself.
    expect(message).toContain('VAULT_ACCESS_TOKEN_FILE');
    expect(message).not.toContain('nowhere');
  });

  scenario('that has expired is 5, and says since when', async (vault) => {
    await vault.put('db', 'x', '-e', 'staging');
    const expires = new Date(Date.now() + 4_000).toISOString();
    const token = await addToken(vault, 'ci', `--can read --env staging --expires ${expires}`);
    expect(await getWith(vault, token, 'db')).toBe('x');
    await new Promise((resolve) => {
      setTimeout(resolve, Date.parse(expires) - Date.now() + 100);
    });
    expect(await vault.fails(5, ['get', 'db'], holding(token))).toContain(expires);
    await vault.ok(['access', 'grant', 'ci', '--expires', 'never']);
    expect(await getWith(vault, token, 'db')).toBe('x');
    await vault.fails(2, ['access', 'grant', 'ci', '--expires', '2020-01-01T00:00:00Z']);
  });

  scenario('is refused where somebody else is named with it', async (vault) => {
    const token = await withToken(vault);
    expect(await vault.fails(2, ['get', 'db', '--as', 'owner'], holding(token))).toContain('ci');
  });
});

describe('a token is not found', () => {
  scenario('in what a program sees that exec starts', async (vault) => {
    const token = await withToken(vault);
    const file = vault.credentialFile('token', token);
    for (const env of [{ VAULT_ACCESS_TOKEN: token }, { VAULT_ACCESS_TOKEN_FILE: vault.in(file) }]) {
      const { stdout } = await vault.ok(['exec', '--', '/usr/bin/env'], {
        env: { ...env, VAULT_PASSPHRASE: undefined },
      });
      expect(stdout.toString()).toContain('DB=of staging');
      expect(stdout.toString()).not.toContain('VAULT_ACCESS_TOKEN');
    }
  });

  scenario('in the arguments of any program, nor in log, state or errors', async (vault) => {
    const token = await withToken(vault);
    const debug = ['get', 'payments/card', '-e', 'production', '--debug'];
    await vault.fails(5, debug, { ...holding(token), mayCrash: true });
    const log = readFileSync(vault.log, 'utf8');
    expect(log).toContain('"principal"');
    if (noStrace !== '') return;
    const trace = ['-f', '-qq', '-s', '4096', '-v', '-e', 'trace=execve', '-o', vault.in('trace')];
    const add = ['access', 'add', 'cron', '--can', 'read', '--env', 'staging', '--token', '--quiet'];
    const { stdout } = await vault.runWith('strace', [...trace, binary, ...add], { shows: true });
    const next = vault.watch(stdout.toString().trimEnd());
    // The variables are in the trace as well; of ours only those that were given.
    const text = readFileSync(vault.in('trace'), 'utf8');
    expect(text).toContain('execve');
    for (const secret of [next, token]) expect(text).not.toContain(secret);
  });
});
