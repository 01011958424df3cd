/** SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869), by Web Crypto. */
import type { Bytes } from './bytes.ts';
import type { Domain, Piece } from './pae.ts';

export const digestLength = 32;
export const keyLength = 32;

/** SHA-256, 32 bytes. */
export async function sha256(data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', data));
}

/** HMAC-SHA-256, 32 bytes. The key is borrowed. */
export async function hmacSha256(key: Bytes, data: Bytes): Promise<Bytes> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const handle = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', handle, data));
}

/**
 * HKDF-SHA-256, extract and expand (RFC 5869 sections 2.2 and 2.3).
 * @param length bytes of output, at most 8,160. Caller wipes input and output.
 */
export async function hkdfSha256(input: Bytes, salt: Bytes, info: Bytes, length: number): Promise<Bytes> {
  const handle = await crypto.subtle.importKey('raw', input, 'HKDF', false, ['deriveBits']);
  const parameters = { name: 'HKDF', hash: 'SHA-256', salt, info };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, handle, length * 8));
}

/** KD(key, label, …) of docs/format.md section 1: a 32-byte subkey bound to the vault. Caller wipes. */
export async function deriveKey(domain: Domain, key: Bytes, label: string, ...pieces: Piece[]): Promise<Bytes> {
  return hkdfSha256(key, new Uint8Array(0), domain.encode(label, ...pieces), keyLength);
}
