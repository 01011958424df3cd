/**
 * Signatures of a PKCS #11 device (smart card, token, HSM), for `pkcs11` slots. docs/format.md section 3, "slot";
 * docs/decisions/0007-devices.md.
 *
 * The signature is a secret: it goes into the slot's key. It has to be the same each time, so there are two mechanisms only: CKM_RSA_PKCS
 * over the DigestInfo of SHA-256 (RFC 8017 section 9.2), and CKM_EDDSA over the message (RFC 8032). ECDSA differs each time.
 *
 * Invariants: exactly one token and one key are meant, or nothing is signed; a PIN is asked for only when the token is there, is sent
 * to that token alone, and a wrong one is never sent a second time.
 *
 * Sources: PKCS #11 2.40 and 3.0; RFC 7512 for what matches.
 */
import { BackendError, UsageError } from '../errors.ts';
import { concatBytes, equalBytes, parseHex, parseUtf8, type Bytes } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Pkcs11Uri } from '../format/pkcs11-uri.ts';
import {
  chooseKey,
  chooseToken,
  mechanismOf,
  nameOfKey,
  nameOfToken,
  tokenIsMissing,
} from './pkcs11-choice.ts';
import { deviceFailure, isWrongPin } from './pkcs11-failure.ts';
import { parsePrivateKeys, parseTokens, type PrivateKey, type Token } from './pkcs11-listing.ts';
import { defaultModules } from './pkcs11-module.ts';
import { pinFor, triesOf, type PinSource, type TriesLeft } from './pkcs11-pin.ts';
import { Pkcs11Tool } from './pkcs11-tool.ts';

export interface DeviceRequest {
  readonly uri: Pkcs11Uri;
  /** From `chooseModule`. */
  readonly module: string | null;
  /** The user's own: PATH finds pkcs11-tool, and libraries read their settings there. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A touch takes as long as a person does. */
  readonly timeoutMs?: number;
}

export interface SignRequest extends DeviceRequest {
  /** What the slot has signed: P("pkcs11", principal, id, salt raw). At most 1,024 bytes. */
  readonly message: Bytes;
  readonly pin: PinSource;
  /** Called when the device takes its time: it may wait for a touch. */
  readonly onWait?: () => void;
}

export interface Enrolment {
  /** As from `signWithDevice`; caller wipes. */
  readonly signature: Bytes;
  /** For the slot's `hint`: what was asked for, and what finds this token and this key again. */
  readonly uri: Pkcs11Uri;
}

const defaultTimeoutMs = 60_000;
const longestMessage = 1_024;
/** DER of DigestInfo up to the digest, for SHA-256: RFC 8017 section 9.2, note 1. */
const digestInfo = parseHex('3031300d060960864801650304020105000420');
/** Ed25519 and Ed448. */
const eddsaLengths = new Set([64, 114]);
/** RSA of 2,048 to 16,384 bits. */
const rsaLength = { least: 256, most: 2_048 } as const;

/**
 * The raw signature of the one key that is meant; caller wipes.
 *
 * @throws UnlockError if token, key or PIN are missing, or the PIN is wrong (it is not tried again); UsageError if several tokens or
 *   keys match, or the key cannot sign the same way twice; BackendError without OpenSC, or if the device fails
 */
export async function signWithDevice(request: SignRequest): Promise<Bytes> {
  const device = await openDevice(request);
  return sign(device, request);
}

/**
 * Sign twice and compare, before a slot is made that depends on it.
 * @throws as `signWithDevice`; UsageError if the two signatures differ
 */
export async function enrolDevice(request: SignRequest): Promise<Enrolment> {
  const device = await openDevice(request);
  const signature = await sign(device, request);
  const again = await sign(device, request);
  const same = equalBytes(signature, again);
  again.fill(0);
  if (!same) {
    signature.fill(0);
    throw new UsageError('the device signs differently each time, so it cannot open a vault', {
      hint: 'use an RSA or Ed25519 key',
    });
  }
  const { uri } = request;
  const token = uri.token ?? (uri.serial === null ? device.token.label : null);
  const id = uri.id ?? (uri.object === null ? device.key.id : null);
  return { signature, uri: { ...uri, token, id } };
}

