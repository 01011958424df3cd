/**
 * What a command works with: options, the outside world, and the vault. Commands read their options, make one call of the core and
 * hand back what is to be shown; everything between is here.
 */
import { resolve } from 'node:path';
import { auditContext, parentProgram } from '../src/audit/context.ts';
import { DeclinedError, SecretNotFoundError, UsageError } from '../src/errors.ts';
import { userFolder } from '../src/storage/caller.ts';
import { projectFolder } from '../src/storage/locate.ts';
import {
  readDescriptor,
  readUserFile,
  reserveUserFile,
  writeUserFile,
  type ReservedFile,
} from '../src/storage/user-file.ts';
import { openPrompter, type Prompter } from '../src/terminal/prompt.ts';
import { errorIsTerminal, inputIsData } from '../src/terminal/streams.ts';
import { checkLogPath, logPathBeside, type Place } from '../src/vault/place.ts';
import type { CredentialSource, OpenOptions } from '../src/vault/opening.ts';
import { randomBytes, systemPlace } from '../src/vault/system-place.ts';
import { Vault } from '../src/vault/vault.ts';
import { locate, locateNew } from './location.ts';
import { credentialSource, tokenCredential } from './credentials.ts';
import { Settings } from './settings.ts';
import { Report, type GlobalOptions, type Host } from './report.ts';

export type { GlobalOptions, Host } from './report.ts';

export interface OpenVaultOptions {
  readonly acceptRollback?: boolean;
  readonly credentials?: CredentialSource;
  /** Whether --key-file names the present key file; `passwd` uses it for the new one. */
  readonly keyFileFlag?: boolean;
}

const valueBound = 16 * 1024 ** 2;
const passphraseBound = 64 * 1024;

export class Context extends Report {
  readonly settings: Settings;
  #prompter: Prompter | null | undefined;
  #circumstances: Place['context'] | undefined;
  #vault: Vault | null = null;

  constructor(globals: GlobalOptions, host: Host) {
    super(globals, host);
    this.settings = new Settings(globals, host);
  }

  variable(name: string): string | null {
    return this.host.env[name] ?? null;
  }

  /** Name of the environment by flag, variable or file, or `null` for the vault's own choice. */
  get environment(): string | null {
    return this.settings.environment;
  }

  random(length: number): Uint8Array<ArrayBuffer> {
    return randomBytes(length);
  }

  get inputIsData(): boolean {
    return inputIsData();
  }

  /** Standard input to its end, at most a value's size. */
  readInput(): Uint8Array<ArrayBuffer> {
    return readDescriptor(0, valueBound, 'standard input');
  }

  /** A file that a person named; `-` is standard input. */
  readFile(path: string, most = valueBound): Uint8Array<ArrayBuffer> {
    return path === '-' ? this.readInput() : readUserFile(resolve(this.host.cwd, path), most);
  }

  /** A file with a credential. Errors say `what` it is, not the path: somebody may have given the credential itself. */
  readCredentialFile(path: string, what: string, most = passphraseBound): Uint8Array<ArrayBuffer> {
    return path === '-'
      ? this.readInput()
      : readUserFile(resolve(this.host.cwd, path), most, `file with ${what}`);
  }

  /** One line of text in a file that a person named: a passphrase, a key. @throws UsageError if it is empty */
  readLine(path: string, what: string): string {
    const text = Buffer.from(this.readCredentialFile(path, what))
      .toString('utf8')
      .replace(/\r?\n$/, '');
    if (text === '') throw new UsageError(`${what} is empty`);
    return text;
  }

  readDescriptor(descriptor: number): Uint8Array<ArrayBuffer> {
    return readDescriptor(descriptor, passphraseBound, `descriptor ${descriptor}`);
  }

  /** A file that a person named, for the caller alone unless a mode says otherwise. */
  writeFile(path: string, bytes: Uint8Array<ArrayBuffer>, mode?: number): void {
    writeUserFile(resolve(this.host.cwd, path), bytes, mode);
  }

  /** The terminal, or `null` where nobody can be asked. */
  get prompter(): Prompter | null {
    if (this.globals.input === false) return null;
    this.#prompter ??= openPrompter();
    return this.#prompter;
  }

