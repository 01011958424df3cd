/**
 * Sealing: AES-256-GCM (NIST SP 800-38D) by Web Crypto over padded plaintext. docs/format.md section 1.
 *
 * sealed = nonce (12 random bytes) || ciphertext || tag (16 bytes). The cipher alone does not commit to its key;
 * every key used here is committed to elsewhere (slot commitments, header commitments).
 */
import { hash } from 'node:crypto';
import { EncryptionError } from '../errors.ts';
import { concatBytes, type Bytes } from './bytes.ts';

export const nonceLength = 12;
export const tagLength = 16;

/** A source of random bytes: `length` in, that many fresh unpredictable bytes out. */
export type RandomSource = (length: number) => Bytes;

const smallestBucket = 64;
const doublingEnd = 65_536;
const lengthPrefix = 4;

/** Bucket size in bytes for a message of `length` bytes: 64·2^i up to 64 KiB, then multiples of 64 KiB. */
export function bucketLength(length: number, smallest = smallestBucket): number {
  const needed = length + lengthPrefix;
  if (needed > doublingEnd) return Math.ceil(needed / doublingEnd) * doublingEnd;
  let bucket = smallest;
  while (bucket < needed) bucket *= 2;
  return bucket;
}

/** u32 little-endian length, the message, zeros up to its bucket. Caller wipes. */
export function pad(message: Uint8Array, smallest = smallestBucket): Bytes {
  const padded = new Uint8Array(bucketLength(message.length, smallest));
  new DataView(padded.buffer).setUint32(0, message.length, true);
  padded.set(message, lengthPrefix);
  return padded;
}

/** The message inside, a copy. @throws EncryptionError if length, bucket or zeros are not canonical. */
export function unpad(padded: Bytes, smallest = smallestBucket): Bytes {
  if (padded.length < smallestBucket) throw new EncryptionError('sealed text is too short');
  const length = new DataView(padded.buffer, padded.byteOffset, padded.byteLength).getUint32(0, true);
  if (padded.length !== bucketLength(length, smallest))
    throw new EncryptionError('padding has a wrong length');
  let rest = 0;
  for (let i = lengthPrefix + length; i < padded.length; i++) rest |= padded[i] ?? 0;
  if (rest !== 0) throw new EncryptionError('padding is not zero');
  return padded.slice(lengthPrefix, lengthPrefix + length);
}

/** An imported key, and what it was made of: SHA-256 tells a buffer that holds another key by now. */
interface Imported {
  readonly digest: string;
  readonly handle: Promise<CryptoKey>;
}

/** By the buffer of the key: one that seals many things is imported once, and its handle goes when the buffer goes. */
const imported = new WeakMap<Bytes, Imported>();

async function importKey(key: Bytes): Promise<CryptoKey> {
  if (key.every((byte) => byte === 0)) throw new EncryptionError('the key was wiped');
  const digest = hash('sha256', key, 'latin1');
  const known = imported.get(key);
  if (known?.digest === digest) return known.handle;
  const handle = crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']);
  imported.set(key, { digest, handle });
  return handle;
}

/** seal(k, m, aad). The key is borrowed; the padded copy of the message is wiped here. */
export async function seal(
  random: RandomSource,
  key: Bytes,
  message: Uint8Array,
  aad: Bytes,
  smallest = smallestBucket,
): Promise<Bytes> {
  const nonce = random(nonceLength);
  const padded = pad(message, smallest);
  const handle = await importKey(key);
  const parameters = { name: 'AES-GCM', iv: nonce, additionalData: aad, tagLength: tagLength * 8 };
  const text = await crypto.subtle.encrypt(parameters, handle, padded);
  padded.fill(0);
  return concatBytes(nonce, new Uint8Array(text));
}

/** open(k, c, aad). Caller wipes the message. @throws EncryptionError if it does not open or is not canonical. */
export async function open(key: Bytes, sealed: Bytes, aad: Bytes, smallest = smallestBucket): Promise<Bytes> {
  if (sealed.length < nonceLength + tagLength) throw new EncryptionError('sealed text is too short');
  const parameters = {
    name: 'AES-GCM',
    iv: sealed.subarray(0, nonceLength),
    additionalData: aad,
    tagLength: tagLength * 8,
  };
  const handle = await importKey(key);
  let padded: Bytes;
  try {
    padded = new Uint8Array(await crypto.subtle.decrypt(parameters, handle, sealed.subarray(nonceLength)));
  } catch (cause) {
    throw new EncryptionError('sealed text does not open: it was changed, or belongs elsewhere', { cause });
  }
  const message = unpad(padded, smallest);
  padded.fill(0);
  return message;
}
