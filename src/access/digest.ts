/** Digests and signatures of whole lines. docs/format.md section 1. Public data only. */
import { encodeBase64url, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Domain } from '../crypto/pae.ts';
import { importVerifyKey, verify } from '../crypto/signature.ts';
import { signedPart, type Line } from '../format/json-line.ts';

/** H(line): 32 bytes as base64url. */
export async function lineDigest(domain: Domain, raw: Bytes): Promise<string> {
  return encodeBase64url(await sha256(domain.encode('line', raw)));
}

/** Whether `sig` of a parsed line is that of the key over its signed part. */
export async function signatureHolds(
  domain: Domain,
  line: Line<{ readonly sig: string }>,
  publicKey: string,
  label = 'sig',
): Promise<boolean> {
  const key = parseBase64url(publicKey);
  const signature = parseBase64url(line.value.sig);
  if (key === null || signature === null) return false;
  return verify(await importVerifyKey(key), signature, domain.encode(label, signedPart(line.raw)));
}

/** D: SHA-256(P("head", raw bytes of all head lines)). */
export async function headDigest(domain: Domain, head: Bytes): Promise<string> {
  return encodeBase64url(await sha256(domain.encode('head', head)));
}
