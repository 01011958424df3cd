/** People who share a vault, each on a machine of their own: its own memory, its own passphrase, one file and one audit log. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { BinaryVault, fastKdf, type Ended, type RunOptions, type Variables } from './binary-vault.ts';

export class Team {
  readonly vault = new BinaryVault();
  readonly #changed = new Map<string, string>();

  passphrase(name: string): string {
    return this.#changed.get(name) ?? `passphrase of ${name}`;
  }

  machine(name: string): Variables {
    return { XDG_STATE_HOME: this.vault.in(name), VAULT_PASSPHRASE: this.passphrase(name) };
  }

  async as(name: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const env = { ...this.machine(name), ...options.env };
    return this.vault.ok(['--as', name, ...args], { ...options, env });
  }

  /** The first line of what a command prints: a token, an invitation. */
  async printed(name: string, args: readonly string[]): Promise<string> {
    const { stdout } = await this.as(name, args);
    return stdout.toString('utf8').trimEnd();
  }

  async found(...flags: readonly string[]): Promise<void> {
    await this.vault.ok(['init', ...fastKdf, ...flags], { env: this.machine('owner') });
  }

  async put(name: string, environment: string, secret: string, value: string): Promise<void> {
    await this.as(name, ['put', '-e', environment, '--exact', '--', secret], { input: value });
  }

  /** The owner adds somebody by the public keys of a request; they have not joined yet. */
  async await(name: string, ...rights: readonly string[]): Promise<void> {
    const { stdout } = await this.vault.ok(['join', '--request', '--name', name, ...fastKdf], {
      env: this.machine(name),
    });
    const file = this.vault.in(`${name}.request`);
    writeFileSync(file, stdout);
    await this.as('owner', ['access', 'add', name, ...rights, '--request', file, '--yes']);
  }

  /** Who is awaited brings the credentials. */
  async join(name: string): Promise<void> {
    await this.vault.ok(['join'], { env: this.machine(name) });
  }

  async request(name: string, ...rights: readonly string[]): Promise<void> {
    await this.await(name, ...rights);
    await this.join(name);
  }

  async invite(name: string, ...rights: readonly string[]): Promise<void> {
    const invitation = await this.printed('owner', ['access', 'add', name, ...rights, '--invite', '--yes']);
    writeFileSync(this.vault.in(`${name}.invitation`), invitation);
  }

  /** Who is invited takes the place; the owner's next header completes it. */
  async accept(name: string): Promise<void> {
    const file = this.vault.in(`${name}.passphrase`);
    writeFileSync(file, this.passphrase(name));
    const invitation = this.vault.in(`${name}.invitation`);
    await this.vault.ok(
      ['join', '--invitation-file', invitation, '--new-passphrase-file', file, ...fastKdf],
      { env: this.machine(name) },
    );
  }

  /** Somebody may know the old one: new keys too, and a new recovery key in a file of its own. */
  async compromised(name: string, recoveryFile: string): Promise<void> {
    const next = `${this.passphrase(name)}, the next`;
    writeFileSync(this.vault.in('next'), next);
    const files = ['--new-passphrase-file', 'next', '--recovery-file', recoveryFile];
    await this.as(name, ['passwd', '--compromised', ...files, ...fastKdf]);
    this.#changed.set(name, next);
  }

  async token(name: string, ...rights: readonly string[]): Promise<string> {
    return this.printed('owner', ['access', 'add', name, ...rights, '--token', '--yes']);
  }

  /** Keep vault and log as they are now. @returns the vault's path; the log is beside it */
  keep(stage: string): string {
    const file = this.vault.in('stages', `${stage}.vault`);
    mkdirSync(this.vault.in('stages'), { recursive: true });
    copyFileSync(this.vault.file, file);
    copyFileSync(this.vault.log, `${file}.audit.jsonl`);
    return file;
  }
}
