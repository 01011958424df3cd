/**
 * Hybrid public key encryption: RFC 9180, base mode (section 5.1.1), single shot (section 6.1), by the package hpke. docs/format.md section 7.
 *
 * KEM X-Wing (0x647a), KDF HKDF-SHA-256 (0x0001), AEAD AES-256-GCM (0x0002); which code computes what, and why, is in
 * docs/decisions/0006-hpke-library.md. Lengths in bytes: seed, which is the private key, 32; public key 1,216;
 * sealed text = enc (1,120) || ciphertext, which is as long as the message and a tag of 16 more; info at most 65,535.
 *
 * Base mode says nothing about who sealed: that is the affair of the signature over the line that holds the text.
 *
 * Every argument is borrowed: neither changed nor kept, and to be left alone until the promise settles. All failures are an
 * EncryptionError. Known limit: shared secret and derived keys live inside the libraries and go when they are collected.
 */
import { EncryptionError } from '../errors.ts';
import { tagLength, type RandomSource } from './aead.ts';
import { concatBytes, type Bytes } from './bytes.ts';
import { ciphertextLength, publicKeyLength, seedLength, senderKem, xwingPublicKey } from './xwing.ts';

/** Public key, 1,216 bytes, of a 32-byte seed. @throws EncryptionError if the seed has another length. */
export async function sealPublicKey(seed: Bytes): Promise<Bytes> {
  checkSeed(seed);
  return xwingPublicKey(seed);
}

/**
 * SealBase (RFC 9180 section 6.1): enc || ciphertext.
 * @param random asked once, for the 64 bytes of the encapsulation; nothing else here is random
 * @throws EncryptionError for a malformed public key: its length, a coefficient of its ML-KEM half that is not below the
 *   modulus (FIPS 203 section 7.2), or an X25519 half of small order, which gives the all-zero secret (RFC 9180 section 7.1.4)
 */
export async function hpkeSeal(
  random: RandomSource,
  publicKey: Bytes,
  info: Bytes,
  aad: Bytes,
  message: Bytes,
): Promise<Bytes> {
  if (publicKey.length !== publicKeyLength) throw new EncryptionError('public key is not 1,216 bytes');
  const { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256 } = await import('./hpke-suite.ts');
  const suite = new CipherSuite(await senderKem(random), KDF_HKDF_SHA256, AEAD_AES_256_GCM);
  try {
    const recipient = await suite.DeserializePublicKey(publicKey);
    const { encapsulatedSecret, ciphertext } = await suite.Seal(recipient, message, { info, aad });
    return concatBytes(encapsulatedSecret, ciphertext);
  } catch (cause) {
    throw new EncryptionError('nothing can be sealed to this public key', { cause });
  }
}

/**
 * OpenBase (RFC 9180 section 6.1). Caller wipes the message.
 * @throws EncryptionError if the seed is not 32 bytes, or if the text does not open: changed, too short, sealed to another key
 *   or with other `info` or `aad`, or with an enc whose X25519 half gives the all-zero secret
 */
export async function hpkeOpen(seed: Bytes, info: Bytes, aad: Bytes, text: Bytes): Promise<Bytes> {
  checkSeed(seed);
  if (text.length < ciphertextLength + tagLength) throw new EncryptionError('sealed text is too short');
  const { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_MLKEM768_X25519 } =
    await import('./hpke-suite.ts');
  const suite = new CipherSuite(KEM_MLKEM768_X25519, KDF_HKDF_SHA256, AEAD_AES_256_GCM);
  const privateKey = await suite.DeserializePrivateKey(seed);
  const enc = text.subarray(0, ciphertextLength);
  try {
    const message = await suite.Open(privateKey, enc, text.subarray(ciphertextLength), { info, aad });
    return message as Bytes;
  } catch (cause) {
    throw new EncryptionError('sealed text does not open: it was changed, or belongs elsewhere', { cause });
  }
}

function checkSeed(seed: Bytes): void {
  if (seed.length !== seedLength) throw new EncryptionError('seed is not 32 bytes');
}
