/** The built binary used by several: tokens are handed out, and looked for where they must not be. */
import { binary } from '../binary-is-built.ts';
import type { BinaryVault, RunOptions, Variables } from './binary-vault.ts';
import { PseudoTerminal, type TerminalOptions } from './pseudo-terminal.ts';

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

/** A person with a passphrase and a machine of their own. */
export class Person {
  readonly options: RunOptions;
  readonly #vault: BinaryVault;

  /** @param name of the principal, and of the folder with this machine's memory */
  constructor(vault: BinaryVault, name: string, passphrase: string) {
    this.#vault = vault;
    const env = { VAULT_PASSPHRASE: vault.watch(passphrase), VAULT_PRINCIPAL: name };
    this.options = { env: { ...env, XDG_STATE_HOME: vault.in(`machine of ${name}`) } };
  }

  async ok(...args: readonly string[]): Promise<string> {
    return (await this.#vault.ok(args, { ...this.options, shows: args[0] === 'get' })).stdout.toString(
      'utf8',
    );
  }

  async fails(status: number, ...args: readonly string[]): Promise<string> {
    return this.#vault.fails(status, args, this.options);
  }

  async put(name: string, value: string, ...flags: readonly string[]): Promise<void> {
    await this.#vault.ok(['put', ...flags, '--exact', '--', name], { ...this.options, input: value });
  }

  /** At a terminal, where the passphrase is asked for. */
  terminal(args: readonly string[], more: Partial<TerminalOptions> = {}): PseudoTerminal {
    return atTerminal(this.#vault, args, { ...this.options.env, VAULT_PASSPHRASE: undefined }, more);
  }
}

export function atTerminal(
  vault: BinaryVault,
  args: readonly string[],
  variables: Variables = {},
  more: Partial<TerminalOptions> = {},
): PseudoTerminal {
  const all = Object.entries(vault.environment({ TERM: 'xterm', ...variables }));
  const env = Object.fromEntries(all.filter(([, value]) => value !== undefined));
  return new PseudoTerminal(binary, args, { env, cwd: vault.folder, ...more });
}
