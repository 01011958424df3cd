/**
 * What a failure of `pkcs11-tool` means: a wrong PIN and a missing key are a failed unlock, all else is the device. Names of PKCS #11
 * return codes are shown, nothing else of what was printed.
 */
import { BackendError, UnlockError, type SecretsManagerError } from '../errors.ts';

const wrongPin = /CKR_PIN_(?:INCORRECT|INVALID|LEN_RANGE)\b/u;

/** Whether the token counted a try. */
export function isWrongPin(messages: string): boolean {
  return wrongPin.test(messages);
}

/**
 * @param token how to name the token
 * @param left what the token says of its tries since then
 */
export function deviceFailure(
  messages: string,
  token: string,
  module: string | null,
  left: 'locked' | 'one' | 'few' | null,
): SecretsManagerError {
  if (messages.includes('CKR_PIN_LOCKED') || left === 'locked') return lockedPin(token);
  if (isWrongPin(messages)) return new UnlockError(`wrong PIN for ${token}`, { hint: warning(left) });
  if (messages.includes('CKR_PIN_EXPIRED'))
    return new UnlockError(`the PIN of ${token} has expired`, {
      hint: 'set a new one: pkcs11-tool --change-pin',
    });
  if (messages.includes('CKR_USER_PIN_NOT_INITIALIZED'))
    return new UnlockError(`${token} has no PIN yet`, { hint: 'set one: pkcs11-tool --init-pin' });
  if (/^error: Private(?:\/secret)? key not found/mu.test(messages))
    return new UnlockError(`${token} does not have the key any more`);
  if (messages.includes('Failed to load pkcs11 module')) {
    const library = module === null ? 'the PKCS#11 library' : `the PKCS#11 library ${JSON.stringify(module)}`;
    return new BackendError(`cannot load ${library}`, {
      hint: 'name the library that came with the token in VAULT_PKCS11_MODULE',
    });
  }
  if (/CKR_FUNCTION_(?:CANCELED|REJECTED)\b/u.test(messages))
    return new BackendError(`${token} was not touched, or refused`, { hint: 'touch it when it blinks' });
  const [code] = /\bCKR_[A-Z0-9_]{1,60}\b/u.exec(messages) ?? [];
  return new BackendError(`${token} failed${code === undefined ? '' : ` (${code})`}`, {
    hint: 'try the same with pkcs11-tool alone; plug it in again',
  });
}

export function lockedPin(token: string): UnlockError {
  return new UnlockError(`the PIN of ${token} is locked`, {
    hint: 'unlock it with its PUK: pkcs11-tool --unlock-pin; other credentials of the vault still work',
  });
}

function warning(left: 'one' | 'few' | null): string {
  const tries = left === 'one' ? 'ONE TRY IS LEFT' : 'few tries are left';
  return `it was not tried again; ${tries}, then the token locks itself: be sure before the next one`;
}
