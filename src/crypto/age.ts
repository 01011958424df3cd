/**
 * The key of an `age` slot: 32 bytes, encrypted to one recipient. docs/format.md sections 3 and 8.
 *
 * Sources: age-encryption.org/v1, with its recipient type mlkem768x25519: ML-KEM-768 and X25519 together (X-Wing), for texts that
 * begin with `age1pq1` and identities that begin with `AGE-SECRET-KEY-PQ-1`; by age-encryption, the TypeScript edition of its author.
 *
 * Invariants: nothing is encrypted to, or accepted from, anything but that one type, so a thief with a quantum computer finds no
 * second way in; a file that is for somebody else (`null`) is never confused with a damaged one (`EncryptionError`); messages name
 * lines of an identity file, never what is in them.
 *
 * Known limits: the package draws its own randomness, from Web Crypto, so what it seals cannot be made again. Its copies of keys
 * cannot be wiped. Plugins, SSH keys and identity files under a passphrase are refused.
 */
import { EncryptionError, UnlockError, UsageError } from '../errors.ts';
import { concatBytes, type Bytes } from './bytes.ts';

const secretLength = 32;
const recipientType = 'mlkem768x25519';

/** Bytes of an age file, checked before it is parsed: one stanza and 32 bytes make 1,691. */
const longestFile = 4_096;
/** Characters of an identity file: some 800 identities. */
const longestIdentityFile = 65_536;

const makeOne = 'make a post-quantum one with `age-keygen -pq` (age 1.3 or later)';

/**
 * Encrypt 32 bytes (borrowed) to a recipient: the bytes of an age file with one stanza.
 * @throws UsageError if it is no hybrid post-quantum recipient, or mistyped
 */
export async function sealToAge(recipient: string, secret: Bytes): Promise<Bytes> {
  refuseOtherRecipients(recipient);
  if (secret.length !== secretLength)
    throw new RangeError(`age: ${secretLength} bytes expected, got ${secret.length}`);
  const { Encrypter } = await import('./age-encryption.ts');
  const encrypter = new Encrypter();
  try {
    encrypter.addRecipient(recipient);
    return await collect(await encrypter.encrypt(streamOf(secret)));
  } catch (cause) {
    throw new UsageError('the age recipient is mistyped or cut', { cause, hint: makeOne });
  }
}

/** What an age file gave up, and which identity it was encrypted to. Caller wipes the bytes. */
export interface OpenedAge {
  readonly secret: Bytes;
  /** The identity's own line. */
  readonly identity: string;
}

/** The recipient of the one post-quantum identity of a file. @throws UnlockError if the file cannot be used, or has several */
export async function recipientOf(identities: string): Promise<string> {
  const [only, ...more] = identityLines(identities);
  if (only === undefined)
    throw new UnlockError('the age identity file has no post-quantum identity', { hint: makeOne });
  if (more.length > 0)
    throw new UnlockError('the age identity file has several post-quantum identities', {
      hint: 'name a file with the one that is meant',
    });
  const { identityToRecipient } = await import('./age-encryption.ts');
  try {
    return await identityToRecipient(only.text);
  } catch {
    // The cause is left out: it may quote the line.
    throw new UnlockError(`line ${only.number} of the age identity file is mistyped or cut`);
  }
}

/**
 * The 32 bytes of an age file, by an identity file; caller wipes. `null` if none of its identities is the recipient.
 *
 * @param identities Text of an identity file: lines with one identity each, empty ones, and comments after `#`. Identities of the
 *   older X25519 type may stand beside others; they open nothing here.
 * @throws UnlockError if the identity file cannot be used; EncryptionError if the age file is malformed
 */
export async function openAge(identities: string, file: Bytes): Promise<OpenedAge | null> {
  const lines = identityLines(identities);
  for (const line of lines) {
    const secret = await openWith(line, file);
    if (secret !== null) return { secret, identity: line.text };
  }
  // Somebody else's file; that it is one is checked all the same.
  await openWith(null, file);
  return null;
}

