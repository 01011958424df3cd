/** A vault whose owner has a token beside a passphrase of its own. Neither that passphrase nor the PIN may be shown anywhere. */
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BinaryVault, fastKdf, type Ended, type RunOptions, type Variables } from './binary-vault.ts';
import { Canary } from './canary.ts';
import { SoftTokens, softModule } from './soft-token.ts';

export const deviceUri = 'pkcs11:token=work;object=vault';

export class DeviceVault extends BinaryVault {
  readonly tokens = new SoftTokens();
  readonly pin = new Canary();
  readonly devicePassphrase = new Canary();
  readonly serial = this.addToken(this.tokens, 'work', this.pin.value);

  static override async make(): Promise<DeviceVault> {
    const vault = new DeviceVault();
    await vault.ok(['init', ...fastKdf, '--no-recovery']);
    await vault.put('canary', vault.canary.value);
    writeFileSync(vault.pinFile, `${vault.pin.value}\n`);
    writeFileSync(vault.passphraseFile, `${vault.devicePassphrase.value}\n`);
    return vault;
  }

  get pinFile(): string {
    return this.in('pin');
  }

  get passphraseFile(): string {
    return this.in('passphrase');
  }

  /** Tokens of a drawer are there. Nothing says that one is to be used. */
  drawer(tokens = this.tokens): Variables {
    const { SOFTHSM2_CONF } = tokens.environment;
    return { SOFTHSM2_CONF };
  }

  /** What an unlock with the device needs. */
  withDevice(more: Variables = {}): Variables {
    return {
      ...this.drawer(),
      VAULT_PASSPHRASE: undefined,
      VAULT_PASSPHRASE_FILE: this.passphraseFile,
      VAULT_PKCS11_PIN_FILE: this.pinFile,
      VAULT_PKCS11_MODULE: softModule,
      ...more,
    };
  }

  /** A token with a key that is called `vault`. @returns its serial */
  addToken(tokens: SoftTokens, label: string, pin: string): string {
    const serial = tokens.add(label, pin);
    tokens.addKey(serial, { type: 'rsa:2048', label: 'vault', id: '01' });
    return serial;
  }

  /** A slot for a device, added with the passphrase that the vault has. */
  async addDevice(uri = deviceUri, more: Variables = {}): Promise<Ended> {
    const args = ['slot', 'add', '--pkcs11', uri, '--new-passphrase-file', this.passphraseFile, ...fastKdf];
    const env = { ...this.drawer(), VAULT_PKCS11_PIN_FILE: this.pinFile, VAULT_PKCS11_MODULE: softModule };
    return this.ok(args, { env: { ...env, ...more } });
  }

  override async runWith(file: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const ended = await super.runWith(file, args, options);
    for (const text of [ended.stdout, ended.stderr]) this.expectNotShown(text);
    return ended;
  }

  expectNotShown(text: string | Uint8Array): void {
    expect(this.pin.isIn(text), 'the PIN is shown').toBe(false);
    expect(this.devicePassphrase.isIn(text), 'the passphrase is shown').toBe(false);
  }

  override expectNoLeak(): void {
    super.expectNoLeak();
    expect(this.pin.filesBelow(this.folder), 'files with the PIN').toEqual([this.pinFile]);
    expect(this.devicePassphrase.filesBelow(this.folder), 'files with the passphrase').toEqual([
      this.passphraseFile,
    ]);
  }
}

/** A test with a vault and a token of its own, after which PIN, passphrase and canary must be nowhere. */
export function deviceScenario(title: string, body: (vault: DeviceVault) => Promise<void>): void {
  test.concurrent(
    // oxlint-disable-next-line vitest/valid-title -- the caller's
    title,
    async () => {
      const vault = await DeviceVault.make();
      await body(vault);
      vault.expectNoLeak();
    },
  );
}
