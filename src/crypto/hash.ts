/**
 * SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869), by the runtime's own crypto module.
 *
 * Not by Web Crypto: it hands every call to another thread and back, which for these small inputs costs ten times the work.
 * The functions are asynchronous all the same, so that callers do not depend on which one it is. docs/decisions/0005-hash-engine.md.
 */
import { createHmac, hash, hkdfSync } from 'node:crypto';
import type { Bytes } from './bytes.ts';
import type { Domain, Piece } from './pae.ts';

export const digestLength = 32;
const keyLength = 32;

/** SHA-256, 32 bytes. */
export async function sha256(data: Bytes): Promise<Bytes> {
  return Promise.resolve(Uint8Array.from(hash('sha256', data, 'buffer')));
}

/** HMAC-SHA-256, 32 bytes. The key is borrowed. */
export async function hmacSha256(key: Bytes, data: Bytes): Promise<Bytes> {
  return Promise.resolve(Uint8Array.from(createHmac('sha256', key).update(data).digest()));
}

/**
 * HKDF-SHA-256, extract and expand (RFC 5869 sections 2.2 and 2.3).
 * @param length bytes of output, at most 8,160. Caller wipes input and output.
 */
export async function hkdfSha256(input: Bytes, salt: Bytes, info: Bytes, length: number): Promise<Bytes> {
  return Promise.resolve(new Uint8Array(hkdfSync('sha256', input, salt, info, length)));
}

/** KD(key, label, …) of docs/format.md section 1: a 32-byte subkey bound to the vault. Caller wipes. */
export async function deriveKey(
  domain: Domain,
  key: Bytes,
  label: string,
  ...pieces: Piece[]
): Promise<Bytes> {
  return hkdfSha256(key, new Uint8Array(0), domain.encode(label, ...pieces), keyLength);
}
