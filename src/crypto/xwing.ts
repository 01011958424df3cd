/**
 * The KEM X-Wing: ML-KEM-768 (FIPS 203) and X25519 (RFC 7748) under one secret (draft-connolly-cfrg-xwing-kem, section 5);
 * HPKE calls it MLKEM768-X25519, 0x647a. Neither of its two implementations is ours. docs/decisions/0006-hpke-library.md.
 *
 * - Everything with a private key is done by the runtime (Web Crypto over OpenSSL).
 * - Encapsulation is done by @noble/post-quantum, because the runtime's draws its randomness itself.
 *
 * Lengths in bytes: seed, which is the private key, 32; public key 1,216; encapsulation seed 64; ciphertext 1,120; shared secret 32.
 */
import type { KEMFactory } from 'hpke';
import type { RandomSource } from './aead.ts';
import { wipe, type Bytes } from './bytes.ts';

export const seedLength = 32;
export const publicKeyLength = 1_216;
export const ciphertextLength = 1_120;
const encapsulationSeedLength = 64;

/** Name in Web Crypto. */
const algorithm = { name: 'MLKEM768-X25519' };

/** Public key of a seed (section 5.2). The seed is borrowed. */
export async function xwingPublicKey(seed: Bytes): Promise<Bytes> {
  const privateKey = await crypto.subtle.importKey('raw-seed', seed, algorithm, false, ['decapsulateBits']);
  const publicKey = await crypto.subtle.getPublicKey(privateKey, ['encapsulateBits']);
  return new Uint8Array(await crypto.subtle.exportKey('raw-public', publicKey));
}

/**
 * The KEM as a sender uses it (section 5.4), for the package hpke. Public keys are checked and held by the runtime: their
 * length, and that every coefficient is below the modulus (FIPS 203 section 7.2). Each encapsulation takes 64 bytes from
 * `random`, and fails for a public key whose X25519 half gives the all-zero secret.
 */
export async function senderKem(random: RandomSource): Promise<KEMFactory> {
  const { KEM_MLKEM768_X25519 } = await import('./hpke-suite.ts');
  const { ml_kem768_x25519: xwing } = await import('./xwing-noble.ts');
  return () => {
    const kem = KEM_MLKEM768_X25519();
    return {
      ...kem,
      async Encap(publicKey) {
        const bytes = await kem.SerializePublicKey(publicKey);
        const seed = random(encapsulationSeedLength);
        try {
          const { cipherText, sharedSecret } = xwing.encapsulate(bytes, seed);
          return { enc: cipherText, shared_secret: sharedSecret };
        } finally {
          wipe(seed);
        }
      },
    };
  };
}
