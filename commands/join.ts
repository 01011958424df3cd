/** `vault join`: coming into a vault that is there, by request or by invitation. */
import { userName } from '../src/audit/context.ts';
import { UsageError } from '../src/errors.ts';
import { encodeJoinRequest, isInvitation, parseInvitation } from '../src/format/join-text.ts';
import { acceptInvitation } from '../src/vault/join-invitation.ts';
import { finishRequest, fingerprintOf, hasPendingJoin, makeJoinRequest } from '../src/vault/join-request.ts';
import type { Newcomer } from '../src/vault/join.ts';
import type { Place } from '../src/vault/place.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { newPassphrase, newPassphraseIn } from './credentials.ts';
import { addKdfOptions, choosesKdf, kdfFrom, type KdfOptions } from './kdf-options.ts';

interface JoinFlags extends KdfOptions {
  readonly request?: boolean;
  readonly replace?: boolean;
  readonly name?: string;
  readonly invitationFile?: string;
  readonly newPassphraseFile?: string;
}

export const declareJoin: Declare = (program, act) => {
  const command = addKdfOptions(program.command('join'))
    .description('come into a vault that is there: ask for access, or take up an invitation')
    .argument('[file]', 'the vault (default: the one that is found)')
    .option('--request', 'make keys, and print a request with the public ones for an administrator')
    .option('--replace', 'with --request: give up a request that was made before')
    .option('--name <name>', 'what you would like to be called (default: your user name)')
    .option('--invitation-file <file>', 'take the invitation from a file; - is standard input')
    .option('--new-passphrase-file <file>', 'take your new passphrase from a file')
    .action(act<JoinFlags>(runJoin));
  return examples(
    command,
    'vault join --request > ada.request',
    'vault join',
    'vault join --invitation-file invitation',
  );
};

async function newcomer(context: Context, flags: JoinFlags): Promise<Newcomer> {
  const kdf = await kdfFrom(context, flags);
  const keyFile = context.keyFile();
  const isAlone = keyFile === undefined;
  const passphrase =
    flags.newPassphraseFile === undefined
      ? await newPassphrase(context, 'a passphrase of your own:', { useGiven: true, isAlone })
      : await newPassphraseIn(context, flags.newPassphraseFile, isAlone);
  return { credential: { type: 'passphrase', passphrase, keyFile }, kdf };
}

/** The invitation, or `null` where this machine has made a request that is to be finished. */
async function invitationText(context: Context, flags: JoinFlags, place: Place): Promise<string | null> {
  if (flags.invitationFile !== undefined) return context.readLine(flags.invitationFile, 'the invitation');
  if (hasPendingJoin(place)) return null;
  const { prompter } = context;
  return prompter === null ? null : prompter.hidden('invitation:');
}

/** What belongs to one way of joining is refused in the others: ignored, it would seem to have been done. */
function checkFlags(flags: JoinFlags): void {
  if (flags.request === true) {
    if (flags.invitationFile !== undefined)
      throw new UsageError('--request and --invitation-file are two ways of joining: choose one');
    return;
  }
  if (flags.replace === true) throw new UsageError('--replace belongs to --request');
  if (flags.name !== undefined)
    throw new UsageError('--name belongs to --request', { hint: 'an invitation has its name already' });
}

/** A request has its passphrase already. */
function checkFinishing(flags: JoinFlags): void {
  if (flags.newPassphraseFile === undefined && !choosesKdf(flags)) return;
  const hint = 'finish it with `vault join`; `vault passwd` changes the passphrase and its KDF afterwards';
  throw new UsageError('the passphrase of your request was chosen when it was made', { hint });
}

async function runJoin(context: Context, flags: JoinFlags, file?: string): Promise<void> {
  checkFlags(flags);
  if (file !== undefined && isInvitation(file))
    throw new UsageError('an invitation is not given as an argument, where others may see it', {
      hint: 'put it into a file for --invitation-file, or give it when you are asked',
    });
  const place = await context.vaultPlace(file);
  if (flags.request === true) {
    const name = flags.name ?? userName();
    const request = await makeJoinRequest(
      place,
      name,
      async () => newcomer(context, flags),
      flags.replace === true,
    );
    context.outputOnce(encodeJoinRequest(request), 'make another: `vault join --request --replace`');
    context.inform(`your keys: ${await fingerprintOf(request)}`);
    context.inform(
      'hand this to an administrator: `vault access add NAME --request FILE`; then run `vault join`',
    );
    return;
  }
  const text = await invitationText(context, flags, place);
  if (text === null) {
    checkFinishing(flags);
    const name = await finishRequest(place, context.credentials(place.path));
    if (context.json) context.outputJson({ name, complete: true });
    context.inform(`you are ${context.shown(name)} now`);
    return;
  }
  const invitation = parseInvitation(text.trim());
  if (invitation === null) throw new UsageError('this is not an invitation: those begin with vli1_');
  try {
    const name = await acceptInvitation(place, invitation, async () => newcomer(context, flags));
    if (context.json) context.outputJson({ name, complete: false });
    context.inform(
      `you are ${context.shown(name)} now; an administrator’s next change completes your access`,
    );
  } finally {
    invitation.seed.fill(0);
  }
}
