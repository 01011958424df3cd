/** The built binary used by several: tokens are handed out, and looked for where they must not be. */
import type { BinaryVault, RunOptions, Variables } from './binary-vault.ts';

/** Somebody with a token and nothing else. */
export function holding(token: string, more: Variables = {}): RunOptions {
  return { env: { VAULT_ACCESS_TOKEN: token, VAULT_PASSPHRASE: undefined, ...more } };
}

/** What a command shows once, alone on standard output. */
export async function shownOnce(
  vault: BinaryVault,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { stdout } = await vault.ok([...args, '--quiet'], { ...options, shows: true });
  return vault.watch(stdout.toString('utf8').trimEnd());
}

/** A new principal with a token. @param flags such as `--can read --env staging` */
export async function addToken(
  vault: BinaryVault,
  name: string,
  flags: string,
  options: RunOptions = {},
): Promise<string> {
  return shownOnce(vault, ['access', 'add', name, ...flags.split(' '), '--token'], options);
}

export async function getWith(
  vault: BinaryVault,
  token: string,
  ...args: readonly string[]
): Promise<string> {
  const { stdout } = await vault.ok(['get', ...args], { ...holding(token), shows: true });
  return stdout.toString('utf8');
}
