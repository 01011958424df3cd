/**
 * Stretching a passphrase: Argon2id (RFC 9106, version 0x13) or PBKDF2-HMAC-SHA-256 (RFC 8018 section 5.2), 32 bytes out.
 * Parameters are checked before any work is done: a hostile header can neither exhaust memory nor weaken the key.
 */
import { IntegrityError, UsageError } from '../errors.ts';
import { utf8, type Bytes } from './bytes.ts';

export interface Argon2Parameters {
  readonly name: 'argon2id';
  /** Memory in KiB. */
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

export interface Pbkdf2Parameters {
  readonly name: 'pbkdf2-hmac-sha256';
  readonly iterations: number;
}

export type KdfParameters = Argon2Parameters | Pbkdf2Parameters;

/** Which implementation of Argon2id computes: both give the same key. */
export type KdfEngine = 'wasm' | 'native';

export const stretchedLength = 32;
export const saltLength = 16;

export const defaultArgon2: Argon2Parameters = { name: 'argon2id', memoryKiB: 65_536, passes: 3, lanes: 1 };
export const defaultPbkdf2: Pbkdf2Parameters = { name: 'pbkdf2-hmac-sha256', iterations: 600_000 };

const bounds = {
  memoryKiB: { least: 8_192, most: 2_097_152 },
  passes: { least: 1, most: 32 },
  lanes: { least: 1, most: 16 },
  iterations: { least: 100_000, most: 10_000_000 },
} as const;

function outOfBounds(parameters: KdfParameters): string | null {
  for (const [key, value] of Object.entries(parameters)) {
    if (key === 'name') continue;
    const { least, most } = bounds[key as keyof typeof bounds];
    if (!Number.isInteger(value) || value < least || value > most) {
      return `KDF parameter ${key}: ${least} to ${most} allowed, got ${String(value)}`;
    }
  }
  return null;
}

/** For parameters that came with a file. @throws IntegrityError outside the bounds. */
export function checkStoredKdf(parameters: KdfParameters): void {
  const problem = outOfBounds(parameters);
  if (problem !== null) throw new IntegrityError(problem);
}

/** For parameters that a person chose. @throws UsageError outside the bounds. */
export function checkChosenKdf(parameters: KdfParameters): void {
  const problem = outOfBounds(parameters);
  if (problem !== null) throw new UsageError(problem);
}

/** A sentence if the parameters are below what is recommended today (OWASP: 19 MiB and 2 passes; 600,000), else `null`. */
export function weakKdfWarning(parameters: KdfParameters): string | null {
  if (parameters.name === 'argon2id') {
    return parameters.memoryKiB < 19_456 || parameters.passes < 2
      ? 'these Argon2id parameters are below 19 MiB and 2 passes: a stolen file is cheaper to attack'
      : null;
  }
  return parameters.iterations < 600_000
    ? 'fewer than 600,000 PBKDF2 iterations: a stolen file is cheaper to attack'
    : null;
}

/**
 * Bytes of a passphrase: Unicode NFC, UTF-8. Caller wipes.
 * @throws UsageError if it is empty or has a lone surrogate (distinct passphrases would collide).
 */
export function passphraseBytes(passphrase: string): Bytes {
  if (!passphrase.isWellFormed()) throw new UsageError('passphrase is not valid Unicode text');
  const bytes = utf8(passphrase.normalize('NFC'));
  if (bytes.length === 0) throw new UsageError('passphrase is empty');
  return bytes;
}

/**
 * Stretch passphrase bytes (borrowed) with a 16-byte salt to 32 bytes. Caller wipes.
 * @throws IntegrityError outside the bounds, before any work.
 */
export async function stretch(
  passphrase: Bytes,
  salt: Bytes,
  parameters: KdfParameters,
  engine: KdfEngine,
): Promise<Bytes> {
  checkStoredKdf(parameters);
  if (parameters.name === 'pbkdf2-hmac-sha256') return stretchPbkdf2(passphrase, salt, parameters.iterations);
  return argon2id(passphrase, salt, parameters, engine, stretchedLength);
}

/** PBKDF2-HMAC-SHA-256 without the bounds of the format (vectors use it directly). */
export async function stretchPbkdf2(
  passphrase: Bytes,
  salt: Bytes,
  iterations: number,
  length = stretchedLength,
): Promise<Bytes> {
  const handle = await crypto.subtle.importKey('raw', passphrase, 'PBKDF2', false, ['deriveBits']);
  const parameters = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, handle, length * 8));
}

/** Argon2id without the bounds of the format (vectors use it directly). */
export async function argon2id(
  passphrase: Bytes,
  salt: Bytes,
  parameters: Argon2Parameters,
  engine: KdfEngine,
  length: number,
): Promise<Bytes> {
  if (engine === 'native') {
    const { argon2Sync } = await import('node:crypto');
    const { memoryKiB: memory, passes, lanes: parallelism } = parameters;
    const options = { message: passphrase, nonce: salt, parallelism, tagLength: length, memory, passes };
    return Uint8Array.from(argon2Sync('argon2id', options));
  }
  const wasm = await import('./argon2-wasm.ts');
  return Uint8Array.from(
    await wasm.argon2id({
      password: passphrase,
      salt,
      parallelism: parameters.lanes,
      iterations: parameters.passes,
      memorySize: parameters.memoryKiB,
      hashLength: length,
      outputType: 'binary',
    }),
  );
}
