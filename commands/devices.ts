/** Devices and identities as credentials: what is asked of whom, and where their names come from. docs/decisions/0007-devices.md. */
import { UsageError } from '../src/errors.ts';
import type { AgeIdentity, PassphraseAndDevice } from '../src/access/slot.ts';
import { ageOpener, enrolAge } from '../src/devices/age.ts';
import { enrolDevice, findToken, signWithDevice } from '../src/devices/pkcs11.ts';
import { chooseModule } from '../src/devices/pkcs11-module.ts';
import { unattendedPin, type PinSource } from '../src/devices/pkcs11-pin.ts';
import { withoutOurCredentials } from '../src/exec/variables.ts';
import {
  encodePkcs11Uri,
  parsePkcs11Uri,
  parseStoredPkcs11Uri,
  type Pkcs11Uri,
} from '../src/format/pkcs11-uri.ts';
import type { Prompter } from '../src/terminal/prompt.ts';

/** What of a command's context is needed to talk to devices. */
export interface DeviceInputs {
  readonly host: { readonly env: Readonly<Record<string, string | undefined>> };
  readonly prompter: Prompter | null;
  variable(name: string): string | null;
  readFile(path: string, most?: number): Uint8Array<ArrayBuffer>;
  readLine(path: string, what: string): string;
  random(length: number): Uint8Array<ArrayBuffer>;
  inform(message: string): void;
  warn(message: string): void;
}

const identityBound = 65_536;

function pinSource(context: DeviceInputs, pinFile: string | null): PinSource {
  const file = pinFile ?? context.variable('VAULT_PKCS11_PIN_FILE');
  if (file !== null) return unattendedPin(() => context.readLine(file, 'the PIN'));
  return async ({ token, triesLeft }) => {
    if (triesLeft === 'one') context.warn('one try is left: a wrong PIN locks the token');
    if (triesLeft === 'few') context.warn('a wrong PIN was given before');
    return (await context.prompter?.hidden(`PIN of ${JSON.stringify(token)}:`)) ?? null;
  };
}

function request(context: DeviceInputs, uri: Pkcs11Uri, module: string | null) {
  return {
    uri,
    module,
    environment: withoutOurCredentials(context.host.env),
    onWait: () => {
      context.inform('waiting for the device: it may want to be touched');
    },
  };
}

/** The device that a stored slot names. The library comes from the user's own side, never from the vault. */
export function storedDevice(context: DeviceInputs, passphrase: string): PassphraseAndDevice {
  const variable = context.variable('VAULT_PKCS11_MODULE');
  const module = chooseModule({ typed: null, variable, configured: null });
  const of = (hint: string): ReturnType<typeof request> =>
    request(context, parseStoredPkcs11Uri(hint), module);
  return {
    type: 'pkcs11',
    passphrase,
    present: async (hint) => (await findToken(of(hint))) !== null,
    sign: async (hint, message) => signWithDevice({ ...of(hint), message, pin: pinSource(context, null) }),
  };
}

export interface NewDevice {
  readonly credential: PassphraseAndDevice;
  readonly hint: () => string;
}

/** A device for a new slot: it signs twice, and what finds it again is filled in. */
export function newDevice(context: DeviceInputs, text: string, passphrase: string): NewDevice {
  const typed = parsePkcs11Uri(text);
  const variable = context.variable('VAULT_PKCS11_MODULE');
  const module = chooseModule({ typed, variable, configured: null });
  if (typed.modulePath !== null || typed.moduleName !== null)
    context.warn('the library is not kept with the slot: set VAULT_PKCS11_MODULE to it from now on');
  let found: Pkcs11Uri | null = null;
  const credential: PassphraseAndDevice = {
    type: 'pkcs11',
    passphrase,
    present: async () => Promise.resolve(true),
    sign: async (_hint, message) => {
      const pin = pinSource(context, typed.pinFile);
      const enrolled = await enrolDevice({ ...request(context, typed, module), message, pin });
      found = enrolled.uri;
      return enrolled.signature;
    },
  };
  return { credential, hint: () => (found === null ? '' : encodePkcs11Uri(found)) };
}

function identitiesIn(context: DeviceInputs, file: string): string {
  return Buffer.from(context.readFile(file, identityBound)).toString('utf8');
}

/** The age identity of VAULT_AGE_IDENTITY, a file. */
export function ageIdentity(context: DeviceInputs, file: string): AgeIdentity {
  return { type: 'age', open: ageOpener(() => identitiesIn(context, file)) };
}

export interface NewAge {
  readonly credential: AgeIdentity;
  readonly hint: () => string;
}

/** An age identity for a new slot. @throws UnlockError if the file cannot be used */
export async function newAge(context: DeviceInputs, file: string): Promise<NewAge> {
  const identities = identitiesIn(context, file);
  const hint = await enrolAge(identities, (length) => context.random(length));
  return { credential: { type: 'age', open: ageOpener(() => identities) }, hint: () => hint };
}

export function checkOneWay(chosen: readonly boolean[], hint: string): void {
  const count = chosen.filter(Boolean).length;
  if (count === 1) return;
  throw new UsageError(count === 0 ? 'which kind of credential?' : 'one credential at a time', { hint });
}
