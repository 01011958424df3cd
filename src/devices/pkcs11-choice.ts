/**
 * Which token and which key a PKCS #11 URI means: one of each, or an error that names what was found. Labels and serials come from
 * the device and are shown quoted.
 */
import { UnlockError, UsageError } from '../errors.ts';
import { encodePkcs11Uri, type Pkcs11Uri } from '../format/pkcs11-uri.ts';
import type { PrivateKey, Token } from './pkcs11-listing.ts';

/** Those that sign the same way each time, in the words of pkcs11-tool, by type of key. */
const mechanisms: ReadonlyMap<string, string> = new Map([
  ['RSA', 'RSA-PKCS'],
  ['EC_EDWARDS', 'EDDSA'],
]);

/** `null` if the token is not there. @throws UsageError if several match */
export function chooseToken(tokens: readonly Token[], uri: Pkcs11Uri): Token | null {
  const matching = tokens.filter((token) => isMeant(token, uri));
  if (matching.length > 1)
    throw ambiguous('token', matching.map(nameOfToken), 'take one out, or name it by its serial');
  return matching[0] ?? null;
}

/** `null` for a key of a type that we do not use. */
export function mechanismOf({ type }: PrivateKey): string | null {
  return mechanisms.get(type) ?? null;
}

/** RFC 7512 section 2.5: every attribute that is there must be equal. */
function isMeant(token: Token, uri: Pkcs11Uri): boolean {
  const { label, manufacturer, model, serial, slot } = token;
  return (
    matches(uri.token, label) &&
    matches(uri.manufacturer, manufacturer) &&
    matches(uri.model, model) &&
    matches(uri.serial, serial) &&
    matches(uri.slotId, slot)
  );
}

/** Tokens pad with blanks what they say of themselves, and pkcs11-tool takes these off. */
function matches(wanted: string | null, found: string): boolean {
  return wanted === null || wanted.replace(/ +$/u, '') === found;
}

/** @throws UnlockError if it is not there; UsageError if several match or it cannot be used */
export function chooseKey(keys: readonly PrivateKey[], uri: Pkcs11Uri, token: Token): PrivateKey {
  const [key, ...more] = keys.filter(({ label, id }) => matches(uri.object, label) && matches(uri.id, id));
  if (key === undefined) {
    const found = keys.length === 0 ? 'it has none at all' : `it has ${keys.map(nameOfKey).join(', ')}`;
    throw new UnlockError(`${nameOfToken(token)} does not have the private key that is wanted`, {
      hint: found,
    });
  }
  if (more.length > 0) throw ambiguous('key', [key, ...more].map(nameOfKey), 'name one by id');
  if (mechanismOf(key) === null) {
    const why =
      key.type === 'EC' ? 'ECDSA, which signs differently each time' : key.type || 'of an unknown type';
    throw new UsageError(`the key ${nameOfKey(key)} is ${why}`, { hint: 'use an RSA or Ed25519 key' });
  }
  // pkcs11-tool finds the key that signs by its id alone, and takes the first.
  if (key.id === '')
    throw new UsageError(`the key ${nameOfKey(key)} has no id, so it cannot be pointed at`, {
      hint: 'give it one that no other key has: pkcs11-tool --set-id',
    });
  if (keys.filter(({ id }) => id === key.id).length > 1)
    throw new UsageError(`more than one private key of ${nameOfToken(token)} has the id ${key.id}`, {
      hint: 'give one of them another id: pkcs11-tool --set-id',
    });
  return key;
}

/** The error of a token that is not there. */
export function tokenIsMissing(uri: Pkcs11Uri, tokens: readonly Token[]): UnlockError {
  const found = tokens.length === 0 ? 'no token at all' : tokens.map(nameOfToken).join(', ');
  return new UnlockError(`the token of ${encodePkcs11Uri(uri)} is not there`, {
    hint: `found: ${found}; plug it in, or name its library in VAULT_PKCS11_MODULE`,
  });
}

function ambiguous(what: string, found: readonly string[], hint: string): UsageError {
  return new UsageError(`more than one ${what} matches: ${found.toSorted().join(', ')}`, { hint });
}

/** For messages. */
export function nameOfToken({ label, serial }: Token): string {
  return `the token ${JSON.stringify(label)} (serial ${JSON.stringify(serial)})`;
}

/** For messages. */
export function nameOfKey({ label, id }: PrivateKey): string {
  return `${JSON.stringify(label)} (${id === '' ? 'without id' : `id ${id}`})`;
}
