/** `vault access`: principals and what they may do. */
import { Option, type Command } from 'commander';
import { UsageError } from '../src/errors.ts';
import { levels, type Level } from '../src/access/rights.ts';
import { parseJoinRequest } from '../src/format/join-text.ts';
import { parseMoment } from '../src/lifecycle/time.ts';
import { checkJoinRequest, fingerprintOf } from '../src/vault/join-request.ts';
import { newInvitation } from '../src/vault/invitation.ts';
import {
  addPrincipal,
  grantAccess,
  reissuePrincipal,
  removePrincipal,
  revokeAccess,
  type AccessChanged,
  type WantedAccess,
} from '../src/vault/operations/access.ts';
import { listAccess, type AccessEntry } from '../src/vault/operations/access-list.ts';
import type { Entrance } from '../src/vault/operations/entrance.ts';
import type { Vault } from '../src/vault/vault.ts';
import { examples, group, listed, type Act, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { jsonText } from './report.ts';
import { newPassphrase, newPassphraseIn } from './credentials.ts';
import { addKdfOptions, kdfFrom, type KdfOptions } from './kdf-options.ts';

interface AccessFlags extends KdfOptions {
  readonly can?: string;
  readonly expires?: string;
  readonly yes?: boolean;
}

interface EntranceFlags extends AccessFlags {
  readonly compromised?: boolean;
  readonly token?: boolean;
  readonly passphrase?: boolean;
  readonly newPassphraseFile?: string;
  readonly request?: string;
  readonly invite?: boolean;
}

function parseLevels(text: string | undefined): Level[] {
  return listed(text ?? '').map((word) => {
    const level = levels.find((known) => known === word);
    if (level === undefined) throw new UsageError(`${word} is no level: ${levels.join(', ')}`);
    return level;
  });
}

/** `--env` names where it applies; the variable does not: access is not given by what happens to be set. */
function wantedAccess(context: Context, flags: AccessFlags): WantedAccess {
  return { levels: parseLevels(flags.can), environments: listed(context.globals.env ?? '') };
}

function expiry(context: Context, text: string | undefined): Date | null | undefined {
  if (text === undefined) return undefined;
  return text === 'never' ? null : parseMoment(text, context.now());
}

function addEntranceOptions(command: Command): Command {
  return addKdfOptions(
    command
      .option('--token', 'a machine token, printed once on standard output')
      .option('--passphrase', 'a passphrase that is set here and now, at their hands')
      .option('--new-passphrase-file <file>', 'take that passphrase from a file; - is standard input')
      .option(
        '--invite',
        'a one-time invitation, printed once; they make keys of their own with `vault join`',
      )
      .option('-y, --yes', 'do not ask'),
  );
}

interface ChosenEntrance {
  readonly entrance: Entrance;
  /** Shown once: an invitation. */
  readonly text: string | null;
  /** What the request says, to be looked at before it is believed. */
  readonly question: string | null;
}

async function entranceFrom(
  context: Context,
  vault: Vault,
  name: string,
  flags: EntranceFlags,
  present?: string,
): Promise<ChosenEntrance> {
  const chosen = [
    flags.token === true,
    flags.passphrase === true || flags.newPassphraseFile !== undefined,
    flags.request !== undefined,
    flags.invite === true,
  ].filter(Boolean).length;
  if (chosen !== 1) {
    const request = present === undefined ? '--request FILE, ' : '';
    const hint = `one of ${request}--invite, --token, --passphrase`;
    throw new UsageError(chosen === 0 ? 'say how they get in' : 'one way to get in is enough', { hint });
  }
  if (flags.token === true) return { entrance: { type: 'token' }, text: null, question: null };
  if (flags.invite === true) {
    const { entrance, text } = await newInvitation(vault.place.random, vault.authority, present);
    return { entrance, text, question: null };
  }
  if (flags.request !== undefined) {
    const request = parseJoinRequest(context.readFile(flags.request));
    if (request === null)
      throw new UsageError(`${flags.request} is not a request`, {
        hint: 'they make one with `vault join --request`',
      });
    await checkJoinRequest(vault.document.vaultId, request);
    const { id, signPub, sealPub } = request;
    const print = await fingerprintOf(request);
    const question = `add ${context.shown(request.name)} as ${context.shown(name)}, with the keys ${print}?`;
    return { entrance: { type: 'keys', id, signPub, sealPub }, text: null, question };
  }
  const kdf = await kdfFrom(context, flags);
  const passphrase =
    flags.newPassphraseFile === undefined
      ? await newPassphrase(context, `passphrase for ${name}:`, { useGiven: false, isAlone: true })
      : await newPassphraseIn(context, flags.newPassphraseFile, true);
  const credential = { type: 'passphrase', passphrase } as const;
  return { entrance: { type: 'passphrase', credential, kdf }, text: null, question: null };
}

function rightsText({ admin, environments }: Pick<AccessEntry, 'admin' | 'environments'>): string {
  if (admin) return 'admin everywhere';
  const all = Object.entries(environments).map(([name, own]) => {
    const without = own.length > 1 ? own.filter((level) => level !== 'list') : own;
    return `${without.join(', ')} in ${name}`;
  });
  return all.length === 0 ? 'nothing' : all.join('; ');
}

/** Rights as they are now. */
function reportRights(context: Context, changed: AccessChanged): void {
  if (context.json) context.outputJson(changed);
  informOfRights(context, changed);
}

/** Rights, and what lets somebody in: shown once. */
function reportEntrance(context: Context, changed: AccessChanged, invitation: string | null): void {
  const { token = null, ...rights } = changed;
  const once = token ?? invitation;
  if (once !== null) {
    const hint = '`vault access reissue` makes another in its place';
    context.outputOnce(context.json ? jsonText({ ...rights, token, invitation }) : `${once}\n`, hint);
  } else if (context.json) context.outputJson({ ...rights, token, invitation });
  informOfRights(context, changed);
}

function informOfRights(context: Context, changed: AccessChanged): void {
  context.inform(`${context.shown(changed.name)} may do now: ${rightsText(changed)}`);
  if (changed.rekeyed.length > 0) context.inform(`new keys for ${changed.rekeyed.join(', ')}`);
}

function declareChanges(command: Command, act: Act): void {
  addEntranceOptions(command.command('add'))
    .description('add a person or a machine')
    .argument('<name>', 'what they are called in this vault')
    .option('--request <file>', 'what `vault join --request` printed for them; - is standard input')
    .option('--can <levels>', `with commas: ${levels.join(', ')}; each implies list`)
    .option('--expires <time>', 'until when; a time or a duration from now')
    .action(act<EntranceFlags>(runAdd));
  command
    .command('grant')
    .description('let somebody do more, or set until when')
    .argument('<name>', 'a principal')
    .option('--can <levels>', `with commas: ${levels.join(', ')}`)
    .option('--expires <time>', 'until when; never for no end')
    .action(
      act<AccessFlags>(async (context, flags, name = '') => {
        const vault = await context.openVault();
        const expires = expiry(context, flags.expires);
        const changed = await vault.write('access-grant', async (scope) =>
          Promise.resolve(grantAccess(scope, name, wantedAccess(context, flags), expires)),
        );
        reportRights(context, changed);
      }),
    );
  command
    .command('revoke')
    .description('take rights away; what could be read gets new keys')
    .argument('<name>', 'a principal')
    .option('--can <levels>', 'only these; without it all of them')
    .option('-y, --yes', 'do not ask')
    .action(
      act<AccessFlags>(async (context, flags, name = '') => {
        const wanted = wantedAccess(context, flags);
        if (wanted.levels.length === 0 && wanted.environments.length === 0)
          await context.confirm(`take everything from ${context.shown(name)}?`, flags.yes);
        const vault = await context.openVault();
        const changed = await vault.write('access-revoke', async (scope) =>
          Promise.resolve(revokeAccess(scope, name, wanted)),
        );
        reportRights(context, changed);
      }),
    );
  command
    .command('rm')
    .alias('delete')
    .description('remove somebody; everything they could read gets new keys')
    .argument('<name>', 'a principal')
    .option('-y, --yes', 'do not ask')
    .action(
      act<AccessFlags>(async (context, flags, name = '') => {
        await context.confirm(`remove ${context.shown(name)} from this vault?`, flags.yes);
        const vault = await context.openVault();
        const changed = await vault.write('access-rm', async (scope) =>
          Promise.resolve(removePrincipal(scope, name)),
        );
        if (context.json) context.outputJson({ name, rekeyed: changed.rekeyed });
        context.inform(`${context.shown(name)} removed`);
        if (changed.rekeyed.length > 0) {
          context.inform(`new keys for ${changed.rekeyed.join(', ')}`);
          context.inform(
            'what they have read they have read: `vault offboard --status` lists what to change',
          );
        }
      }),
    );
  addEntranceOptions(command.command('reissue'))
    .description('new keys and a new credential for somebody; their old ones open nothing')
    .argument('<name>', 'a principal')
    .option('--compromised', 'somebody else may have used the old one: track what they could read')
    .action(
      act<EntranceFlags>(async (context, flags, name = '') => {
        const vault = await context.openVault();
        const id = [...vault.authority.principals].find((entry) => entry.name === name)?.id;
        const { entrance, text, question } = await entranceFrom(context, vault, name, flags, id);
        if (question !== null) await context.confirm(question, flags.yes);
        const changed = await vault.write('access-reissue', async (scope) =>
          reissuePrincipal(scope, name, entrance, {
            engine: vault.place.kdfEngine,
            exposed: flags.compromised === true,
          }),
        );
        reportEntrance(context, changed, text);
      }),
    );
}

async function runAdd(context: Context, flags: EntranceFlags, name = ''): Promise<void> {
  const access = wantedAccess(context, flags);
  const expires = expiry(context, flags.expires) ?? null;
  const vault = await context.openVault();
  const { entrance, text, question } = await entranceFrom(context, vault, name, flags);
  if (question !== null) await context.confirm(question, flags.yes);
  const wanted = { name, access, expires, entrance, engine: vault.place.kdfEngine };
  const changed = await vault.write('access-add', async (scope) => addPrincipal(scope, wanted));
  reportEntrance(context, changed, text);
  const next = {
    token: 'the token is shown once: keep it where your CI keeps secrets',
    invitation:
      'the invitation is shown once; they use it with `vault join`, and your next change completes it',
    keys: 'they finish with `vault join`',
    passphrase: 'they unlock with their passphrase, and --as where others have one too',
  };
  context.inform(next[entrance.type]);
}

export const declareAccess: Declare = (program, act) => {
  const command = group(program, 'access', 'people and machines, and what they may do');
  command
    .command('ls')
    .alias('list')
    .description('list principals, their rights, credentials and state')
    .addOption(new Option('--due', 'only those whose keys are due to be replaced'))
    .action(
      act<{ readonly due?: boolean }>(async (context, flags) => {
        const vault = await context.openVault();
        const all = await vault.read('access-ls', async (scope) => Promise.resolve(listAccess(scope)));
        const shown = flags.due === true ? all.filter((entry) => entry.rekeyDue !== null) : all;
        if (context.json) {
          context.outputJson(shown);
          return;
        }
        const rows = shown.map((entry) => [
          entry.you ? `${entry.name} *` : entry.name,
          entry.rekeyDue === null ? entry.state : `${entry.state}, re-key due`,
          rightsText(entry),
          entry.credentials.join(', '),
          entry.expires === null ? '-' : context.day(entry.expires),
        ]);
        await context.table(['PRINCIPAL', 'STATE', 'MAY', 'CREDENTIALS', 'EXPIRES'], rows);
      }),
    );
  declareChanges(command, act);
  return examples(
    command,
    'vault access add ci --can read --env staging --token --expires 90d',
    'vault access add ada --can read,write --env development,staging --request ada.request',
    'vault access grant ada --can rotate --env production',
    'vault access revoke ada --env production',
    'vault access rm ada',
  );
};
