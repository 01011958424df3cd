/** The library as it is built, in a plain Node: programs that import `vault` by its name, on vaults that the binary made. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BinaryVault, runProgram, scenario, type Ended } from '../support/binary-vault.ts';

const root = path.resolve(import.meta.dirname, '../..');
const guide = readFileSync(path.join(root, 'docs/library.md'), 'utf8');

beforeAll(() => {
  if (!existsSync(path.join(root, 'dist/lib/index.js')))
    throw new Error('dist/lib is not there: npm run build');
});

/** Run a program in the vault's folder, where `vault` is installed as npm would link it. Its standard error must be empty. */
async function runModule(vault: BinaryVault, name: string, text: string, token: string): Promise<Ended> {
  const installed = vault.in('node_modules', 'vault');
  if (!existsSync(installed)) {
    mkdirSync(path.dirname(installed));
    symlinkSync(root, installed);
  }
  writeFileSync(vault.in(name), text);
  const env = {
    PATH: process.env['PATH'],
    HOME: vault.folder,
    XDG_STATE_HOME: vault.state,
    VAULT_ACCESS_TOKEN: token,
  };
  const words = ['--disable-warning=ExperimentalWarning', name];
  return runProgram(process.execPath, words, { cwd: vault.folder, env });
}

async function ownToken(vault: BinaryVault): Promise<string> {
  const { stdout } = await vault.ok(['slot', 'add', '--token', '--quiet']);
  return vault.watch(stdout.toString().trim());
}

interface AuditEntry {
  readonly operation: string;
  readonly success: boolean;
  readonly code: string | null;
  readonly secrets: readonly { readonly name: string; readonly version: number }[];
  readonly context: { readonly program: string } | null;
}

async function audited(vault: BinaryVault): Promise<AuditEntry[]> {
  const entries = (await vault.json(['audit'])) as AuditEntry[];
  return entries.filter(({ context }) => context?.program.startsWith('library') === true);
}

const program = `
import { createHash } from 'node:crypto';
import { Vault, SecretsManagerError, UnlockError, outcomes } from 'vault';

const path = '.vault/secrets.vault';
const vault = await Vault.open({ path, token: process.env.VAULT_ACCESS_TOKEN });
const secret = await vault.getSecret('canary');
const digest = createHash('sha256').update(secret.value).digest('hex');
const { code, exitCode } = await vault.getSecret('absent').catch((error) => error);
const { version } = await vault.rotateSecret('other', { generate: 'hex:16' });
await vault.close();
const wrong = await Vault.open({ path, passphrase: 'wrong' }).catch((error) => error);
console.log(JSON.stringify({
  digest, code, exitCode, version,
  table: outcomes[code].exit,
  wrong: wrong instanceof UnlockError && wrong instanceof SecretsManagerError && wrong.code,
  shown: String(secret) + JSON.stringify(secret),
}));
console.log(secret);
console.error(vault, wrong.message, wrong.hint);
`;

describe('a program that imports vault', () => {
  scenario('reads, rotates and fails with codes; the binary sees it in the log', async (vault) => {
    await vault.put('other', 'first');
    const token = await ownToken(vault);
    const ended = await runModule(vault, 'server.mjs', program, token);
    expect(ended.stderr).toContain('wrong');
    expect(ended.status).toBe(0);
    expect(vault.canary.isIn(ended.stdout) || vault.canary.isIn(ended.stderr)).toBe(false);
    const [line = ''] = ended.stdout.toString().split('\n');
    expect(JSON.parse(line)).toMatchObject({
      digest: createHash('sha256').update(vault.canary.value).digest('hex'),
      code: 'SECRET_NOT_FOUND',
      exitCode: 3,
      table: 3,
      version: 2,
      wrong: 'UNLOCK_FAILED',
    });
    expect(await vault.text('other')).toMatch(/^[0-9a-f]{32}$/u);
    const entries = await audited(vault);
    expect(entries.map(({ operation, code }) => [operation, code])).toEqual([
      ['get', null],
      ['get', 'SECRET_NOT_FOUND'],
      ['rotate', null],
    ]);
    expect(entries[0]?.secrets).toMatchObject([{ name: 'canary', version: 1 }]);
    expect(entries[0]?.context?.program).toBe('library server.mjs');
    await vault.ok(['verify']);
  });

  scenario('gets in as a machine that others let in, by keys that were sealed for it', async (vault) => {
    const { stdout } = await vault.ok([
      'access',
      'add',
      'ci',
      '--can',
      'read',
      '-e',
      'development',
      '--token',
      '--quiet',
    ]);
    const token = vault.watch(stdout.toString().trim());
    const text = `
import { Vault } from 'vault';
await using vault = await Vault.open({ path: '.vault', token: process.env.VAULT_ACCESS_TOKEN });
console.log(await vault.verifySecret('canary', ${JSON.stringify(vault.canary.value)}));
console.log((await vault.rotateSecret('canary', { value: 'x' }).catch((error) => error)).code);
`;
    vault.asked(vault.in('ci.mjs'));
    const ended = await runModule(vault, 'ci.mjs', text, token);
    expect(ended.stderr).toBe('');
    expect(ended.stdout.toString()).toBe('true\nACCESS_DENIED\n');
  });
});

describe('docs/library.md', () => {
  const blocks = [...guide.matchAll(/<!-- example:[^>]*-->\n```js\n([\s\S]*?)```/gu)].map(
    ([, block = '']) => block,
  );

  it('has examples', () => {
    expect(blocks.length).toBeGreaterThan(3);
    expect(guide.match(/```js/gu)).toHaveLength(blocks.length);
  });

  it('has examples that print what they say', async () => {
    const vault = new BinaryVault();
    const production = ['-e', 'production'];
    await vault.ok(['init', '--kdf', 'pbkdf2', '--iterations', '100000', '--no-recovery']);
    await vault.put('stripe/key', 'sk_live_0123456789ab', '--type', 'api-key', ...production);
    await vault.put('tls/key', new Uint8Array(32), ...production);
    await vault.put('db/password', 'first', ...production);
    await vault.put('db/password', 'second', ...production);
    const database = {
      engine: 'postgres',
      host: 'db.internal',
      port: 5432,
      dbname: 'shop',
      user: 'shop',
      password: 'twelve-chars',
    };
    await vault.put('db/main', JSON.stringify(database), '--type', 'database-credential', ...production);
    const rights = ['--can', 'read,rotate', ...production, '--token', '--quiet'];
    const { stdout } = await vault.ok(['access', 'add', 'server', ...rights]);
    for (const [index, block] of blocks.entries()) {
      const expected = [...block.matchAll(/ \/\/ → (.*)$/gmu)].map(([, line = '']) => line);
      const ended = await runModule(vault, `example-${index}.mjs`, block, stdout.toString().trim());
      expect(ended.stderr, `example ${index + 1}`).toBe('');
      expect(ended.stdout.toString(), `example ${index + 1}`).toBe(`${expected.join('\n')}\n`);
      expect(expected.length, `example ${index + 1}`).toBeGreaterThan(0);
    }
  });
});
