/** A credential's type and cost, for people. */
import type { StoredKdf } from '../src/format/lines.ts';

export function kdfText({ kdf, type }: { readonly kdf: StoredKdf; readonly type: string }): string {
  if (kdf.name === 'argon2id')
    return `${type} (Argon2id, ${kdf.memoryKiB / 1_024} MiB, ${kdf.passes} passes, ${kdf.lanes} lanes)`;
  if (kdf.name === 'pbkdf2-hmac-sha256') return `${type} (PBKDF2, ${kdf.iterations} iterations)`;
  return type;
}
