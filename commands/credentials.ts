/**
 * Where the credential comes from: an access token, else an age identity, else the passphrase from a descriptor, a file, a command, a
 * variable or the terminal, in this order, with a key file or a device beside it. What was named and is bad fails; nothing falls through
 * to something else.
 */
import { UnlockError, UsageError } from '../src/errors.ts';
import { parseToken } from '../src/format/key-text.ts';
import type { CredentialSource, TokenCredential } from '../src/vault/opening.ts';
import { runForOutput } from '../src/exec/output-of.ts';
import { ageIdentity, storedDevice, type DeviceInputs } from './devices.ts';
import { withoutOurCredentials } from '../src/exec/variables.ts';

/** What of a command's context is needed to find a credential. */
interface CredentialInputs extends DeviceInputs {
  readDescriptor(descriptor: number): Uint8Array<ArrayBuffer>;
  keyFile(byFlag?: boolean): Uint8Array<ArrayBuffer> | undefined;
}

const attemptsAtPrompt = 3;
const tokenBound = 4_096;

function text(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(`${what} is not UTF-8 text`);
  }
}

/** One final newline is the editor's, not the passphrase's. */
const withoutNewline = (line: string): string => line.replace(/\r?\n$/, '');

/** A passphrase that does not come from a person, or `null`. */
async function givenPassphrase(context: CredentialInputs): Promise<string | null> {
  const descriptor = context.variable('VAULT_PASSPHRASE_FD');
  if (descriptor !== null) {
    if (!/^\d{1,5}$/.test(descriptor))
      throw new UsageError('VAULT_PASSPHRASE_FD is the number of an open descriptor');
    try {
      return withoutNewline(text(context.readDescriptor(Number(descriptor)), 'the passphrase'));
    } catch (cause) {
      if (cause instanceof UsageError) throw cause;
      throw new UnlockError(`cannot read a passphrase from descriptor ${descriptor} (VAULT_PASSPHRASE_FD)`, {
        cause,
      });
    }
  }
  const file = context.variable('VAULT_PASSPHRASE_FILE');
  if (file !== null)
    return withoutNewline(
      text(context.readCredentialFile(file, 'the passphrase (VAULT_PASSPHRASE_FILE)'), 'the passphrase file'),
    );
  const command = context.variable('VAULT_PASSPHRASE_COMMAND');
  if (command !== null) {
    const { status, output } = await runForOutput(command, withoutOurCredentials(context.host.env));
    if (status !== 0) throw new UnlockError(`VAULT_PASSPHRASE_COMMAND failed with status ${status}`);
    return withoutNewline(text(output, 'the output of VAULT_PASSPHRASE_COMMAND'));
  }
  return context.variable('VAULT_PASSPHRASE');
}

function accessToken(context: CredentialInputs): string | null {
  const token = context.variable('VAULT_ACCESS_TOKEN');
  if (token !== null) return token;
  const file = context.variable('VAULT_ACCESS_TOKEN_FILE');
  return file === null
    ? null
    : withoutNewline(
        text(
          context.readCredentialFile(file, 'the access token (VAULT_ACCESS_TOKEN_FILE)', tokenBound),
          'the access token file',
        ),
      );
}

/** The machine token that is given, or `null`. @throws UnlockError if it is none */
export function tokenCredential(context: CredentialInputs): TokenCredential | null {
  const token = accessToken(context);
  if (token === null) return null;
  const parts = parseToken(token);
  if (parts === null)
    throw new UnlockError('VAULT_ACCESS_TOKEN is not an access token: those begin with vlt1_', {
      hint: 'one is made with `vault access add NAME --token`; without the variable, a passphrase is used',
    });
  return { type: 'token', ...parts };
}

const noTerminal =
  'set VAULT_PASSPHRASE_FILE, VAULT_PASSPHRASE_COMMAND, VAULT_PASSPHRASE, VAULT_ACCESS_TOKEN or VAULT_AGE_IDENTITY, or run it at a terminal';

