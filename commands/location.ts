/** Where the vault is, and the user's own folders: flags, variables, the working folder. `commands.md`, "Variables". */
import { dirname, join } from 'node:path';
import { UsageError } from '../src/errors.ts';
import { callerId, userFolder } from '../src/storage/caller.ts';
import type { FileSystem } from '../src/storage/file-system.ts';
import { locateVault, makeFolder, namedVaultPath, newVaultPath, vaultFolder } from '../src/storage/locate.ts';

/** What of the process says where things are. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly fs: FileSystem;
}

/** Surroundings, and what settings make of them. */
export interface Whereabouts extends Surroundings {
  /** The vault that was chosen, or `null` for the nearest one. */
  readonly named: string | null;
  /** The user's own vault, where it is not in the usual place. */
  readonly own: string | null;
}

function userVault(where: Whereabouts): string {
  if (where.own !== null) return namedVaultPath(where.fs, where.cwd, where.own);
  return join(userFolder(where.env, 'data') ?? where.cwd, 'secrets.vault');
}

/** The vault that is meant. @throws SecretNotFoundError VAULT_NOT_FOUND */
export function locate(where: Whereabouts): string {
  return locateVault({
    fs: where.fs,
    cwd: where.cwd,
    named: where.named,
    userVault: userVault(where),
    uid: callerId(),
  });
}

/** Where a new vault goes; its folders are made. */
export function locateNew(where: Whereabouts, user: boolean): string {
  const { named } = where;
  if (named !== null && user) throw new UsageError('give a FILE or --user, not both');
  const here = join(where.cwd, vaultFolder, 'secrets.vault');
  const elsewhere = named === null ? here : namedVaultPath(where.fs, where.cwd, named);
  const wanted = user ? userVault(where) : elsewhere;
  makeFolder(where.fs, dirname(wanted));
  return newVaultPath(where.fs, wanted);
}
