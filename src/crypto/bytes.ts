/**
 * Byte strings: joining, comparing, wiping, strict UTF-8 and strict base64url.
 *
 * Lengths are in bytes. Nothing here keeps a reference to what it is given.
 */

/** All the bytes of this program live on plain ArrayBuffers, as Web Crypto wants them. */
export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 of well-formed text. @throws TypeError for lone surrogates: they would all become U+FFFD and collide. */
export function utf8(text: string): Bytes {
  if (!text.isWellFormed()) throw new TypeError('text has a lone surrogate');
  return encoder.encode(text);
}

/** Text of strict UTF-8. @throws TypeError if the bytes are not UTF-8. */
export function parseUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function concatBytes(...parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Equal in time that depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Order of raw bytes, shorter first on a common prefix: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** Overwrite with zeros. The engine may have made copies; this removes the one that we own. */
export function wipe(...all: readonly Uint8Array[]): void {
  for (const bytes of all) bytes.fill(0);
}

export function encodeHex(bytes: Uint8Array): string {
  return view(bytes).toString('hex');
}

/** Bytes of hexadecimal that is known to be well-formed. */
export function parseHex(text: string): Bytes {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** Unpadded base64url (RFC 4648 section 5). */
export function encodeBase64url(bytes: Uint8Array): string {
  return view(bytes).toString('base64url');
}

/** Last characters whose unused bits are zero, by length modulo 4. */
const lastCharacters = ['', '', 'AQgw', 'AEIMQUYcgkosw048'];

/** Whether a text is the one spelling of some bytes: unpadded base64url, no white space, unused bits zero. */
export function isBase64url(text: string): boolean {
  const rest = text.length % 4;
  if (rest === 1 || !/^[A-Za-z0-9_-]*$/.test(text)) return false;
  return rest === 0 || (lastCharacters[rest] ?? '').includes(text[text.length - 1] ?? ' ');
}

/** The bytes of strict unpadded base64url, or `null` if the text is anything else. */
export function parseBase64url(text: string): Bytes | null {
  return isBase64url(text) ? Uint8Array.from(Buffer.from(text, 'base64url')) : null;
}

/** One character a byte: text to search in, never to show. */
export function latin1(bytes: Uint8Array): string {
  return view(bytes).toString('latin1');
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