export function credentialSource(
  context: CredentialInputs,
  path: string,
  keyFileFlag: boolean,
): CredentialSource {
  return async (attempt, types) => {
    const token = tokenCredential(context);
    if (token !== null) return attempt > 1 ? null : token;
    const identity = context.variable('VAULT_AGE_IDENTITY');
    // One that is set for other vaults is no matter in a vault that knows none.
    if (identity !== null && types().has('age')) return attempt > 1 ? null : ageIdentity(context, identity);
    const keyFile = context.keyFile(keyFileFlag);
    const given = await givenPassphrase(context);
    const device = keyFile === undefined && usesDevice(context, types());
    // A wrong PIN is not sent again, and no other device gets it.
    if (device && attempt > 1) return null;
    if (given !== null && device) return storedDevice(context, given);
    if (given !== null) return attempt > 1 ? null : { type: 'passphrase', passphrase: given, keyFile };
    const { prompter } = context;
    if (prompter === null) {
      const why = identity === null ? '' : 'this vault is not opened by age identities; ';
      throw new UnlockError(`${why}no passphrase was given and nobody can be asked`, { hint: noTerminal });
    }
    if (attempt > attemptsAtPrompt) return null;
    if (attempt > 1) context.warn('wrong passphrase, try again');
    const passphrase = await prompter.hidden(`passphrase for ${path}:`);
    return device ? storedDevice(context, passphrase) : { type: 'passphrase', passphrase, keyFile };
  };
}

/** Whether a device is meant: somebody named its library or PIN, or nothing else opens this vault with a passphrase. A key file comes first. */
function usesDevice(context: CredentialInputs, types: ReadonlySet<string>): boolean {
  if (!types.has('pkcs11')) return false;
  const named =
    context.variable('VAULT_PKCS11_PIN_FILE') !== null || context.variable('VAULT_PKCS11_MODULE') !== null;
  return named || !(types.has('passphrase') || types.has('passphrase+keyfile'));
}

/**
 * A new passphrase: given, or asked for twice; a weak one is told.
 * @param isAlone whether it will unlock without a second factor: with one, whoever has the vault alone cannot guess
 * @throws UsageError if the two differ or it is empty
 */
export async function newPassphrase(
  context: CredentialInputs,
  question: string,
  { useGiven, isAlone }: { readonly useGiven: boolean; readonly isAlone: boolean },
): Promise<string> {
  const chosen = await choosePassphrase(context, question, useGiven);
  if (isAlone) await tellIfWeak(context, chosen);
  return chosen;
}

/** The same, from a file. */
export async function newPassphraseIn(
  context: CredentialInputs,
  path: string,
  isAlone: boolean,
): Promise<string> {
  const chosen = context.readLine(path, 'the new passphrase');
  if (isAlone) await tellIfWeak(context, chosen);
  return chosen;
}

async function tellIfWeak(context: CredentialInputs, passphrase: string): Promise<void> {
  const { judge } = await import('../src/lifecycle/weakness.ts');
  const bytes = new Uint8Array(Buffer.from(passphrase, 'utf8'));
  const isWeak = judge('password', '', bytes).weakness !== null;
  bytes.fill(0);
  if (isWeak)
    context.warn('the passphrase is easy to guess, and whoever has the file may try as often as they like');
}

async function choosePassphrase(
  context: CredentialInputs,
  question: string,
  useGiven: boolean,
): Promise<string> {
  const given = useGiven ? await givenPassphrase(context) : null;
  if (given !== null) {
    if (given === '') throw new UsageError('the passphrase is empty');
    return given;
  }
  const { prompter } = context;
  if (prompter === null)
    throw new UnlockError('no passphrase was given and nobody can be asked', { hint: noTerminal });
  const first = await prompter.hidden(question);
  if (first === '') throw new UsageError('the passphrase is empty');
  if ((await prompter.hidden('the same again:')) !== first)
    throw new UsageError('the two passphrases differ; nothing was changed');
  return first;
}
