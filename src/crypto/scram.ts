/** What a PostgreSQL server keeps of a password, so that the password itself is in no statement and no log. */
import { utf8, type Bytes } from './bytes.ts';
import { hmacSha256, sha256 } from './hash.ts';

/** Length of a salt, in bytes; and the rounds of PBKDF2: PostgreSQL's own defaults. */
export const scramSaltLength = 16;
const iterations = 4_096;

/**
 * The verifier of a password by SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677), as PostgreSQL stores it:
 * `SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY`, in base64.
 * @param password printable ASCII, which SASLprep (RFC 4013) leaves as it is @param salt 16 random bytes
 */
export async function scramVerifier(password: string, salt: Bytes): Promise<string> {
  const key = await crypto.subtle.importKey('raw', utf8(password), 'PBKDF2', false, ['deriveBits']);
  const parameters = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations };
  const salted = new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 256));
  const clientKey = await hmacSha256(salted, utf8('Client Key'));
  const storedKey = await sha256(clientKey);
  const serverKey = await hmacSha256(salted, utf8('Server Key'));
  salted.fill(0);
  clientKey.fill(0);
  const base64 = (bytes: Bytes): string => Buffer.from(bytes).toString('base64');
  return `SCRAM-SHA-256$${iterations}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`;
}
