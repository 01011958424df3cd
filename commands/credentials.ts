/**
 * Where the credential comes from: an access token, else the passphrase from a descriptor, a file, a command, a variable or the
 * terminal, in the order of `commands.md`. What was named and is bad fails; nothing falls through to something else.
 */
import { UnlockError, UsageError } from '../src/errors.ts';
import { parseToken } from '../src/format/key-text.ts';
import type { CredentialSource } from '../src/vault/vault.ts';
import type { Prompter } from '../src/terminal/prompt.ts';
import { runForOutput } from '../src/exec/output-of.ts';
import { withoutOurCredentials } from '../src/exec/variables.ts';

/** What of a command's context is needed to find a credential. */
interface CredentialInputs {
  readonly host: { readonly env: Readonly<Record<string, string | undefined>> };
  readonly prompter: Prompter | null;
  variable(name: string): string | null;
  readFile(path: string, most?: number): Uint8Array<ArrayBuffer>;
  readDescriptor(descriptor: number): Uint8Array<ArrayBuffer>;
  keyFile(byFlag?: boolean): Uint8Array<ArrayBuffer> | undefined;
  warn(message: string): void;
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
    return withoutNewline(text(context.readFile(file, tokenBound * 16), 'the passphrase file'));
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
    : withoutNewline(text(context.readFile(file, tokenBound), 'the access token file'));
}

const noTerminal =
  'set VAULT_PASSPHRASE_FILE, VAULT_PASSPHRASE_COMMAND, VAULT_PASSPHRASE or VAULT_ACCESS_TOKEN, or run it at a terminal';

export function credentialSource(
  context: CredentialInputs,
  path: string,
  keyFileFlag: boolean,
): CredentialSource {
  return async (attempt) => {
    const token = accessToken(context);
    if (token !== null) {
      if (attempt > 1) return null;
      const parts = parseToken(token);
      if (parts === null)
        throw new UnlockError('VAULT_ACCESS_TOKEN is not an access token: those begin with vlt1_', {
          hint: 'one is made with `vault access add NAME --token`; without the variable, a passphrase is used',
        });
      return { type: 'token', ...parts };
    }
    const keyFile = context.keyFile(keyFileFlag);
    const given = await givenPassphrase(context);
    if (given !== null) return attempt > 1 ? null : { type: 'passphrase', passphrase: given, keyFile };
    const { prompter } = context;
    if (prompter === null)
      throw new UnlockError('no passphrase was given and nobody can be asked', { hint: noTerminal });
    if (attempt > attemptsAtPrompt) return null;
    if (attempt > 1) context.warn('wrong passphrase, try again');
    return { type: 'passphrase', passphrase: await prompter.hidden(`passphrase for ${path}:`), keyFile };
  };
}

/** A new passphrase: given, or asked for twice. @throws UsageError if the two differ or it is empty */
export async function newPassphrase(
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
