/**
 * Machine tokens and recovery keys as text. docs/format.md section 8.
 *
 * `null` means "this is not one of these at all"; an `UnlockError` means that it is one, mistyped.
 */
import { UnlockError } from '../errors.ts';
import { concatBytes, encodeBase64url, encodeHex, parseHex, utf8, type Bytes } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';

const tokenPrefix = 'vlt1_';
const recoveryPrefix = 'VRK1';
const slotIdLength = 8;
const secretLength = 32;
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const tokenChecksum = 6;
const recoveryCharacters = 58;

/** CRC-32 (IEEE 802.3, reflected, as in zlib). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function encodeBase62(value: bigint, length: number): string {
  let out = '';
  for (let rest = value; out.length < length; rest /= 62n) out = (base62[Number(rest % 62n)] ?? '') + out;
  return out;
}

export interface TokenParts {
  /** Id of the slot, as in the file. */
  readonly slot: string;
  /** 32 bytes; caller wipes. */
  readonly secret: Bytes;
}

/** Characters of base62 that hold so many bytes. */
const base62Length = (bytes: number): number => Math.ceil((bytes * 8) / Math.log2(62));

/** Prefix, base62 of the bytes (borrowed), base62 of a checksum over both. */
export function encodeKeyText(prefix: string, bytes: Bytes): string {
  const body = prefix + encodeBase62(BigInt(`0x${encodeHex(bytes)}`), base62Length(bytes.length));
  return body + encodeBase62(BigInt(crc32(utf8(body))), tokenChecksum);
}

/** The bytes of a text with this prefix (caller wipes), or `null` if it is mistyped or cut. */
export function parseKeyText(prefix: string, text: string, length: number): Bytes | null {
  const digits = base62Length(length);
  const rest = text.slice(prefix.length);
  if (!text.startsWith(prefix) || rest.length !== digits + tokenChecksum || !/^[0-9A-Za-z]+$/.test(rest))
    return null;
  const body = text.slice(0, prefix.length + digits);
  if (encodeBase62(BigInt(crc32(utf8(body))), tokenChecksum) !== text.slice(body.length)) return null;
  let value = 0n;
  for (const character of body.slice(prefix.length)) value = value * 62n + BigInt(base62.indexOf(character));
  const hex = value.toString(16).padStart(length * 2, '0');
  return hex.length === length * 2 ? parseHex(hex) : null;
}

/** @param slot 8 raw bytes; @param secret 32 bytes, borrowed */
export function encodeToken(slot: Bytes, secret: Bytes): string {
  return encodeKeyText(tokenPrefix, concatBytes(slot, secret));
}

export function parseToken(text: string): TokenParts | null {
  if (!text.startsWith(tokenPrefix)) return null;
  const bytes = parseKeyText(tokenPrefix, text, slotIdLength + secretLength);
  if (bytes === null)
    throw new UnlockError('the access token is mistyped or cut: its checksum is wrong', {
      hint: 'copy it again, whole; a new one is made with `vault access reissue NAME --token`',
    });
  return { slot: encodeBase64url(bytes.subarray(0, slotIdLength)), secret: bytes.slice(slotIdLength) };
}

async function recoveryChecksum(secret: Bytes): Promise<Bytes> {
  return (await sha256(concatBytes(utf8('vault recovery key'), secret))).slice(0, 4);
}

/** A recovery key of 32 bytes (borrowed) as text in groups of six. */
export async function encodeRecoveryKey(secret: Bytes): Promise<string> {
  const bytes = concatBytes(secret, await recoveryChecksum(secret));
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  bits = bits.padEnd(recoveryCharacters * 5, '0');
  let out = '';
  for (let at = 0; at < bits.length; at += 5)
    out += crockford[Number.parseInt(bits.slice(at, at + 5), 2)] ?? '';
  return [recoveryPrefix, ...(out.match(/.{1,6}/g) ?? [])].join('-');
}

/** The 32 bytes of a recovery key; caller wipes. */
export async function parseRecoveryKey(text: string): Promise<Bytes | null> {
  const plain = text.toUpperCase().replace(/[-\s]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
  if (!plain.startsWith(recoveryPrefix)) return null;
  const mistyped = new UnlockError('the recovery key is mistyped or incomplete: its checksum is wrong');
  const body = plain.slice(recoveryPrefix.length);
  if (body.length !== recoveryCharacters) throw mistyped;
  let bits = '';
  for (const character of body) {
    const value = crockford.indexOf(character);
    if (value < 0) throw mistyped;
    bits += value.toString(2).padStart(5, '0');
  }
  const bytes = new Uint8Array(secretLength + 4);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(bits.slice(i * 8, i * 8 + 8), 2);
  const secret = bytes.slice(0, secretLength);
  const checksum = await recoveryChecksum(secret);
  if (
    !/^0*$/.test(bits.slice(bytes.length * 8)) ||
    encodeHex(checksum) !== encodeHex(bytes.subarray(secretLength))
  )
    throw mistyped;
  return secret;
}