  /** A yes or no before something is destroyed. @throws UsageError where nobody can answer; DeclinedError */
  async confirm(question: string, yes: boolean | undefined): Promise<void> {
    if (yes === true) return;
    const { prompter } = this;
    if (prompter === null)
      throw new UsageError(`${question} Nobody can answer here.`, { hint: 'use --yes if you mean it' });
    if (!(await prompter.confirm(question))) throw new DeclinedError();
  }

  /** Bytes of the key file by flag or variable; `undefined` without one. */
  keyFile(byFlag = true): Uint8Array<ArrayBuffer> | undefined {
    const path = (byFlag ? this.globals.keyFile : undefined) ?? this.variable('VAULT_KEY_FILE');
    return path === null ? undefined : this.readFile(path, 2 * 1024 ** 2);
  }

  /** The vault that settings choose, or `null` for the nearest one. */
  async #chosenVault(): Promise<string | null> {
    return this.settings.vault(() => this.prompter !== null);
  }

  /** Where a new vault goes; its folders are made. */
  async locateNew(file: string | undefined, user: boolean): Promise<string> {
    const named = file ?? this.globals.vault ?? (user ? null : await this.#chosenVault());
    return locateNew({ ...this.host, named, own: user ? this.settings.userVault : null }, user);
  }

  place(path: string): Place {
    const named = this.variable('VAULT_AUDIT_FILE');
    const { env, fs, cwd, acquireLock, operation } = this.host;
    const auditFile = named === null ? logPathBeside(path) : resolve(cwd, named);
    checkLogPath(path, auditFile);
    const circumstances = (): Place['context'] =>
      (this.#circumstances ??= auditContext(env, parentProgram(), errorIsTerminal() ? 'terminal' : 'none'));
    // Asked for when the first record is written; looked for when there is nothing else to do.
    setImmediate(circumstances);
    return systemPlace({
      fs,
      path,
      auditFile,
      stateFolder: userFolder(env, 'state'),
      kdfEngine: this.settings.kdfEngine,
      operation,
      circumstances,
      acquireLock,
      warn: (message) => {
        this.warn(message);
      },
    });
  }

  /** A new file for something that is made only later; `null` without a path. */
  reserveFile(path: string | undefined): ReservedFile | null {
    return path === undefined ? null : reserveUserFile(resolve(this.host.cwd, path));
  }

  /** The vault that is meant, or one that was named, without opening it. */
  async vaultPlace(file?: string): Promise<Place> {
    return this.place(await this.#located(file));
  }

  /** Path of the vault that is meant. @throws SecretNotFoundError VAULT_NOT_FOUND */
  async #located(file?: string): Promise<string> {
    const named = file ?? (await this.#chosenVault());
    return locate({ ...this.host, named, own: named === null ? this.settings.userVault : null });
  }

  /** The same, or `null` where there is no vault yet, or none any more. */
  async placeOrNull(): Promise<Place | null> {
    try {
      return await this.vaultPlace();
    } catch (error) {
      if (error instanceof SecretNotFoundError && error.code === 'VAULT_NOT_FOUND') return null;
      throw error;
    }
  }

  /** Where the credential comes from, by variables or from a person. */
  credentials(path: string): CredentialSource {
    return credentialSource(this, path, true);
  }

  /** What a vault at a path is opened with: who, and by which credential. */
  openOptions(path: string, options: OpenVaultOptions = {}): OpenOptions {
    const { principal } = this.settings.forOpening();
    const token = options.credentials === undefined ? tokenCredential(this) : null;
    const credentials = options.credentials ?? credentialSource(this, path, options.keyFileFlag !== false);
    return { token, credentials, principal, acceptRollback: options.acceptRollback === true };
  }

  /** Open and unlock the vault that is meant. Closed when the command ends. */
  async openVault(options: OpenVaultOptions = {}): Promise<Vault> {
    this.settings.forOpening();
    const path = await this.#located();
    this.#vault = await Vault.open(this.place(path), this.openOptions(path, options));
    return this.#vault;
  }

  /** The folder whose vault is open; `undefined` without one. */
  get projectFolder(): string | undefined {
    return this.#vault === null ? undefined : projectFolder(this.#vault.place.path);
  }

  close(): void {
    this.#vault?.close();
    this.#vault = null;
  }
}
