/**
 * Makes a vault of the present format with something of everything, for test/vaults/: every later version of the program must read it.
 *
 *   node scripts/past-vault.ts test/vaults/format-1
 *
 * What is in it, and how to get in, stands beside it in `contents.json`. All of it is made up.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const binary = path.join(root, 'dist', 'vault');
const target = path.resolve(process.argv[2] ?? '');
if (process.argv[2] === undefined) throw new Error('name the new folder');
const folder = mkdtempSync(path.join(os.tmpdir(), 'past-vault-'));
const file = path.join(folder, 'past.vault');
const cheap = ['--kdf', 'pbkdf2', '--iterations', '100000'];

interface Got {
  readonly version: number;
  readonly value?: string;
  readonly valueBase64?: string;
}

interface Credential {
  readonly [variable: string]: string;
}

const owner: Credential = { VAULT_PASSPHRASE: 'made up for a test', VAULT_PRINCIPAL: 'owner' };

function vault(args: readonly string[], credential: Credential = owner, input = ''): string {
  const { status, stdout, stderr } = spawnSync(binary, [...args, '--vault', file], {
    cwd: folder,
    input,
    env: { PATH: process.env['PATH'], HOME: folder, VAULT_KDF_ENGINE: 'native', ...credential },
  });
  if (status !== 0) throw new Error(`${args.join(' ')}: ${String(stderr)}`);
  return stdout.toString().trim();
}

const put = (
  name: string,
  value: string,
  environment: string,
  credential = owner,
  more: string[] = [],
): void => {
  vault(['put', name, '-e', environment, '--exact', ...more], credential, value);
};

const token = (text: string): Credential => ({ VAULT_ACCESS_TOKEN: text });

try {
  spawnSync(
    binary,
    [
      'init',
      file,
      ...cheap,
      '--environments',
      'development,staging,production',
      '--recovery-file',
      'recovery.txt',
    ],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, VAULT_PASSPHRASE: owner['VAULT_PASSPHRASE'] },
    },
  );
  const recovery = readFileSync(path.join(folder, 'recovery.txt'), 'utf8').trim();
  const key = Buffer.alloc(64, 'key file, made up; ');
  writeFileSync(path.join(folder, 'key'), key);
  vault(['env', 'add', 'production/payments']);
  put('db/password', 'first', 'production', owner, [
    '--description',
    'the database',
    '--tag',
    'team=core',
    '--rotate-every',
    '90d',
  ]);
  put('db/password', 'second', 'production');
  put('db/password', 'third', 'production');
  put('ünïcode / ключ 🗝', 'väl\n\tue\u0000', 'development', owner, ['--var', 'UNICODE']);
  put('json', '{"user":"app","password":"p:w@d"}', 'development', owner, ['--type', 'database-credential']);
  put('expired', 'late', 'staging', owner, ['--expires', '2027-01-01']);
  put('gone', 'removed', 'staging');
  put('purged', 'destroyed', 'staging');
  put('card', '4111', 'production/payments');
  for (let i = 0; i < 60; i++) put(`many/${i}`, `value ${i}`, 'staging');
  vault(['mv', 'many/0', 'many/renamed', '-e', 'staging']);
  vault(['rm', 'gone', '-e', 'staging']);
  vault(['rm', 'purged', '-e', 'staging', '--purge', '--yes']);
  vault(['rollback', 'db/password', '--to', '1', '-e', 'production']);
  const reader = vault([
    'access',
    'add',
    'reader',
    '--can',
    'read',
    '--env',
    'production',
    '--token',
    '--quiet',
  ]);
  const rotator = vault([
    'access',
    'add',
    'rotator',
    '--can',
    'rotate',
    '--env',
    'production',
    '--token',
    '--quiet',
  ]);
  const writer = vault([
    'access',
    'add',
    'writer',
    '--can',
    'read,write,delete',
    '--env',
    'development,staging',
    '--token',
    '--quiet',
  ]);
  const left = vault(['access', 'add', 'left', '--can', 'read', '--env', 'staging', '--token', '--quiet']);
  vault(['get', 'many/1', '-e', 'staging'], token(left));
  vault(['access', 'rm', 'left', '--yes']);
  put('by writer', 'w', 'development', token(writer));
  vault(['rotate', 'db/password', '-e', 'production'], token(rotator), 'rotated');
  const second = 'second, made up as well';
  vault(
    ['slot', 'add', '--passphrase', '--new-passphrase-file', '-', '--key-file', 'key', ...cheap],
    owner,
    second,
  );
  const listed = JSON.parse(vault(['ls', '--all-environments', '--json'])) as {
    name: string;
    environment: string;
  }[];
  const secrets = listed.map(({ name, environment }) => {
    const got = JSON.parse(vault(['get', name, '-e', environment, '--allow-expired', '--json'])) as Got;
    const value = got.valueBase64 ?? Buffer.from(got.value ?? '').toString('base64');
    return { environment, name, version: got.version, value };
  });
  mkdirSync(target, { recursive: true });
  for (const name of ['past.vault', 'past.vault.audit.jsonl'])
    cpSync(path.join(folder, name), path.join(target, name));
  writeFileSync(
    path.join(target, 'contents.json'),
    `${JSON.stringify({ owner, recovery, second, keyFile: key.toString('base64'), tokens: { reader, rotator, writer }, secrets }, null, 2)}\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
