/**
 * What travels between a newcomer and an administrator: a request with public keys only, and a one-time invitation.
 * docs/format.md section 8. `null` means "this is not one of these at all"; an error means that it is one, damaged.
 */
import { UnlockError, UsageError } from '../errors.ts';
import { concatBytes, encodeBase64url, parseBase64url, utf8, type Bytes } from '../crypto/bytes.ts';
import { encodeJson, parseJson } from './json-line.ts';
import { encodeKeyText, parseKeyText } from './key-text.ts';
import { labelProblem } from './name.ts';
import { bytes, literal, longId, object, shortId, text, time, type Shaped } from './schema.ts';
import { limits } from './limits.ts';

export const joinRequest = object({
  kind: literal('join-request'),
  vault: longId,
  id: shortId,
  name: text(limits.label, 1),
  time,
  signPub: bytes(32),
  sealPub: bytes(1_216),
  sig: bytes(64),
});

export type JoinRequest = Shaped<typeof joinRequest>;

const requestBound = 8_192;

/** The request with a final LF. */
export function encodeJoinRequest(request: JoinRequest): Bytes {
  return utf8(`${Buffer.from(encodeJson(request, joinRequest, 'request')).toString('utf8')}\n`);
}

/** Parse without trust: its signature is checked by whoever uses it. @throws UsageError for a damaged one */
export function parseJoinRequest(raw: Bytes): JoinRequest | null {
  const line = Buffer.from(raw).toString('utf8').trim();
  if (!line.startsWith('{"kind":"join-request",') || raw.length > requestBound) return null;
  try {
    const request = parseJson(utf8(line), joinRequest, 'request');
    if (labelProblem(request.name) !== null) throw new UsageError('the request names nobody');
    return request;
  } catch (cause) {
    throw new UsageError('the request is damaged or incomplete', { cause });
  }
}

const invitationPrefix = 'vli1_';

/** Whether a text is meant as an invitation, whole or not. */
export const isInvitation = (given: string): boolean => given.startsWith(invitationPrefix);

export interface Invitation {
  /** Id of the principal, as in the header. */
  readonly principal: string;
  /** Ed25519 seed, 32 bytes; caller wipes. */
  readonly seed: Bytes;
  /** 16 bytes that name the vault and its root. */
  readonly pin: Bytes;
}

const idLength = 8;
const seedLength = 32;
const pinLength = 16;

export function encodeInvitation({ principal, seed, pin }: Invitation): string {
  const id = parseBase64url(principal) ?? new Uint8Array(idLength);
  return encodeKeyText(invitationPrefix, concatBytes(id, seed, pin));
}

export function parseInvitation(given: string): Invitation | null {
  if (!given.startsWith(invitationPrefix)) return null;
  const payload = parseKeyText(invitationPrefix, given, idLength + seedLength + pinLength);
  if (payload === null)
    throw new UnlockError('the invitation is mistyped or cut: its checksum is wrong', {
      hint: 'ask for it to be sent again, whole',
    });
  const pin = payload.slice(idLength + seedLength);
  const seed = payload.slice(idLength, idLength + seedLength);
  return { principal: encodeBase64url(payload.subarray(0, idLength)), seed, pin };
}
