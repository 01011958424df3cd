/** What the first use of cryptography costs beside the work itself, had while the program still reads its options and the vault. */
import { seal } from './aead.ts';

/**
 * Start the other threads, and have OpenSSL look for its digests and ciphers there: the first time it goes through all that it has. The key
 * protects nothing. What fails here will fail again where it matters.
 */
export function warmUp(): void {
  const nothing = new Uint8Array(0);
  const sealing = seal((length) => new Uint8Array(length), new Uint8Array(32).fill(1), nothing, nothing);
  void Promise.allSettled([crypto.subtle.digest('SHA-256', nothing), sealing]);
}
