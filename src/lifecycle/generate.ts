/** Generated values: unbiased, from the system's generator. SPEC of `commands.md`. */
import { UsageError } from '../errors.ts';
import type { RandomSource } from '../crypto/aead.ts';
import { encodeBase64url, encodeHex, utf8, type Bytes } from '../crypto/bytes.ts';
import type { SecretType } from '../format/secret-type.ts';

const classes: Readonly<Record<string, string>> = {
  l: 'abcdefghijklmnopqrstuvwxyz',
  u: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  d: '0123456789',
  // Specials that need no quoting in a URL's userinfo, a shell's double quotes, YAML or dotenv.
  s: '-_.~',
};

export const defaultGenerator = 'password:32';

const classNames: Readonly<Record<string, string>> = {
  l: 'lower case',
  u: 'upper case',
  d: 'digits',
  s: 'specials',
};

/** Types that random characters make sense for; of a database credential they are the password. */
const fit: ReadonlySet<SecretType> = new Set([
  'password',
  'token',
  'api-key',
  'database-credential',
  'other',
]);

/** Whether the default generator makes values of this type. */
export const fitsGenerator = (type: SecretType): boolean => fit.has(type);

const sizeless: ReadonlySet<string> = new Set(['uuid', 'ed25519']);

export const generators = [
  'password[:LENGTH[:luds]]',
  'passphrase[:WORDS]',
  'hex:BYTES',
  'base64:BYTES',
  'base64url:BYTES',
  'uuid',
  'ed25519',
  'rsa[:BITS]',
] as const;

/** Uniform integers below `bound` (at most 256), by rejection: no value is more likely than another. */
function* uniformBelow(random: RandomSource, bound: number): Generator<number, never> {
  const limit = 256 - (256 % bound);
  for (;;) {
    for (const byte of random(64)) if (byte < limit) yield byte % bound;
  }
}

function number(
  text: string | undefined,
  fallback: number,
  least: number,
  most: number,
  what: string,
): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new UsageError(`${what}: ${least} to ${most}, got ${JSON.stringify(text)}`);
  return value;
}

/** Which classes are wanted, each once. @throws UsageError */
function kindsOf(wanted: string, length: number): readonly string[] {
  const kinds = [...new Set(wanted)];
  if (kinds.length === 0 || kinds.some((kind) => !Object.hasOwn(classes, kind))) {
    throw new UsageError(
      'the classes of a password are some of l (lower), u (upper), d (digit), s (special)',
    );
  }
  if (length < kinds.length)
    throw new UsageError('the password is too short for one character of each class');
  return kinds;
}

const alphabetOf = (kinds: readonly string[]): string => kinds.map((kind) => classes[kind]).join('');

function password(random: RandomSource, length: number, kinds: readonly string[]): string {
  const alphabet = alphabetOf(kinds);
  // Drawn whole and drawn again until every class occurs: uniform over all passwords that satisfy the rule.
  const places = uniformBelow(random, alphabet.length);
  for (;;) {
    const drawn = Array.from({ length }, () => alphabet[places.next().value] ?? '').join('');
    if (kinds.every((kind) => Array.from(classes[kind] ?? '').some((character) => drawn.includes(character))))
      return drawn;
  }
}

/** Logarithm of how many passwords have every class: of all those without some, added and taken away in turn (inclusion and exclusion). */
function passwordBits(kinds: readonly string[], length: number): number {
  const all = alphabetOf(kinds).length;
  let share = 0;
  for (let without = 0; without < 2 ** kinds.length; without++) {
    const left = kinds.filter((_, index) => (without & (1 << index)) === 0);
    const sign = (kinds.length - left.length) % 2 === 0 ? 1 : -1;
    share += sign * (alphabetOf(left).length / all) ** length;
  }
  return length * Math.log2(all) + Math.log2(share);
}

