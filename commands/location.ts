/** Where the vault is, and the user's own folders: flags, variables, the working folder. `commands.md`, "Variables". */
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { UsageError } from '../src/errors.ts';
import type { FileSystem } from '../src/storage/file-system.ts';
import { locateVault, makeFolder, namedVaultPath, newVaultPath, vaultFolder } from '../src/storage/locate.ts';

export interface Whereabouts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly fs: FileSystem;
  /** The vault by flag. */
  readonly named: string | undefined;
}

/** The user's folder for this program below one of the XDG folders, or `null` where there is no home. */
export function userFolder({ env }: Whereabouts, kind: 'state' | 'config' | 'data'): string | null {
  const named = env[{ state: 'XDG_STATE_HOME', config: 'XDG_CONFIG_HOME', data: 'XDG_DATA_HOME' }[kind]];
  const home = env['HOME'] ?? homedir();
  const below = { state: '.local/state', config: '.config', data: '.local/share' }[kind];
  if (named?.startsWith('/') === true) return join(named, 'vault');
  return home === '' || home === '/nonexistent' ? null : join(home, below, 'vault');
}

function userVault(where: Whereabouts): string {
  return join(userFolder(where, 'data') ?? where.cwd, 'secrets.vault');
}

/** The vault that is meant. @throws SecretNotFoundError VAULT_NOT_FOUND */
export function locate(where: Whereabouts): string {
  return locateVault({
    fs: where.fs,
    cwd: where.cwd,
    named: where.named ?? where.env['VAULT_PATH'] ?? null,
    userVault: userVault(where),
    uid: process.getuid?.() ?? null,
  });
}

/** Where a new vault goes; its folders are made. */
export function locateNew(where: Whereabouts, file: string | undefined, user: boolean): string {
  const named = file ?? where.named ?? (user ? undefined : where.env['VAULT_PATH']);
  if (named !== undefined && user) throw new UsageError('give a FILE or --user, not both');
  const here = join(where.cwd, vaultFolder, 'secrets.vault');
  const elsewhere = named === undefined ? here : namedVaultPath(where.fs, where.cwd, named);
  const wanted = user ? userVault(where) : elsewhere;
  makeFolder(where.fs, dirname(wanted));
  return newVaultPath(where.fs, wanted);
}
