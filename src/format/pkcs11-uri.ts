/**
 * PKCS #11 URIs (RFC 7512): which token, and which private key on it. docs/format.md section 3, "slot".
 *
 * A person types one in any spelling of the RFC, with `module-path` and `pin-source` if they like (`parsePkcs11Uri`). A slot keeps
 * one spelling of the path alone (`encodePkcs11Uri`, `parseStoredPkcs11Uri`).
 *
 * Invariants: a vault file never says which library to load or where a PIN is: it may be somebody else's work, and a library is
 * code. No PIN ever stands in a URI. An attribute that we do not know is refused, not passed over: it would have narrowed the
 * choice.
 *
 * Known limits: of the path attributes those that name slots and libraries are refused, but for `slot-id`; so are attributes of
 * vendors.
 */
import { IntegrityError, UsageError } from '../errors.ts';
import { encodeHex, parseHex, parseUtf8, utf8, type Bytes } from '../crypto/bytes.ts';
import { limits } from './limits.ts';

/** What a token and a key must be like; `null` where anything will do. */
export interface Pkcs11Uri {
  /** Label of the token. */
  readonly token: string | null;
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly serial: string | null;
  /** Decimal. Numbers of slots change when readers do: serials are better. */
  readonly slotId: string | null;
  /** Label of the key. */
  readonly object: string | null;
  /** Of the key (CKA_ID), in hexadecimal, lower case. */
  readonly id: string | null;
}

/** A URI that a person gave: how to get at the device is taken on their word, once. */
export interface TypedPkcs11Uri extends Pkcs11Uri {
  readonly modulePath: string | null;
  /** A file's name without what the platform puts around it. */
  readonly moduleName: string | null;
  /** Path of a file with the PIN. */
  readonly pinFile: string | null;
}

/** In the order of the one spelling. Lengths in bytes; those of the token are fixed by CK_TOKEN_INFO. */
const textAttributes = [
  { name: 'token', member: 'token', most: 32 },
  { name: 'manufacturer', member: 'manufacturer', most: 32 },
  { name: 'model', member: 'model', most: 16 },
  { name: 'serial', member: 'serial', most: 16 },
  { name: 'object', member: 'object', most: 255 },
] as const;

