/** A vault of every format that there has been is read, proven and written by this program, by each kind of credential. test/vaults/README.md. */
import { chmodSync, copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { BinaryVault, type Variables } from '../support/binary-vault.ts';

const folder = path.resolve(import.meta.dirname, '../vaults');
const formats = readdirSync(folder).filter((name) => statSync(path.join(folder, name)).isDirectory());

interface Contents {
  readonly owner: Variables;
  readonly recovery: string;
  readonly second: string;
  readonly keyFile: string;
  readonly tokens: Readonly<Record<'reader' | 'rotator' | 'writer', string>>;
  readonly secrets: readonly {
    readonly environment: string;
    readonly name: string;
    readonly version: number;
    readonly value: string;
  }[];
}

test('the present format is among them', () => {
  expect(formats).toContain('format-1');
});

describe.each(formats)('%s', (format) => {
  const contents = JSON.parse(readFileSync(path.join(folder, format, 'contents.json'), 'utf8')) as Contents;

  /** A copy for a machine that has never seen it; the environment has no passphrase of the tests' own. */
  function copy(): BinaryVault {
    const vault = new BinaryVault({ VAULT_PASSPHRASE: undefined, VAULT_PATH: undefined });
    for (const name of ['past.vault', 'past.vault.audit.jsonl']) {
      copyFileSync(path.join(folder, format, name), vault.in(name));
      chmodSync(vault.in(name), 0o600);
    }
    return vault;
  }

  async function expectAll(vault: BinaryVault, env: Variables, only?: string): Promise<void> {
    const wanted = contents.secrets.filter(({ environment }) => environment === (only ?? environment));
    expect(wanted.length).toBeGreaterThan(0);
    for (const { environment, name, version, value } of wanted) {
      const args = ['get', name, '-e', environment, '--version', String(version), '--allow-expired'];
      const { status, stdout } = await vault.run(args, { env });
      expect([name, status, stdout.toString('base64')]).toEqual([name, 0, value]);
    }
  }

  const byToken = (name: keyof Contents['tokens']): Variables => ({
    VAULT_ACCESS_TOKEN: contents.tokens[name],
  });

  test('every value is read, and all of it is proven', async () => {
    const vault = copy();
    await expectAll(vault, contents.owner, 'production');
    await expectAll(vault, contents.owner, 'production/payments');
    await expectAll(vault, contents.owner, 'development');
    const listed = await vault.run(['ls', '--all-environments', '--json'], { env: contents.owner });
    const names = (JSON.parse(listed.stdout.toString()) as { environment: string; name: string }[]).map(
      ({ environment, name }) => `${environment} ${name}`,
    );
    expect(names.sort()).toEqual(
      contents.secrets.map(({ environment, name }) => `${environment} ${name}`).sort(),
    );
    await vault.ok(['verify'], { env: contents.owner });
    await vault.ok(['audit', 'verify'], { env: contents.owner });
  });

  test('by token, recovery key, and passphrase with key file', async () => {
    const vault = copy();
    await expectAll(vault, byToken('writer'), 'staging');
    await expectAll(vault, byToken('reader'), 'production');
    writeFileSync(vault.in('key'), Buffer.from(contents.keyFile, 'base64'));
    const second = {
      VAULT_PASSPHRASE: contents.second,
      VAULT_KEY_FILE: vault.in('key'),
      VAULT_PRINCIPAL: 'owner',
    };
    await expectAll(vault, second, 'production');
    writeFileSync(vault.in('recovery'), contents.recovery);
    writeFileSync(vault.in('new'), 'another one, made up');
    await vault.ok(
      [
        'recover',
        '--recovery-key-file',
        'recovery',
        '--new-passphrase-file',
        'new',
        '--no-recovery',
        '--kdf',
        'pbkdf2',
        '--iterations',
        '100000',
      ],
      { env: { VAULT_PRINCIPAL: 'owner' } },
    );
    await expectAll(
      vault,
      { VAULT_PASSPHRASE: 'another one, made up', VAULT_PRINCIPAL: 'owner' },
      'production',
    );
  });

  test('it is written, and what was there stays', async () => {
    const vault = copy();
    const latest = contents.secrets.find(({ name }) => name === 'db/password')?.version ?? 0;
    await vault.ok(['rotate', 'db/password', '-e', 'production'], { env: byToken('rotator'), input: 'new' });
    await vault.ok(['put', 'added', '-e', 'staging'], { env: byToken('writer'), input: 'new' });
    await vault.ok(['rekey'], { env: contents.owner });
    await vault.ok(['migrate'], { env: contents.owner });
    expect(
      await vault.json(['show', 'db/password', '-e', 'production'], { env: contents.owner }),
    ).toMatchObject({
      version: latest + 1,
    });
    await expectAll(vault, contents.owner, 'production');
    await vault.ok(['verify'], { env: contents.owner });
  });
});