function uuid(random: RandomSource): string {
  // RFC 9562 section 5.4: version 4.
  const bytes = random(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return encodeHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Words of the English list of BIP 39, 11 bits each. Its 2,048 words differ in their first four letters. */
async function passphrase(random: RandomSource, count: number): Promise<string> {
  const { wordlist } = await import('@scure/bip39/wordlists/english.js');
  const drawn = new DataView(random(2 * count).buffer);
  // 2,048 divides 65,536: no word is more likely than another.
  return Array.from({ length: count }, (_, i) => wordlist[drawn.getUint16(2 * i) % wordlist.length]).join(
    '-',
  );
}

/** A private key as PKCS #8 (RFC 5958) in PEM; the public one follows from it. By the runtime, which takes no randomness from outside. */
async function privateKey(kind: 'ed25519' | 'rsa', bits: number): Promise<string> {
  const { generateKeyPairSync } = await import('node:crypto');
  const made =
    kind === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: bits }) : generateKeyPairSync('ed25519');
  return made.privateKey.export({ type: 'pkcs8', format: 'pem' });
}

/** What a generator makes, without making it. */
export interface Shape {
  /** For people: `20 characters of lower case, upper case and digits`. */
  readonly form: string;
  /** How many bits of randomness are in it; `null` for a key whose strength is not its number of bits. */
  readonly bits: number | null;
}

export interface Recipe {
  readonly shape: Shape;
  /** Caller wipes. */
  readonly make: (random: RandomSource) => Promise<Bytes>;
}

const text =
  (make: (random: RandomSource) => string | Promise<string>): Recipe['make'] =>
  async (random) =>
    utf8(await make(random));

function encoded(size: string | undefined, name: string, encode: (bytes: Bytes) => string): Recipe {
  const length = number(size, 32, 1, 65_536, 'bytes');
  return {
    shape: { form: `${counted(length, 'byte')} in ${name}`, bits: 8 * length },
    make: text((random) => encode(random(length))),
  };
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function passwordRecipe(size: string | undefined, wanted: string): Recipe {
  const length = number(size, 32, 4, 4_096, 'password length');
  const kinds = kindsOf(wanted, length);
  return {
    shape: {
      form: `${counted(length, 'character')} of ${list(kinds.map((kind) => classNames[kind] ?? ''))}`,
      bits: Math.floor(passwordBits(kinds, length)),
    },
    make: text((random) => password(random, length, kinds)),
  };
}

const list = (words: readonly string[]): string => words.join(', ').replace(/, (?=[^,]*$)/u, ' and ');

/** @throws UsageError for what is no SPEC */
export function recipe(spec: string): Recipe {
  const [kind = '', size, ...rest] = spec.split(':');
  if (rest.length > (kind === 'password' ? 1 : 0) || (sizeless.has(kind) && size !== undefined))
    throw new UsageError(`not a generator: ${JSON.stringify(spec)}`);
  switch (kind) {
    case 'password':
      return passwordRecipe(size, rest[0] ?? 'luds');
    case 'hex':
      return encoded(size, 'hexadecimal', encodeHex);
    case 'base64':
      return encoded(size, 'base64', (bytes) => Buffer.from(bytes).toString('base64'));
    case 'base64url':
      return encoded(size, 'base64url', encodeBase64url);
    case 'passphrase': {
      const words = number(size, 6, 4, 24, 'words');
      return {
        shape: { form: `${words} words of 2,048`, bits: 11 * words },
        make: text(async (random) => passphrase(random, words)),
      };
    }
    case 'ed25519':
      return {
        shape: { form: 'an Ed25519 private key in PEM', bits: null },
        make: text(async () => privateKey(kind, 0)),
      };
    case 'rsa': {
      const modulus = number(size, 3_072, 2_048, 8_192, 'bits');
      return {
        shape: { form: `an RSA private key of ${modulus} bits in PEM`, bits: null },
        make: text(async () => privateKey(kind, modulus)),
      };
    }
    case 'uuid':
      return { shape: { form: 'a random UUID', bits: 122 }, make: text(uuid) };
    default:
      throw new UsageError(`not a generator: ${JSON.stringify(spec)}; there are ${generators.join(', ')}`);
  }
}

/** Generate a value by its SPEC; caller wipes. @throws UsageError */
export async function generate(random: RandomSource, spec: string): Promise<Bytes> {
  return recipe(spec).make(random);
}
