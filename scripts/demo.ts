/**
 * The main job on real input: a vault is made in a temporary folder, a real .env is imported, and a program gets its secrets through
 * `vault exec`. Prints what it did. Uses the built binary and nothing else.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const binary = path.resolve(
  import.meta.dirname,
  '../dist',
  process.platform === 'win32' ? 'vault.exe' : 'vault',
);
const folder = mkdtempSync(path.join(os.tmpdir(), 'vault-demo-'));

const dotenv = `# a real .env, as projects have them
DATABASE_URL="postgres://app:s3cr3t-of-the-demo@db.internal:5432/shop"
STRIPE_KEY=sk_test_demo_only
export GREETING='hello, world'
`;

const program = `
const found = ['DATABASE_URL', 'STRIPE_KEY', 'GREETING'].filter((name) => process.env[name]);
console.log('  program: got ' + found.join(', '));
console.log('  program: greeting is ' + JSON.stringify(process.env.GREETING));
console.log('  program: sees the passphrase: ' + ('VAULT_PASSPHRASE' in process.env));
process.exit(found.length === 3 && !('VAULT_PASSPHRASE' in process.env) ? 0 : 1);
`;

const environment = {
  PATH: process.env['PATH'] ?? '',
  HOME: folder,
  XDG_STATE_HOME: path.join(folder, 'state'),
  VAULT_PASSPHRASE: 'correct horse battery staple',
};

function vault(args: readonly string[], input?: string): string {
  process.stdout.write(
    `$ vault ${args.map((word) => (/\s/.test(word) ? JSON.stringify(word) : word)).join(' ')}\n`,
  );
  const result = spawnSync(binary, args, {
    cwd: folder,
    env: environment,
    input: input ?? '',
    encoding: 'utf8',
  });
  for (const line of `${result.stdout}${result.stderr}`.trimEnd().split('\n')) {
    if (line !== '') process.stdout.write(`  ${line.trimStart()}\n`);
  }
  if (result.status !== 0) throw new Error(`vault ended with status ${String(result.status)}`);
  return result.stdout;
}

try {
  writeFileSync(path.join(folder, '.env'), dotenv);
  writeFileSync(path.join(folder, 'program.mjs'), program);
  vault(['init', '--recovery-file', 'recovery-key']);
  vault(['import', '.env']);
  rmSync(path.join(folder, '.env'));
  vault(['ls']);
  vault(['exec', '--', process.execPath, 'program.mjs']);
  vault(['verify']);
  const file = readFileSync(path.join(folder, '.vault', 'secrets.vault'), 'utf8');
  const leaks = ['s3cr3t-of-the-demo', 'STRIPE_KEY', 'hello, world'].filter((text) => file.includes(text));
  if (leaks.length > 0) throw new Error('the vault file shows what it should hide');
  process.stdout.write(
    `done: 3 secrets went from .env into an encrypted file of ${file.length} bytes, and into a program\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
