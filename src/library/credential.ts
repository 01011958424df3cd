/** One credential out of the options of a program. */
import { UnlockError, UsageError } from '../errors.ts';
import { parseRecoveryKey, parseToken } from '../format/key-text.ts';
import type { CredentialSource, TokenCredential } from '../vault/opening.ts';
import type { OpenOptions } from './options.ts';

interface Unlocking {
  readonly token: TokenCredential | null;
  readonly credentials: CredentialSource;
  /** What of it can be wiped. */
  readonly wipe: () => void;
}

/** @throws UsageError unless exactly one is given; UnlockError for a token or a recovery key that is none */
export async function credentialOf(options: OpenOptions): Promise<Unlocking> {
  const { token, passphrase, recoveryKey, keyFile } = options;
  const given = [token, passphrase, recoveryKey].filter((one) => one !== undefined);
  if (given.length === 0)
    throw new UnlockError('no credential was given', { hint: 'give a token, a passphrase or a recoveryKey' });
  if (given.length > 1) throw new UsageError('give one of token, passphrase and recoveryKey');
  if (keyFile !== undefined && passphrase === undefined)
    throw new UsageError('a keyFile belongs to a passphrase');
  if (token !== undefined) {
    const parsed = tokenOf(token);
    return {
      token: parsed,
      credentials: async () => Promise.resolve(null),
      wipe: () => parsed.secret.fill(0),
    };
  }
  if (passphrase === undefined) {
    const secret = await parseRecoveryKey(recoveryKey ?? '');
    if (secret === null) throw new UnlockError('recoveryKey is not a recovery key: those begin with VRK1');
    return {
      token: null,
      credentials: once({ type: 'recovery', secret }),
      wipe: () => secret.fill(0),
    };
  }
  const copy = keyFile === undefined ? undefined : Uint8Array.from(keyFile);
  return {
    token: null,
    credentials: once({ type: 'passphrase', passphrase, keyFile: copy }),
    wipe: () => copy?.fill(0),
  };
}

function tokenOf(text: string): TokenCredential {
  const parts = parseToken(text);
  if (parts === null)
    throw new UnlockError('token is not an access token: those begin with vlt1_', {
      hint: 'one is made with `vault access add NAME --token`',
    });
  return { type: 'token', ...parts };
}

/** A wrong one is not tried again. */
function once(credential: NonNullable<Awaited<ReturnType<CredentialSource>>>): CredentialSource {
  return async (attempt) => Promise.resolve(attempt > 1 ? null : credential);
}