async function openWith(line: IdentityLine | null, file: Bytes): Promise<Bytes | null> {
  if (file.length > longestFile) throw new EncryptionError('the age file is too long');
  const { Decrypter } = await import('./age-encryption.ts');
  const decrypter = new Decrypter();

  // Asked in this order: the file itself is looked at before any key is tried, and the last one hears that none was right.
  decrypter.addIdentity({ unwrapFileKey: refuseOtherStanzas });
  if (line !== null) {
    try {
      decrypter.addIdentity(line.text);
    } catch {
      // The cause is left out: it may quote the line.
      throw new UnlockError(`line ${line.number} of the age identity file is mistyped or cut`);
    }
  }
  const unmatched: true[] = [];
  decrypter.addIdentity({
    unwrapFileKey: () => {
      unmatched.push(true);
      return null;
    },
  });

  let secret: Bytes;
  try {
    secret = await collect(await decrypter.decrypt(streamOf(file)));
  } catch (cause) {
    if (unmatched.length > 0) return null;
    if (cause instanceof EncryptionError) throw cause;
    throw new EncryptionError('the age file is malformed or was changed', { cause });
  }
  if (secret.length === secretLength) return secret;
  secret.fill(0);
  throw new EncryptionError(`the age file holds something else than ${secretLength} bytes`);
}

interface IdentityLine {
  readonly text: string;
  /** From 1. */
  readonly number: number;
}

/** The post-quantum identities. @throws UnlockError for what is no plain identity file */
function identityLines(text: string): IdentityLine[] {
  const refuse = (why: string, hint: string): UnlockError =>
    new UnlockError(`the age identity file ${why}`, { hint });
  if (text.length > longestIdentityFile) throw refuse('is too long', 'name the file that age-keygen wrote');
  if (text.startsWith('age-encryption.org/') || text.startsWith('-----BEGIN AGE ENCRYPTED FILE-----'))
    throw refuse('is encrypted', 'decrypt it with `age -d` first, into memory-backed storage');
  if (/^-----BEGIN [A-Z ]*PRIVATE KEY-----/u.test(text))
    throw refuse('is an SSH or PEM private key, not an age identity', makeOne);

  const hybrid: IdentityLine[] = [];
  let others = 0;
  for (const [index, line] of text.split(/\r?\n/u).entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const number = index + 1;
    if (line.startsWith('AGE-PLUGIN-'))
      throw refuse(
        `has an identity of a plugin in line ${number}`,
        'plugins are not run; use a file without',
      );
    if (line.startsWith('AGE-SECRET-KEY-PQ-1')) hybrid.push({ text: line, number });
    else if (line.startsWith('AGE-SECRET-KEY-1')) others += 1;
    else throw refuse(`has something else than an age identity in line ${number}`, makeOne);
  }
  if (hybrid.length + others === 0) throw refuse('has no identity', makeOne);
  return hybrid;
}

function refuseOtherRecipients(recipient: string): void {
  if (recipient.startsWith('age1pq1')) return;
  const refuse = (why: string): UsageError => new UsageError(why, { hint: makeOne });
  if (/^AGE-/iu.test(recipient))
    throw refuse('that is an age identity, which is secret; the recipient is the other half');
  // Bech32 has no 1 in its data: what stands before the last one is the type.
  if (/^age1.*1/u.test(recipient))
    throw refuse('that age recipient belongs to a plugin, and plugins are not run');
  if (recipient.startsWith('age1'))
    throw refuse('that age recipient is not post-quantum (X25519 alone), so it cannot guard a vault');
  throw refuse('that is not an age recipient');
}

/** A stanza of another type would be another way to the key, perhaps one that will not last. */
function refuseOtherStanzas(stanzas: readonly { readonly args: readonly string[] }[]): null {
  const [only, ...more] = stanzas;
  if (only?.args[0] !== recipientType || more.length > 0)
    throw new EncryptionError(
      'the age file is not encrypted to one post-quantum recipient, and to that alone',
    );
  return null;
}

// Streams, although all is short: for bytes the package uses Response, and loading that takes longer than all the rest.

function streamOf(bytes: Bytes): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Bytes> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const all = concatBytes(...chunks);
  for (const chunk of chunks) chunk.fill(0);
  return all;
}
