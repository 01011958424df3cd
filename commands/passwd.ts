/** `vault passwd` and `vault recover`: a new passphrase, with the old one or with the recovery key. */
import { UnlockError } from '../src/errors.ts';
import { parseRecoveryKey } from '../src/format/key-text.ts';
import { changePassphrase, type NewPassphrase } from '../src/vault/operations/credentials.ts';
import { replaceCompromised } from '../src/vault/operations/renewal.ts';
import type { RenewedKeys } from '../src/vault/operations/own-slots.ts';
import type { CredentialSource } from '../src/vault/opening.ts';
import type { Vault } from '../src/vault/vault.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { newPassphrase, newPassphraseIn } from './credentials.ts';
import { sameDevice } from './devices.ts';
import { withRecoveryKey, type KeepKey, type RecoveryFlags } from './recovery-key.ts';
import type { Credential } from '../src/access/slot.ts';
import { outputRenewal, reportRenewal } from './slot.ts';
import { addKdfOptions, kdfFrom, type KdfOptions } from './kdf-options.ts';

interface PasswdFlags extends KdfOptions, RecoveryFlags {
  readonly compromised?: boolean;
  readonly newPassphraseFile?: string;
  readonly recoveryKeyFile?: string;
}

export const declarePasswd: Declare = (program, act) => {
  const command = addKdfOptions(program.command('passwd'))
    .description('change your passphrase; --key-file adds or keeps a second factor')
    .option('--new-passphrase-file <file>', 'take the new passphrase from a file; - is standard input')
    .option('--compromised', 'somebody may know the old one: new keys too, and your other credentials go')
    .option('--recovery-file <file>', 'with --compromised: write the next recovery key to a new file')
    .option('--no-recovery', 'with --compromised: make no new recovery key')
    .action(act<PasswdFlags>(runPasswd));
  return examples(
    command,
    'vault passwd',
    'vault passwd --memory 256',
    'vault passwd --calibrate 500',
    'vault passwd --compromised',
  );
};

export const declareRecover: Declare = (program, act) => {
  const command = addKdfOptions(program.command('recover'))
    .description('back in with the recovery key, and a new passphrase')
    .option('--recovery-key-file <file>', 'take the recovery key from a file; - is standard input')
    .option('--new-passphrase-file <file>', 'take the new passphrase from a file')
    .option('--recovery-file <file>', 'write the next recovery key to a new file instead of showing it')
    .option('--no-recovery', 'keep the recovery key that was used')
    .action(act<PasswdFlags>(runRecover));
  return examples(command, 'vault recover');
};

async function wantedPassphrase(context: Context, flags: PasswdFlags, useGiven: boolean): Promise<string> {
  const isAlone = context.keyFile() === undefined;
  if (flags.newPassphraseFile === undefined)
    return newPassphrase(context, 'new passphrase:', { useGiven, isAlone });
  return newPassphraseIn(context, flags.newPassphraseFile, isAlone);
}

/** Whoever has unlocked with a device keeps it beside the new passphrase, unless a key file takes its place. */
async function withPassphrase(
  context: Context,
  vault: Vault,
  passphrase: string,
): Promise<Pick<NewPassphrase, 'credential' | 'hint'>> {
  const keyFile = context.keyFile();
  const inUse = vault.document
    .slotsOf(vault.identity.principal)
    .find(({ value }) => value.id === vault.identity.slot)?.value;
  if (inUse?.type === 'pkcs11' && keyFile === undefined) return sameDevice(context, inUse.hint, passphrase);
  return { credential: { type: 'passphrase', passphrase, keyFile } };
}

async function change(
  context: Context,
  vault: Vault,
  flags: PasswdFlags,
  operation: 'passwd' | 'recover',
  keep: KeepKey | null,
): Promise<RenewedKeys> {
  const kdf = await kdfFrom(context, flags);
  const passphrase = await wantedPassphrase(context, flags, operation === 'recover');
  const chosen = await withPassphrase(context, vault, passphrase);
  const wanted = { ...chosen, kdf, engine: vault.place.kdfEngine, newRecoveryKey: keep !== null };
  return vault.write(operation, async (scope) => {
    const done = await changePassphrase(scope, wanted);
    if (done.recoveryKey !== null) keep?.(done.recoveryKey);
    return done;
  });
}

async function runPasswd(context: Context, flags: PasswdFlags): Promise<void> {
  // The flag names the new key file; the present one, if there is one, is named by the variable.
  const vault = await context.openVault({ keyFileFlag: false });
  if (flags.compromised === true) {
    await replace(context, vault, flags);
    return;
  }
  const done = await change(context, vault, flags, 'passwd', null);
  outputRenewal(context, done);
  context.inform(
    'passphrase changed; whoever has the old one and an old copy of the file can still open this vault',
  );
  const slots = vault.document.slotsOf(vault.identity.principal);
  if (slots.filter(({ value }) => value.kdf.name !== 'none').length > 1)
    context.inform('another credential of yours keeps the passphrase that it has: `vault slot ls`');
}

/** New keys where the old passphrase is not one's own secret any more. */
async function replace(context: Context, vault: Vault, flags: PasswdFlags): Promise<void> {
  const kdf = await kdfFrom(context, flags);
  const passphrase = await wantedPassphrase(context, flags, false);
  const chosen = await withPassphrase(context, vault, passphrase);
  const { kdfEngine: engine } = vault.place;
  const work = async (keep: KeepKey | null): Promise<RenewedKeys> =>
    vault.write('passwd', async (scope) => {
      const wanted = { ...chosen, kdf, engine, newRecoveryKey: keep !== null };
      const done = await replaceCompromised(scope, wanted);
      if (done.recoveryKey !== null) keep?.(done.recoveryKey);
      return done;
    });
  const { authority, identity } = vault;
  const recovery = flags.recovery !== false && authority.isAdmin(identity.principal);
  reportRenewal(context, recovery ? await withRecoveryKey(context, flags, work) : await work(null));
}

async function recoveryCredential(context: Context, flags: PasswdFlags): Promise<Credential> {
  const { prompter } = context;
  const text =
    flags.recoveryKeyFile === undefined
      ? await prompter?.hidden('recovery key:')
      : context.readLine(flags.recoveryKeyFile, 'the recovery key');
  if (text === undefined) {
    throw new UnlockError('no recovery key was given', { hint: 'use --recovery-key-file' });
  }
  const secret = await parseRecoveryKey(text);
  if (secret === null) throw new UnlockError('this is not a recovery key: those begin with VRK1');
  return { type: 'recovery', secret };
}

async function runRecover(context: Context, flags: PasswdFlags): Promise<void> {
  const done = await withRecoveryKey(context, flags, async (keep) => {
    const credentials: CredentialSource = async (attempt) =>
      attempt > 1 ? null : recoveryCredential(context, flags);
    const vault = await context.openVault({ credentials });
    return change(context, vault, flags, 'recover', flags.recovery === false ? null : keep);
  });
  outputRenewal(context, done);
  context.inform('passphrase changed');
}