/** The token that is meant, if it is there; no PIN is needed. @throws UsageError if several match; BackendError */
export async function findToken(request: DeviceRequest): Promise<Token | null> {
  const { token } = await locate(request);
  return token;
}

interface Device {
  readonly tool: Pkcs11Tool;
  readonly token: Token;
  readonly key: PrivateKey;
  /** Arguments that select the token, and log in to it. */
  readonly session: readonly string[];
  readonly pin: string | null;
}

async function openDevice(request: SignRequest): Promise<Device> {
  if (request.message.length > longestMessage)
    throw new RangeError(`pkcs11: at most ${longestMessage} bytes expected, got ${request.message.length}`);
  const { tool, token, tokens } = await locate(request);
  if (token === null) throw tokenIsMissing(request.uri, tokens);

  const pin = await pinFor(token, request.pin);
  const session = [
    '--slot',
    token.slot,
    ...(token.flags.includes('login required') ? Pkcs11Tool.login(pin) : []),
  ];
  const { status, output, messages } = await tool.run({
    args: [...session, '--list-objects', '--type', 'privkey'],
    pin,
  });
  if (status !== 0) {
    const left = isWrongPin(messages) ? await triesAfter(request, token) : null;
    throw deviceFailure(messages, nameOfToken(token), tool.module, left);
  }
  return {
    tool,
    token,
    key: chooseKey(parsePrivateKeys(parseText(output)), request.uri, token),
    session,
    pin,
  };
}

async function sign({ tool, token, key, session, pin }: Device, request: SignRequest): Promise<Bytes> {
  const mechanism = mechanismOf(key) ?? '';
  const rsa = mechanism === 'RSA-PKCS';
  const input = rsa ? concatBytes(digestInfo, await sha256(request.message)) : request.message;
  const args = [...session, '--sign', '--mechanism', mechanism, '--id', key.id];
  const { status, output, messages } = await tool.run({ args, pin, input, onWait: request.onWait });
  if (status !== 0) throw deviceFailure(messages, nameOfToken(token), tool.module, null);
  if (rsa && output.length >= 64 && output.length < rsaLength.least && output.length % 8 === 0)
    throw new UsageError(`the key ${nameOfKey(key)} is RSA of fewer than 2,048 bits`, {
      hint: 'use a longer key',
    });
  const fits = rsa
    ? output.length >= rsaLength.least && output.length <= rsaLength.most && output.length % 8 === 0
    : eddsaLengths.has(output.length);
  if (fits) return output;
  output.fill(0);
  throw new BackendError('the device gave something else than a signature', {
    hint: 'a PKCS#11 module that prints messages of its own would do that',
  });
}

async function locate(
  request: DeviceRequest,
): Promise<{ tool: Pkcs11Tool; token: Token | null; tokens: Token[] }> {
  const { tool, tokens } = await listTokens(request);
  return { tool, token: chooseToken(tokens, request.uri), tokens };
}

/** Tokens of the module that was chosen, or of the first default that can be loaded. */
async function listTokens(
  request: DeviceRequest,
  modules = request.module === null ? defaultModules() : [request.module],
): Promise<{ tool: Pkcs11Tool; tokens: Token[] }> {
  const { environment, timeoutMs = defaultTimeoutMs } = request;
  const [module = null, ...others] = modules;
  const tool = new Pkcs11Tool({ module, environment, timeoutMs });
  const { status, output, messages } = await tool.run({ args: ['--list-token-slots'] });
  if (status === 0 || messages.includes('No slots.')) return { tool, tokens: parseTokens(parseText(output)) };
  if (others.length > 0) return listTokens(request, others);
  throw deviceFailure(messages, 'the device', module, null);
}

/** After a wrong PIN: what the token says now. Nothing is sent to it but the question. */
async function triesAfter(request: DeviceRequest, { slot }: Token): Promise<'locked' | TriesLeft> {
  try {
    const { tokens } = await listTokens(request);
    const token = tokens.find((candidate) => candidate.slot === slot);
    return token === undefined ? null : triesOf(token);
  } catch {
    // The wrong PIN is what matters.
    return null;
  }
}

function parseText(output: Bytes): string {
  try {
    return parseUtf8(output);
  } catch {
    // A label in another encoding: everything else can still be read.
    return Buffer.from(output).toString('latin1');
  }
}
