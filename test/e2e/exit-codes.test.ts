/** Exit statuses and messages that scripts rely on. */
import { rmSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { scenario, type BinaryVault, type RunOptions } from '../support/binary-vault.ts';

describe('exit status', () => {
  scenario('4 for a wrong passphrase, and nothing else is told', async (vault) => {
    const message = await vault.fails(4, ['get', 'canary'], { env: { VAULT_PASSPHRASE: 'wrong guess' } });
    expect(message).toContain('wrong passphrase');
    expect(message).not.toContain('wrong guess');
    await vault.fails(4, ['get', 'absent'], { env: { VAULT_PASSPHRASE: 'wrong' } });
    await vault.fails(4, ['get', 'canary'], { env: { VAULT_PASSPHRASE: undefined } });
    const env = { VAULT_ACCESS_TOKEN: 'vlt1_nonsense' };
    const token = await vault.fails(4, ['get', 'canary'], { env });
    expect(token).not.toContain('nonsense');
    const failed = (await vault.json(['audit', '--failed'])) as { operation: string }[];
    expect(failed.filter(({ operation }) => operation === 'unlock').length).toBe(2);
  });

  scenario('4 for an empty passphrase, which CI gives for a missing one', async (vault) => {
    await vault.fails(4, ['get', 'canary'], { env: { VAULT_PASSPHRASE: '' } });
  });

  scenario('3 for what is not there, with the environments that have it', async (vault) => {
    await vault.put('elsewhere', 'x', '-e', 'production');
    await vault.put('elsewhere', 'x', '-e', 'staging');
    const message = await vault.fails(3, ['get', 'elsewhere']);
    expect(message).toMatch(/production/u);
    expect(message).toMatch(/staging/u);
    expect(await vault.fails(3, ['get', 'nowhere'])).not.toMatch(/production/u);
    for (const args of [
      ['show', 'nowhere'],
      ['rm', 'nowhere'],
      ['restore', 'nowhere'],
      ['mv', 'nowhere', 'x'],
      ['cp', 'nowhere', 'x'],
      ['history', 'nowhere'],
      ['get', 'canary', '--version', '2'],
      ['rollback', 'canary', '--to', '7'],
    ]) {
      await vault.fails(3, args);
    }
    await vault.fails(3, ['get', 'canary', '--version', 'previous']);
  });

  scenario('3 without a vault', async (vault) => {
    rmSync(vault.in('.vault'), { recursive: true });
    expect(await vault.fails(3, ['get', 'canary'])).toContain('vault init');
    expect(await vault.fails(3, ['ls', '--vault', 'absent.vault'])).toContain('absent.vault');
    await vault.fails(3, ['ls'], { env: { VAULT_PATH: vault.in('absent.vault') } });
  });

  scenario('2 for usage', async (vault) => {
    const wrong: readonly (readonly string[])[] = [
      ['bogus'],
      ['get'],
      ['get', 'a', 'b'],
      ['get', 'canary', '--bogus'],
      ['get', 'canary', '--version', '0'],
      ['get', 'canary', '--version', '-1'],
      ['get', 'canary', '--version', '1e3'],
      ['get', 'canary', '-e', 'no such environment'],
      ['put', 'x', '--type', 'bogus', '--generate'],
      ['put', 'x', '--generate', 'password:0'],
      ['put', 'x', '--generate', 'bogus:1'],
      ['put', 'x', '--generate', '--file', 'y'],
      ['put', 'x', '--generate', '--expires', 'soon'],
      ['put', 'x', '--generate', '--rotate-every', '1'],
      ['put', 'x', '--generate', '--var', '1X'],
      ['put', 'x', '--generate', '--if-version', '-1'],
      ['rollback', 'canary'],
      ['rollback', 'canary', '--to', 'x'],
      ['ls', '--tag', 'x'],
      ['audit', '--last', '0'],
      ['import', 'x', '--format', 'bogus'],
      ['rm', 'canary', '--purge'],
      ['get', 'canary', '--field', 'x'],
      ['status', '--vault', ''],
      ['--bogus'],
    ];
    for (const args of wrong) {
      const { status, stderr } = await vault.run(args);
      expect([args, status, stderr]).toEqual([args, 2, expect.stringMatching(/^vault: /u)]);
    }
    await vault.fails(2, ['ls'], { env: { VAULT_KDF_ENGINE: 'bogus' } });
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });

  scenario('2 for the verbs of HashiCorp’s program, with what to use', async (vault) => {
    for (const args of [
      ['kv', 'get', '-mount=secret', 'x'],
      ['login'],
      ['read', 'secret/x'],
      ['write', 'secret/x', 'a=b'],
      ['server', '-dev'],
      ['operator', 'init'],
      ['secrets', 'list'],
    ]) {
      const message = await vault.fails(2, args);
      expect(message).toMatch(/not HashiCorp's/u);
      expect(message.split('\n')[1]).toMatch(/vault|passphrase/u);
    }
  });

  scenario('2 for them, as JSON too', async (vault) => {
    expect(JSON.parse(await vault.fails(2, ['kv', 'get', '--json']))).toMatchObject({ code: 'USAGE' });
  });

  scenario('8 for what exists, and for a version that moved on', async (vault) => {
    await vault.put('other', 'x');
    await vault.fails(8, ['mv', 'canary', 'other']);
    await vault.fails(8, ['cp', 'canary', 'other']);
    await vault.fails(8, ['put', 'canary', '--if-absent'], { input: 'x' });
    await vault.fails(8, ['put', 'canary', '--if-version', '2'], { input: 'x' });
    await vault.fails(8, ['put', 'canary', '--if-version', '0'], { input: 'x' });
    await vault.fails(8, ['put', 'absent', '--if-version', '1'], { input: 'x' });
    await vault.fails(8, ['rotate', 'canary', '--if-version', '2'], { input: 'x' });
    await vault.fails(8, ['init', '--no-recovery']);
    await vault.ok(['put', 'canary', '--if-version', '1'], { input: 'x' });
    await vault.ok(['put', 'new', '--if-absent'], { input: 'x' });
    await vault.ok(['put', 'newer', '--if-version', '0'], { input: 'x' });
  });

  scenario('6 for a secret that has expired', async (vault) => {
    await vault.put('old', vault.canary.value, '--expires', '2020-01-01T00:00:00Z');
    const message = await vault.fails(6, ['get', 'old']);
    expect(message).toContain('--allow-expired');
    const { stderr } = await vault.ok(['get', 'old', '--allow-expired'], { shows: true });
    expect(stderr).toContain('expired');
    expect(await vault.json(['ls', '--expired'])).toMatchObject([{ name: 'old' }]);
    await vault.put('soon', 'x', '--expires', '7d');
    const soon = await vault.ok(['get', 'soon']);
    expect(soon.stderr).toMatch(/expires in 7 days/u);
    expect(soon.stdout.toString()).toBe('x');
    expect(await vault.json(['ls', '--expiring', '8d'])).toMatchObject([{ name: 'old' }, { name: 'soon' }]);
    await vault.ok(['put', 'old', '--expires', 'never'], { input: 'fresh' });
    expect(await vault.text('old')).toBe('fresh');
  });
});

/** The error object on standard error. */
async function problem(vault: BinaryVault, status: number, args: readonly string[], options?: RunOptions) {
  const text = await vault.fails(status, [...args, '--json'], options);
  expect(text.endsWith('}\n'), text).toBe(true);
  const error = JSON.parse(text) as Record<string, string>;
  expect(Object.keys(error)).toEqual(['code', 'message', 'hint']);
  expect(error['message']).not.toBe('');
  expect(error['hint']).not.toBe('');
  return error;
}

describe('errors under --json', () => {
  scenario('are one object on standard error', async (vault) => {
    await vault.put('old', 'x', '--expires', '2020-01-01T00:00:00Z');
    const wrong = { env: { VAULT_PASSPHRASE: 'wrong' } };
    expect(await problem(vault, 3, ['get', 'nowhere'])).toMatchObject({ code: 'SECRET_NOT_FOUND' });
    expect(await problem(vault, 3, ['get', 'canary', '--version', '9'])).toMatchObject({
      code: 'VERSION_NOT_FOUND',
    });
    expect(await problem(vault, 3, ['ls', '--vault', 'absent'])).toMatchObject({ code: 'VAULT_NOT_FOUND' });
    await vault.put('object', '{"a":1}');
    expect(await problem(vault, 3, ['get', 'object', '--field', 'x'])).toMatchObject({
      code: 'FIELD_NOT_FOUND',
    });
    await vault.ok(['undo']);
    await vault.ok(['policy', 'set', 'retention.versions', '9']);
    expect(await problem(vault, 2, ['undo'])).toMatchObject({ code: 'USAGE' });
    await vault.put('object', '{"a":1}');
    expect(
      await problem(vault, 3, ['undo'], { env: { XDG_STATE_HOME: vault.in('elsewhere') } }),
    ).toMatchObject({
      code: 'NOTHING_TO_UNDO',
    });
    expect(await problem(vault, 4, ['get', 'canary'], wrong)).toMatchObject({ code: 'UNLOCK_FAILED' });
    expect(await problem(vault, 6, ['get', 'old'])).toMatchObject({ code: 'SECRET_EXPIRED' });
    expect(await problem(vault, 8, ['put', 'canary', '--if-absent'], { input: 'x' })).toMatchObject({
      code: 'ALREADY_EXISTS',
    });
    expect(await problem(vault, 8, ['put', 'canary', '--if-version', '5'], { input: 'x' })).toMatchObject({
      code: 'CONFLICT',
    });
    expect(await problem(vault, 2, ['bogus'])).toMatchObject({ code: 'USAGE' });
    expect(await problem(vault, 2, ['get'])).toMatchObject({ code: 'USAGE' });
    expect(await problem(vault, 2, ['get', 'canary', '--bogus'])).toMatchObject({ code: 'USAGE' });
  });
});
