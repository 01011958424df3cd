/**
 * The PIN of a token. It locks itself after a few wrong ones, so what cannot be the PIN is not sent, and the last try is not spent on
 * a file.
 */
import { UnlockError } from '../errors.ts';
import { nameOfToken } from './pkcs11-choice.ts';
import { lockedPin } from './pkcs11-failure.ts';
import type { Token } from './pkcs11-listing.ts';

/** How many wrong PINs a token still takes, as far as it says: `null` means that it says nothing. */
export type TriesLeft = 'one' | 'few' | null;

/** What whoever is asked for a PIN should know. */
export interface PinQuestion {
  /** Label and serial of the token, for people; they come from the device. */
  readonly token: string;
  readonly serial: string;
  readonly triesLeft: TriesLeft;
}

/** The PIN of a token, or `null` if there is none to be had. A string, since it goes into an environment; keep it short-lived. */
export type PinSource = (question: PinQuestion) => Promise<string | null>;

/** A PIN that nobody types: a file that is wrong would use up every try, one command after the other. */
export function unattendedPin(read: () => string): PinSource {
  return async ({ token, triesLeft }) => {
    if (triesLeft === 'one')
      throw new UnlockError(
        `the token ${JSON.stringify(token)} has one try left, which is not spent on a file`,
        {
          hint: 'log in once with the right PIN (pkcs11-tool --login --list-objects), then try again',
        },
      );
    return Promise.resolve(read());
  };
}

/**
 * The PIN, or `null` where none is needed or the device asks for it itself. Nothing is sent yet.
 * @throws UnlockError if there is none, it cannot be the one, or the token is locked
 */
export async function pinFor(token: Token, source: PinSource): Promise<string | null> {
  const name = nameOfToken(token);
  const { flags, pinLength } = token;
  if (!flags.includes('login required') || flags.includes('PIN pad present')) return null;
  const triesLeft = triesOf(token);
  if (triesLeft === 'locked') throw lockedPin(name);
  const pin = await source({ token: token.label, serial: token.serial, triesLeft });
  if (pin === null)
    throw new UnlockError(`${name} wants its PIN, and there is none`, {
      hint: 'set VAULT_PKCS11_PIN_FILE to a file that holds it, or run it at a terminal',
    });
  const length = Buffer.byteLength(pin);
  const fits = pinLength === null || (length >= pinLength.least && length <= pinLength.most);
  // A token would count it as a wrong one.
  if (pin === '' || pin.includes('\0') || !pin.isWellFormed() || !fits)
    throw new UnlockError(`that cannot be the PIN of ${name}`, {
      hint:
        pinLength === null
          ? 'it was not tried'
          : `it has ${pinLength.least} to ${pinLength.most} bytes; it was not tried`,
    });
  return pin;
}

export function triesOf({ flags }: Token): 'locked' | TriesLeft {
  if (flags.includes('user PIN locked')) return 'locked';
  if (flags.includes('final user PIN try')) return 'one';
  return flags.includes('user PIN count low') ? 'few' : null;
}