const longestId = 255;
const unreserved = /^[A-Za-z0-9._~-]$/u;
/** `pk11-pchar` and `pk11-qchar` of RFC 7512 section 2.3, without percent-encoding. */
const pathCharacters = /^[A-Za-z0-9._~:[\]@!$'()*+,=&-]$/u;
const queryCharacters = /^[A-Za-z0-9._~:[\]@!$'()*+,=/?|-]$/u;

const form =
  'a PKCS#11 URI looks like pkcs11:token=NAME;id=%01 (RFC 7512); `pkcs11-tool -O` shows labels and ids';
const refuse = (why: string): UsageError => new UsageError(`PKCS#11 URI: ${why}`, { hint: form });

/** @throws UsageError for anything but a URI of which we heed every word */
export function parsePkcs11Uri(text: string): TypedPkcs11Uri {
  if (text.length > limits.hint) throw refuse('it is too long');
  const [, path, query] = /^pkcs11:([^?]*)(?:\?(.*))?$/isu.exec(text) ?? [];
  if (path === undefined) throw refuse('it must begin with pkcs11:');
  const attributes = attributesOf(path, ';', pathCharacters);
  const take = (name: string): Bytes | null => {
    const value = attributes.get(name) ?? null;
    attributes.delete(name);
    return value;
  };
  const id = take('id');
  if (id !== null && id.length > longestId) throw refuse('its id is too long');
  const slotId = textOf(take('slot-id'), 'slot-id', 20);
  if (slotId !== null && !isSlotId(slotId)) throw refuse('its slot-id is not a number');
  const type = textOf(take('type'), 'type', 16);
  if (type !== null && type !== 'private')
    throw refuse('it must name a private key: leave type out, or type=private');
  const [token = null, manufacturer = null, model = null, serial = null, object = null] = textAttributes.map(
    ({ name, most }) => textOf(take(name), name, most),
  );
  refuseRest(attributes, 'attribute');
  const hexId = id === null ? null : encodeHex(id);
  return { token, manufacturer, model, serial, slotId, object, id: hexId, ...waysOf(query) };
}

/** The one spelling; what says how to get at the device is left out. */
export function encodePkcs11Uri(uri: Pkcs11Uri): string {
  const parts: string[] = [];
  for (const { name, member } of textAttributes) {
    // Between those of the token and those of the key.
    if (name === 'object' && uri.slotId !== null) parts.push(`slot-id=${uri.slotId}`);
    const value = uri[member];
    if (value !== null) parts.push(`${name}=${encodeValue(utf8(value))}`);
  }
  if (uri.id !== null)
    parts.push(`id=${encodeHex(parseHex(uri.id)).toUpperCase().replaceAll(/../gu, '%$&')}`);
  return `pkcs11:${parts.join(';')}`;
}

/** Whether a URI says enough to be kept: the token by label or serial, the key by label or id. */
export function isComplete(uri: Pkcs11Uri): boolean {
  return (uri.token !== null || uri.serial !== null) && (uri.object !== null || uri.id !== null);
}

/** The hint of a `pkcs11` slot. @throws IntegrityError for another spelling, a query, or a URI that is not complete */
export function parseStoredPkcs11Uri(hint: string): Pkcs11Uri {
  let uri: TypedPkcs11Uri;
  try {
    uri = parsePkcs11Uri(hint);
  } catch (cause) {
    throw new IntegrityError('slot: malformed PKCS#11 URI', { cause });
  }
  if (encodePkcs11Uri(uri) !== hint || !isComplete(uri))
    throw new IntegrityError('slot: malformed PKCS#11 URI');
  const { token, manufacturer, model, serial, slotId, object, id } = uri;
  return { token, manufacturer, model, serial, slotId, object, id };
}

/** The query: where the library and the PIN are. */
function waysOf(query: string | undefined): Pick<TypedPkcs11Uri, 'modulePath' | 'moduleName' | 'pinFile'> {
  const attributes = attributesOf(query ?? '', '&', queryCharacters);
  if (attributes.has('pin-value'))
    throw refuse('a PIN may not stand in it: it would stay in the shell’s history and be seen in ps');
  const take = (name: string): string | null => {
    const value = textOf(attributes.get(name) ?? null, name, 4_096);
    attributes.delete(name);
    return value;
  };
  const modulePath = take('module-path');
  const moduleName = take('module-name');
  const pinSource = take('pin-source');
  refuseRest(attributes, 'query attribute');
  if (modulePath !== null && moduleName !== null)
    throw refuse('module-path and module-name exclude each other');
  if (moduleName !== null && !/^[\w.+-]+$/u.test(moduleName))
    throw refuse('its module-name is not a plain name');
  return { modulePath, moduleName, pinFile: pinSource === null ? null : pinFileOf(pinSource) };
}

function pinFileOf(source: string): string {
  if (source.startsWith('|')) throw refuse('a pin-source that is a command is not run; name a file');
  const path = source.replace(/^file:(?:\/\/(?=\/))?/u, '');
  // Within a file: URI a percent sign would encode something once more.
  if (path !== source && !/^\/(?!\/)[^%]*$/u.test(path))
    throw refuse('its pin-source is not the path of a file');
  return path;
}

function attributesOf(text: string, separator: string, allowed: RegExp): Map<string, Bytes> {
  const attributes = new Map<string, Bytes>();
  if (text === '') return attributes;
  for (const part of text.split(separator)) {
    const [, name, value] = /^([A-Za-z0-9_-]+)=(.*)$/su.exec(part) ?? [];
    if (name === undefined || value === undefined) throw refuse('a part of it is not NAME=VALUE');
    if (attributes.has(name)) throw refuse(`${name} comes twice`);
    attributes.set(name, decodeValue(value, name, allowed));
  }
  return attributes;
}

/** Bytes of a value in percent-encoding (RFC 3986 section 2.1), in which everything else stands for itself. */
function decodeValue(value: string, name: string, allowed: RegExp): Bytes {
  const bytes: number[] = [];
  for (let at = 0; at < value.length; at++) {
    const character = value[at] ?? '';
    if (character === '%') {
      const digits = value.slice(at + 1, at + 3);
      if (!/^[0-9A-Fa-f]{2}$/u.test(digits))
        throw refuse(`its ${name} has a % without two hexadecimal digits`);
      bytes.push(Number.parseInt(digits, 16));
      at += 2;
    } else {
      if (!allowed.test(character)) throw refuse(`its ${name} has a character that must be percent-encoded`);
      bytes.push(character.charCodeAt(0));
    }
  }
  if (bytes.length === 0) throw refuse(`its ${name} is empty`);
  return Uint8Array.from(bytes);
}

function encodeValue(bytes: Bytes): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    return unreserved.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}

function textOf(bytes: Bytes | null, name: string, most: number): string | null {
  if (bytes === null) return null;
  if (bytes.length > most) throw refuse(`its ${name} is too long`);
  let text: string;
  try {
    text = parseUtf8(bytes);
  } catch {
    throw refuse(`its ${name} is not UTF-8`);
  }
  if (/\p{Cc}/u.test(text)) throw refuse(`its ${name} has a control character`);
  return text;
}

/** CK_SLOT_ID: at most 64 bits. */
function isSlotId(text: string): boolean {
  return /^(?:0|[1-9]\d{0,19})$/u.test(text) && BigInt(text) < 2n ** 64n;
}

function refuseRest(attributes: ReadonlyMap<string, Bytes>, kind: string): void {
  const [name] = attributes.keys();
  if (name !== undefined) throw refuse(`the ${kind} ${name} is not supported`);
}
