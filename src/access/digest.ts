/** Digests and signatures of whole lines. docs/format.md section 1. Public data only. */
import { encodeBase64url, parseBase64url, type Bytes } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Domain } from '../crypto/pae.ts';
import { importVerifyKey, verify, type VerifyKey } from '../crypto/signature.ts';
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
  const signature = parseBase64url(line.value.sig);
  if (signature === null) return false;
  return verify(await verifyKey(domain, publicKey), signature, domain.encode(label, signedPart(line.raw)));
}

/** Most lines of a vault, and of its log, are signed by the same few keys: each is imported once, and goes with the vault. */
const verifyKeys = new WeakMap<Domain, Map<string, Promise<VerifyKey>>>();

async function verifyKey(domain: Domain, publicKey: string): Promise<VerifyKey> {
  const keys = verifyKeys.get(domain) ?? new Map<string, Promise<VerifyKey>>();
  verifyKeys.set(domain, keys);
  const known = keys.get(publicKey);
  if (known !== undefined) return known;
  // Text that is not base64url is no key of any length, and is refused as such.
  const key = importVerifyKey(parseBase64url(publicKey) ?? new Uint8Array(0));
  keys.set(publicKey, key);
  return key;
}

/** D: SHA-256(P("head", raw bytes of all head lines)). */
export async function headDigest(domain: Domain, head: Bytes): Promise<string> {
  return encodeBase64url(await sha256(domain.encode('head', head)));
}
