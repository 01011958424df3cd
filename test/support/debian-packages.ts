/** Real parts that come as Debian packages: used where they are, installed in CI, asked for aloud elsewhere. */
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';

function works([program = '', ...args]: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

/** Test files run beside each other, and apt-get does not wait for another one. */
const oneAtATime = path.join(tmpdir(), 'vault-test-apt-get.lock');

export function install(names: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', ...names],
  ]) {
    const { status, stderr } = spawnSync('flock', [oneAtATime, 'apt-get', ...args], {
      env,
      encoding: 'utf8',
    });
    if (status !== 0)
      throw new Error(`these tests need ${names.join(', ')}; apt-get ${args[0]} failed: ${stderr}`);
  }
}

/**
 * @param needed a command that succeeds where the package is there, by name of the package
 * @returns what is missing, for the title of tests that are skipped; `null` if everything is there
 * @throws in CI, if it is missing and cannot be installed
 */
export async function debianPackages(
  needed: Readonly<Record<string, readonly string[]>>,
): Promise<string | null> {
  const missing = Object.entries(needed).filter(([, check]) => !works(check));
  if (missing.length === 0) return Promise.resolve(null);
  const names = missing.map(([name]) => name);
  if (process.env['CI'] === undefined) return Promise.resolve(`needs ${names.join(', ')}`);
  install(names);
  for (const [name, check] of missing)
    if (!works(check)) throw new Error(`${name} does not work after its installation`);
  return Promise.resolve(null);
}
