/**
 * Devices and identities as credentials: what is asked of whom, and where their names come from. docs/decisions/0007-devices.md.
 *
 * Everything about them is loaded when one is used: whoever unlocks with a passphrase does not pay for it.
 */
import { UsageError } from '../src/errors.ts';
import type { AgeIdentity, PassphraseAndDevice } from '../src/access/slot.ts';
import type { DeviceRequest, SignRequest } from '../src/devices/pkcs11.ts';
import type { PinSource } from '../src/devices/pkcs11-pin.ts';
import { withoutOurCredentials } from '../src/exec/variables.ts';
import type { Pkcs11Uri, TypedPkcs11Uri } from '../src/format/pkcs11-uri.ts';
import type { Prompter } from '../src/terminal/prompt.ts';

/** What of a command's context is needed to talk to devices. */
export interface DeviceInputs {
  readonly host: { readonly env: Readonly<Record<string, string | undefined>> };
  readonly prompter: Prompter | null;
  variable(name: string): string | null;
  readCredentialFile(path: string, what: string, most?: number): Uint8Array<ArrayBuffer>;
  readLine(path: string, what: string): string;
  random(length: number): Uint8Array<ArrayBuffer>;
  shown(name: string): string;
  inform(message: string): void;
  warn(message: string): void;
}

const identityBound = 65_536;

function pinSource(context: DeviceInputs, pinFile: string | null): PinSource {
  const file = pinFile ?? context.variable('VAULT_PKCS11_PIN_FILE');
  return async (question) => {
    if (file !== null) {
      const { unattendedPin } = await import('../src/devices/pkcs11-pin.ts');
      return unattendedPin(() => context.readLine(file, 'the PIN'))(question);
    }
    const { token, triesLeft } = question;
    if (triesLeft === 'one') context.warn('one try is left: a wrong PIN locks the token');
    if (triesLeft === 'few') context.warn('a wrong PIN was given before');
    return (await context.prompter?.hidden(`PIN of ${context.shown(token)}:`)) ?? null;
  };
}

/**
 * The PIN, asked for now and kept for the one signature that is to come: that is made under the vault's lock, and nobody else should
 * wait while somebody types.
 */
async function askedBefore(request: DeviceRequest, source: PinSource): Promise<PinSource> {
  const { findToken } = await import('../src/devices/pkcs11.ts');
  const { pinFor } = await import('../src/devices/pkcs11-pin.ts');
  const token = await findToken(request);
  const pin = token === null ? null : await pinFor(token, source);
  return async () => Promise.resolve(pin);
}

/** How to get at a device. The library comes from the user's own side, never from the vault. */
async function requestFor(
  context: DeviceInputs,
  uri: Pkcs11Uri,
  typed: TypedPkcs11Uri | null,
): Promise<Omit<SignRequest, 'message' | 'pin'>> {
  const { chooseModule } = await import('../src/devices/pkcs11-module.ts');
  return {
    uri,
    module: chooseModule({ typed, variable: context.variable('VAULT_PKCS11_MODULE'), configured: null }),
    environment: withoutOurCredentials(context.host.env),
    onWait: () => {
      context.inform('waiting for the device: it may want to be touched');
    },
  };
}

async function storedRequest(
  context: DeviceInputs,
  hint: string,
): Promise<Omit<SignRequest, 'message' | 'pin'>> {
  const { parseStoredPkcs11Uri } = await import('../src/format/pkcs11-uri.ts');
  return requestFor(context, parseStoredPkcs11Uri(hint), null);
}

/** The device that a stored slot names. */
export function storedDevice(context: DeviceInputs, passphrase: string): PassphraseAndDevice {
  return {
    type: 'pkcs11',
    passphrase,
    present: async (hint) => {
      const { findToken } = await import('../src/devices/pkcs11.ts');
      return (await findToken(await storedRequest(context, hint))) !== null;
    },
    sign: async (hint, message) => {
      const { signWithDevice } = await import('../src/devices/pkcs11.ts');
      const request = await storedRequest(context, hint);
      return signWithDevice({ ...request, message, pin: pinSource(context, null) });
    },
  };
}

export interface NewDevice {
  readonly credential: PassphraseAndDevice;
  /** What finds the device again; asked once it has signed. */
  readonly hint: () => string;
}

/** The device of a stored slot with another passphrase. */
export async function sameDevice(
  context: DeviceInputs,
  stored: string,
  passphrase: string,
): Promise<NewDevice> {
  const request = await storedRequest(context, stored);
  const pin = await askedBefore(request, pinSource(context, null));
  const sign: PassphraseAndDevice['sign'] = async (_hint, message) => {
    const { signWithDevice } = await import('../src/devices/pkcs11.ts');
    return signWithDevice({ ...request, message, pin });
  };
  return { credential: { ...storedDevice(context, passphrase), sign }, hint: () => stored };
}

/**
 * A device for a new slot: it signs twice, and what finds it again is filled in.
 * @param passphrase asked for once the URI is known to be one
 */
export async function newDevice(
  context: DeviceInputs,
  text: string,
  passphrase: () => Promise<string>,
): Promise<NewDevice> {
  const { encodePkcs11Uri, parsePkcs11Uri } = await import('../src/format/pkcs11-uri.ts');
  const typed = parsePkcs11Uri(text);
  const request = await requestFor(context, typed, typed);
  if (typed.modulePath !== null || typed.moduleName !== null)
    context.warn('the library is not kept with the slot: set VAULT_PKCS11_MODULE to it from now on');
  const given = await passphrase();
  const pin = await askedBefore(request, pinSource(context, typed.pinFile));
  let found: Pkcs11Uri | null = null;
  const sign: PassphraseAndDevice['sign'] = async (_hint, message) => {
    const { enrolDevice } = await import('../src/devices/pkcs11.ts');
    const enrolled = await enrolDevice({ ...request, message, pin });
    found = enrolled.uri;
    return enrolled.signature;
  };
  return {
    credential: { ...storedDevice(context, given), sign },
    hint: () => (found === null ? '' : encodePkcs11Uri(found)),
  };
}

function identitiesIn(context: DeviceInputs, file: string): string {
  return Buffer.from(context.readCredentialFile(file, 'the age identity', identityBound)).toString('utf8');
}

async function openAge(identities: string, sealed: Uint8Array<ArrayBuffer>): ReturnType<AgeIdentity['open']> {
  const { ageOpener } = await import('../src/devices/age.ts');
  return ageOpener(() => identities)(sealed);
}

/** The age identity of VAULT_AGE_IDENTITY, a file. */
export function ageIdentity(context: DeviceInputs, file: string): AgeIdentity {
  return { type: 'age', open: async (sealed) => openAge(identitiesIn(context, file), sealed) };
}

export interface NewAge {
  readonly credential: AgeIdentity;
  readonly hint: () => string;
}

/** An age identity for a new slot. @throws UnlockError if the file cannot be used */
export async function newAge(context: DeviceInputs, file: string): Promise<NewAge> {
  const { enrolAge } = await import('../src/devices/age.ts');
  const identities = identitiesIn(context, file);
  const hint = await enrolAge(identities, (length) => context.random(length));
  const credential: AgeIdentity = { type: 'age', open: async (sealed) => openAge(identities, sealed) };
  return { credential, hint: () => hint };
}

export function checkOneWay(chosen: readonly boolean[], hint: string): void {
  const count = chosen.filter(Boolean).length;
  if (count === 1) return;
  throw new UsageError(count === 0 ? 'which kind of credential?' : 'one credential at a time', { hint });
}
