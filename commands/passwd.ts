/** `vault passwd` and `vault recover`: a new passphrase, with the old one or with the recovery key. */
import { UnlockError, UsageError } from '../src/errors.ts';
import { parseRecoveryKey } from '../src/format/key-text.ts';
import { changePassphrase, type PassphraseChanged } from '../src/vault/operations/credentials.ts';
import type { CredentialSource, Vault } from '../src/vault/vault.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { newPassphrase } from './credentials.ts';
import { showRecoveryKey } from './init.ts';
import { addKdfOptions, kdfFrom, type KdfOptions } from './kdf-options.ts';

interface PasswdFlags extends KdfOptions {
  readonly newPassphraseFile?: string;
  readonly recoveryKeyFile?: string;
  readonly recoveryFile?: string;
  readonly recovery?: boolean;
}

export const declarePasswd: Declare = (program, act) => {
  const command = addKdfOptions(program.command('passwd'))
    .description('change your passphrase; --key-file adds or keeps a second factor')
    .option('--new-passphrase-file <file>', 'take the new passphrase from a file; - is standard input')
    .action(act<PasswdFlags>(runPasswd));
  return examples(command, 'vault passwd', 'vault passwd --memory 256', 'vault passwd --calibrate 500');
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

function fromFile(context: Context, file: string): string {
  return Buffer.from(context.readFile(file, 65_536))
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

async function wantedPassphrase(context: Context, flags: PasswdFlags, useGiven: boolean): Promise<string> {
  if (flags.newPassphraseFile === undefined) return newPassphrase(context, 'new passphrase:', useGiven);
  const text = fromFile(context, flags.newPassphraseFile);
  if (text === '') throw new UsageError('the new passphrase is empty');
  return text;
}

async function change(
  context: Context,
  vault: Vault,
  flags: PasswdFlags,
  operation: 'passwd' | 'recover',
  newRecoveryKey: boolean,
): Promise<PassphraseChanged> {
  const kdf = await kdfFrom(context, flags);
  const passphrase = await wantedPassphrase(context, flags, operation === 'recover');
  const credential = { type: 'passphrase', passphrase, keyFile: context.keyFile() } as const;
  const engine = vault.place.kdfEngine;
  return vault.write(operation, async (scope) =>
    changePassphrase(scope, { credential, kdf, engine, newRecoveryKey }),
  );
}

async function runPasswd(context: Context, flags: PasswdFlags): Promise<void> {
  // The flag names the new key file; the present one, if there is one, is named by the variable.
  const vault = await context.openVault({ keyFileFlag: false });
  await change(context, vault, flags, 'passwd', false);
  context.inform(
    'passphrase changed; whoever has the old one and an old copy of the file can still open this vault',
  );
}

async function runRecover(context: Context, flags: PasswdFlags): Promise<void> {
  const renew = flags.recovery !== false;
  if (renew && flags.recoveryFile === undefined && !context.errorIsTerminal) {
    throw new UsageError('the next recovery key would be shown to nobody', {
      hint: 'use --recovery-file FILE, or --no-recovery',
    });
  }
  const write = context.reserveFile(renew ? flags.recoveryFile : undefined);
  const credentials: CredentialSource = async (attempt) => {
    if (attempt > 1) return null;
    const { prompter } = context;
    const text =
      flags.recoveryKeyFile === undefined
        ? await prompter?.hidden('recovery key:')
        : fromFile(context, flags.recoveryKeyFile);
    if (text === undefined)
      throw new UnlockError('no recovery key was given', { hint: 'use --recovery-key-file' });
    const secret = await parseRecoveryKey(text);
    if (secret === null) throw new UnlockError('this is not a recovery key: those begin with VRK1');
    return { type: 'recovery', secret };
  };
  try {
    const vault = await context.openVault({ credentials });
    const { recoveryKey } = await change(context, vault, flags, 'recover', renew);
    context.inform('passphrase changed');
    showRecoveryKey(context, recoveryKey, write);
  } finally {
    write?.close();
  }
}
