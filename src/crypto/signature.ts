/**
 * Ed25519 (RFC 8032) by the runtime's own crypto module, with the eight points of small order refused as public keys in every encoding.
 *
 * Not by Web Crypto, whose way there is longer, and which can neither import a seed nor tell its public half without detours:
 * docs/decisions/0005-hash-engine.md.
 */
import * as node from 'node:crypto';
import { EncryptionError } from '../errors.ts';
import { encodeHex, type Bytes } from './bytes.ts';

const publicKeyLength = 32;
const signatureLength = 64;
const asymmetricKeyType = 'ed25519';

/**
 * y coordinates of the points of small order (order 1, 2, 4 and 8), canonical and with p added where it fits in 255 bits;
 * the sign bit is masked before the comparison, so both encodings of each are covered.
 */
const smallOrderY = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** True for an encoding of a point of small order: a signature under such a key proves nothing. */
export function isSmallOrder(publicKey: Uint8Array): boolean {
  const y = publicKey.slice();
  y[31] = (y[31] ?? 0) & 0x7f;
  return smallOrderY.has(encodeHex(y));
}

/** Whether the y coordinate is below p = 2^255 − 19 (RFC 8032 section 5.1.3, step 1). */
function isCanonical(publicKey: Uint8Array): boolean {
  const top = ((publicKey[31] ?? 0) & 0x7f) === 0x7f;
  return !(top && publicKey.subarray(1, 31).every((byte) => byte === 0xff) && (publicKey[0] ?? 0) >= 0xed);
}

/** A key that verifies. */
export type VerifyKey = node.KeyObject;

/** A signing key: the handle signs, `publicKey` (32 bytes) is what others list. */
export interface SigningKey {
  readonly handle: node.KeyObject;
  readonly publicKey: Bytes;
}

/** Import a 32-byte seed (RFC 8032 section 5.1.5). The seed is borrowed. */
export async function importSigningKey(seed: Bytes): Promise<SigningKey> {
  const handle = node.createPrivateKey({ key: seed, format: 'raw-private', asymmetricKeyType });
  // The public half of it: nothing private is exported.
  const publicKey = Uint8Array.from(node.createPublicKey(handle).export({ format: 'raw-public' }));
  return Promise.resolve({ handle, publicKey });
}

/** Import 32 bytes of a public key for `verify`. @throws EncryptionError for points of small order. */
export async function importVerifyKey(publicKey: Bytes): Promise<VerifyKey> {
  if (publicKey.length !== publicKeyLength) throw new EncryptionError('public key is not 32 bytes');
  if (!isCanonical(publicKey)) throw new EncryptionError('public key has a second spelling');
  if (isSmallOrder(publicKey)) throw new EncryptionError('public key is a point of small order');
  return Promise.resolve(node.createPublicKey({ key: publicKey, format: 'raw-public', asymmetricKeyType }));
}

/** Signature, 64 bytes (RFC 8032 section 5.1.6). */
export async function sign(key: SigningKey, message: Bytes): Promise<Bytes> {
  return Promise.resolve(Uint8Array.from(node.sign(null, message, key.handle)));
}

/**
 * Whether the signature is that of the message (RFC 8032 section 5.1.7). On another thread: what is checked together is checked on several
 * cores.
 */
export async function verify(key: VerifyKey, signature: Bytes, message: Bytes): Promise<boolean> {
  if (signature.length !== signatureLength) return false;
  return new Promise((resolve, reject) => {
    node.verify(null, message, key, signature, (error, holds) => {
      if (error === null) resolve(holds);
      else reject(error);
    });
  });
}
