/**
 * Settings: a flag beats a variable, a variable beats the project's `vault.json`, that beats the user's `config.json`. Each file is read
 * when something asks for what no flag or variable has answered, and once.
 */
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { AccessDeniedError, UsageError } from '../src/errors.ts';
import { parseProjectFile, type ProjectFile, type RequiredSecret } from '../src/config/project-file.ts';
import { configBound } from '../src/config/shape.ts';
import { noUserSettings, parseUserSettings, type UserSettings } from '../src/config/user-settings.ts';
import type { HookDefinition } from '../src/format/hook.ts';
import { callerId, userFolder } from '../src/storage/caller.ts';
import { nearestProjectFile } from '../src/storage/locate.ts';
import { readOwnFile } from '../src/storage/own-file.ts';
import { acceptedHash, openTrustStore, type TrustStore } from '../src/storage/trust-store.ts';
import type { Surroundings } from './location.ts';

/** A project's file as it stands on disk. */
export interface Project {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly file: ProjectFile;
}

/** What was said on the command line. */
interface Flags {
  readonly vault?: string;
  readonly env?: string;
  readonly as?: string;
}

/** Why a file is not trusted, or that it is. */
export type Trust = 'trusted' | 'unknown' | 'changed';

export class Settings {
  readonly #flags: Flags;
  readonly #around: Surroundings;
  #project: Project | null | undefined;
  #user: UserSettings | undefined;

  constructor(flags: Flags, around: Surroundings) {
    this.#flags = flags;
    this.#around = around;
  }

  #variable(name: string): string | null {
    return this.#around.env[name] ?? null;
  }

  /** A name in a variable; an empty one names nothing. */
  #named(variable: string): string | null {
    const name = this.#variable(variable);
    return name === '' ? null : name;
  }

  /** The nearest `vault.json`, or `null`. @throws UsageError; IntegrityError UNSAFE_PATH */
  get project(): Project | null {
    if (this.#project === undefined) this.#project = this.#readProject();
    return this.#project;
  }

  /** Path of the nearest `vault.json`, whatever it holds, or `null`. */
  get projectPath(): string | null {
    return nearestProjectFile({ fs: this.#around.fs, cwd: this.#around.cwd, uid: callerId() });
  }

  #readProject(): Project | null {
    const path = this.projectPath;
    if (path === null) return null;
    const bytes = readOwnFile(this.#around.fs, path, { uid: callerId(), most: configBound });
    return bytes === null ? null : { path, bytes, file: parseProjectFile(bytes, path) };
  }

  get #userSettings(): UserSettings {
    this.#user ??= this.#readUser();
    return this.#user;
  }

  #readUser(): UserSettings {
    const folder = userFolder(this.#around.env, 'config');
    if (folder === null) return noUserSettings;
    const path = join(folder, 'config.json');
    const bytes = readOwnFile(this.#around.fs, path, { uid: callerId(), most: configBound, linked: true });
    return bytes === null ? noUserSettings : parseUserSettings(bytes, path);
  }

  /** Name of the environment, or `null` for the vault's own choice. */
  get environment(): string | null {
    return (
      this.#flags.env ??
      this.#named('VAULT_ENVIRONMENT') ??
      this.project?.file.environment ??
      this.#userSettings.environment
    );
  }

  /** Who the user is, or `null` for whoever the credential says. A token says it, so then the user's default is not asked. */
  get principal(): string | null {
    const named = this.#flags.as ?? this.#named('VAULT_PRINCIPAL');
    const token = this.#variable('VAULT_ACCESS_TOKEN') ?? this.#variable('VAULT_ACCESS_TOKEN_FILE');
    return named ?? (token === null ? this.#userSettings.principal : null);
  }

  get kdfEngine(): 'wasm' | 'native' {
    const engine = this.#variable('VAULT_KDF_ENGINE') ?? this.#userSettings.kdfEngine ?? 'wasm';
    if (engine !== 'wasm' && engine !== 'native') throw new UsageError('VAULT_KDF_ENGINE is wasm or native');
    return engine;
  }

  /** Secrets that the project's programs need. */
  get required(): readonly RequiredSecret[] {
    return this.project?.file.required ?? [];
  }

  /** Path of the vault by flag, variable or project, or `null`. @throws AccessDeniedError UNTRUSTED_PROJECT */
  async vault(canAsk: () => boolean): Promise<string | null> {
    const named = this.#flags.vault ?? this.#variable('VAULT_PATH');
    if (named !== null) return named;
    const { project } = this;
    const chosen = project === null ? null : projectVault(project);
    if (project !== null && chosen !== null) await this.#requireTrust(project, 'chooses the vault', canAsk);
    return chosen;
  }

  /** Where the user has their own vault, if that is not the usual place. */
  get userVault(): string | null {
    const { vault } = this.#userSettings;
    if (vault?.startsWith('~/') !== true) return vault;
    return join(this.#around.env['HOME'] ?? homedir(), vault.slice(2));
  }

  /** What opening a vault asks for, and the environment: a bad file is refused before anybody types a passphrase. */
  forOpening(): { readonly environment: string | null; readonly principal: string | null } {
    const { environment, principal } = this;
    return { environment, principal };
  }

  /** The user's own stored hooks, by id. */
  get hooks(): ReadonlyMap<string, HookDefinition> {
    return this.#userSettings.hooks;
  }

  get trustStore(): TrustStore {
    return this.#trustStore('trust');
  }

  /** Which hooks of vaults the user has accepted. */
  get hookTrustStore(): TrustStore {
    return this.#trustStore('hooks');
  }

  #trustStore(name: 'trust' | 'hooks'): TrustStore {
    return openTrustStore(this.#around.fs, userFolder(this.#around.env, 'state'), callerId(), name);
  }

  /** Whether the user accepted exactly these bytes at this path, by a variable or before. */
  async trustOf({ path, bytes }: Pick<Project, 'path' | 'bytes'>): Promise<Trust> {
    const hash = await acceptedHash(bytes);
    if (this.#variable('VAULT_TRUST_PROJECT')?.toLowerCase() === hash) return 'trusted';
    const accepted = await this.trustStore.find(path);
    if (accepted === null) return 'unknown';
    return accepted.sha256 === hash ? 'trusted' : 'changed';
  }

  async #requireTrust(project: Project, does: string, canAsk: () => boolean): Promise<void> {
    const trust = await this.trustOf(project);
    if (trust === 'trusted') return;
    const why = trust === 'changed' ? 'has changed since you accepted it' : 'you have not accepted it';
    const elsewhere = 'read it, then set VAULT_TRUST_PROJECT to its SHA-256, or run `vault trust`';
    const details = canAsk() ? {} : { hint: elsewhere };
    throw new AccessDeniedError(`${project.path} ${does}, and ${why}`, details, 'UNTRUSTED_PROJECT');
  }
}

/** Where a project's file says that the vault is. */
export function projectVault({ path, file }: Project): string | null {
  return file.vault === null ? null : resolve(dirname(path), file.vault);
}
