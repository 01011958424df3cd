/** `vault slot`: one's own credentials. */
import type { Command } from 'commander';
import {
  addSlot,
  listSlots,
  type NewCredential,
  type SlotInfo,
} from '../src/vault/operations/credentials.ts';
import { removeSlot } from '../src/vault/operations/renewal.ts';
import type { RenewedKeys } from '../src/vault/operations/own-slots.ts';
import { kdfText } from './kdf-text.ts';
import { examples, group, type Act, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { jsonText } from './report.ts';
import { newPassphrase, newPassphraseIn } from './credentials.ts';
import { checkOneWay, newAge, newDevice } from './devices.ts';
import { addKdfOptions, kdfFrom, type KdfOptions } from './kdf-options.ts';
import { withRecoveryKey, type RecoveryFlags } from './recovery-key.ts';

interface SlotAddFlags extends KdfOptions, RecoveryFlags {
  readonly passphrase?: boolean;
  readonly newPassphraseFile?: string;
  readonly recovery?: boolean;
  readonly token?: boolean;
  readonly pkcs11?: string;
  readonly age?: string;
}

interface SlotRemoveFlags extends RecoveryFlags {
  readonly yes?: boolean;
}

export const declareSlot: Declare = (program, act) => {
  const command = group(program, 'slot', 'your own credentials: several ways in');
  command
    .command('ls')
    .alias('list')
    .description('list your credentials')
    .action(
      act(async (context) => {
        const vault = await context.openVault();
        const all = await vault.read('slot-ls', async (scope) => Promise.resolve(listSlots(scope)));
        if (context.json) {
          context.outputJson(all);
          return;
        }
        const rows = all.map((slot) => [
          slot.inUse ? `${slot.id} *` : slot.id,
          kdfText(slot),
          slot.since === null ? '-' : context.day(slot.since),
          deviceText(slot),
        ]);
        await context.table(['ID', 'TYPE', 'SINCE', 'DEVICE'], rows);
      }),
    );
  declareAdd(command, act);
  command
    .command('rm')
    .alias('delete')
    .description('remove a credential that somebody else may have')
    .argument('<id>', 'its id, from `vault slot ls`')
    .option('--recovery-file <file>', 'write the next recovery key to a new file instead of showing it')
    .option('--no-recovery', 'make no new recovery key')
    .option('-y, --yes', 'do not ask')
    .action(act<SlotRemoveFlags>(runRemove));
  return examples(
    command,
    'vault slot ls',
    'vault slot add --passphrase --key-file /media/key/vault.key',
    "vault slot add --pkcs11 'pkcs11:token=work;object=vault'",
    'vault slot add --recovery',
    'vault slot rm yF3kq0Xo2ZA',
  );
};

/** A post-quantum recipient has two thousand characters: as much of it as tells one from another. */
function deviceText({ type, device }: SlotInfo): string {
  if (device === null) return '-';
  return type === 'age' ? `${device.slice(0, 24)}…` : device;
}

function declareAdd(command: Command, act: Act): void {
  addKdfOptions(command.command('add'))
    .description('add a credential for yourself')
    .option('--passphrase', 'a passphrase; with --key-file, both are needed')
    .option('--new-passphrase-file <file>', 'take the passphrase from a file; - is standard input')
    .option('--recovery', 'a recovery key, printed once on standard output')
    .option('--token', 'a token, printed once on standard output')
    .option('--pkcs11 <uri>', 'a key of a token or HSM (RFC 7512), beside a passphrase')
    .option('--age <file>', 'an age identity file, post-quantum')
    .action(act<SlotAddFlags>(runAdd));
}

function checkFlags(context: Context, flags: SlotAddFlags): void {
  const passphrase =
    flags.passphrase === true ||
    (flags.newPassphraseFile !== undefined && flags.pkcs11 === undefined) ||
    context.globals.keyFile !== undefined;
  checkOneWay(
    [
      passphrase,
      flags.recovery === true,
      flags.token === true,
      flags.pkcs11 !== undefined,
      flags.age !== undefined,
    ],
    'one of --passphrase, --key-file FILE, --recovery, --token, --pkcs11 URI, --age FILE',
  );
}

async function wantedCredential(context: Context, flags: SlotAddFlags): Promise<NewCredential> {
  if (flags.token === true) return { type: 'token' };
  if (flags.recovery === true) return { type: 'recovery' };
  if (flags.age !== undefined) return { type: 'device', kdf: null, ...(await newAge(context, flags.age)) };
  const isAlone = flags.pkcs11 === undefined && context.globals.keyFile === undefined;
  const passphrase = async (): Promise<string> =>
    flags.newPassphraseFile === undefined
      ? newPassphrase(context, 'new passphrase:', { useGiven: false, isAlone })
      : newPassphraseIn(context, flags.newPassphraseFile, isAlone);
  const kdf = await kdfFrom(context, flags);
  if (flags.pkcs11 !== undefined)
    return { type: 'device', kdf, ...(await newDevice(context, flags.pkcs11, passphrase)) };
  const keyFile = context.globals.keyFile === undefined ? undefined : context.keyFile();
  return {
    type: 'given',
    credential: { type: 'passphrase', passphrase: await passphrase(), keyFile },
    kdf,
  };
}

async function runAdd(context: Context, flags: SlotAddFlags): Promise<void> {
  checkFlags(context, flags);
  // The flag names the new key file; the present one, if there is one, is named by the variable.
  const vault = await context.openVault({ keyFileFlag: false });
  const wanted = await wantedCredential(context, flags);
  const added = await vault.write('slot-add', async (scope) => addSlot(scope, wanted, vault.place.kdfEngine));
  const { id, type, text } = added;
  const token = type === 'token' ? text : null;
  const recoveryKey = type === 'recovery' ? text : null;
  const data = { id, type, token, recoveryKey };
  if (text !== null) {
    const hint = `take it away with \`vault slot rm ${id}\`, and add another`;
    context.outputOnce(context.json ? jsonText(data) : `${text}\n`, hint);
  } else if (context.json) context.outputJson(data);
  context.inform(`${type} added, ${id}`);
}

async function runRemove(context: Context, flags: SlotRemoveFlags, id = ''): Promise<void> {
  const vault = await context.openVault();
  const renews = await vault.read('slot-ls', async (scope) =>
    Promise.resolve({ admin: scope.isAdministrator, slots: listSlots(scope) }),
  );
  const others = renews.slots.filter((slot) => !slot.inUse && slot.id !== id && slot.type !== 'removed');
  const more =
    renews.admin && others.length > 0
      ? ` Your other credentials go with it: ${others.map(({ type }) => type).join(', ')}.`
      : '';
  await context.confirm(`remove the credential ${id}?${more}`, flags.yes);
  const engine = vault.place.kdfEngine;
  const recovery = renews.admin && flags.recovery !== false;
  const remove = async (keep: ((key: string) => void) | null): Promise<RenewedKeys> =>
    vault.write('slot-rm', async (scope) => {
      const done = await removeSlot(scope, id, { recovery: keep !== null, engine });
      if (done.recoveryKey !== null) keep?.(done.recoveryKey);
      return done;
    });
  const done = recovery ? await withRecoveryKey(context, flags, remove) : await remove(null);
  reportRenewal(context, done);
}

/** What became of keys and credentials, for scripts. The recovery key is not in it: it has been shown. */
export function outputRenewal(context: Context, { renewed, removed, rekeyed }: RenewedKeys): void {
  if (context.json) context.outputJson({ renewed, removed, rekeyed });
}

export function reportRenewal(context: Context, done: RenewedKeys): void {
  outputRenewal(context, done);
  if (done.renewed) {
    const gone = done.removed.map(({ type }) => type).join(', ');
    context.inform(`new keys for you${done.rekeyed.length > 0 ? ` and for ${done.rekeyed.join(', ')}` : ''}`);
    if (gone !== '') context.inform(`gone: ${gone}`);
  } else {
    context.inform(
      'removed. Your keys are the same: whoever has that credential and an old copy of the file still has them',
    );
    context.inform(
      'ask an administrator for new ones: `vault access reissue`; until then `vault status` says so',
    );
  }
}
