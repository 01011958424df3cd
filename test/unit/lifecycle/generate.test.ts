/** Generated values: their form, that nothing of them is more likely than the rest, and specifications that are none. */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { describe, expect, test } from 'vitest';
import type { RandomSource } from '../../../src/crypto/aead.ts';
import { UsageError } from '../../../src/errors.ts';
import { generate, recipe } from '../../../src/lifecycle/generate.ts';
import { systemRandom } from '../../support/sample-vault.ts';

test.each([
  '',
  ':',
  'uuid:5',
  'uuid:',
  'password:',
  'password:3',
  'password:4097',
  'password:1e2',
  'password:32:',
  'password:32:x',
  'password:32:luds:',
  'passphrase:3',
  'passphrase:25',
  'passphrase:6:-',
  'hex:0',
  'hex:65537',
  'hex:16:16',
  'base64:-1',
  'ed25519:32',
  'rsa:1024',
  'rsa:16384',
  'HEX:16',
  'constructor:16',
  '__proto__',
  'password:8:constructor',
])('%j is refused', async (spec) => {
  await expect(generate(systemRandom, spec)).rejects.toThrow(UsageError);
});

const text = async (spec: string, random: RandomSource = systemRandom): Promise<string> =>
  Buffer.from(await generate(random, spec)).toString('utf8');

/** Bytes 0, 1, 2, …, 255, 0, …: every byte as often as every other, so that what is drawn without bias comes equally often. */
function counting(): RandomSource {
  let next = 0;
  return (length) => Uint8Array.from({ length }, () => next++ & 0xff);
}

test.each([
  ['password', /^[-_.~A-Za-z0-9]{32}$/u],
  ['password:40', /^[-_.~A-Za-z0-9]{40}$/u],
  ['password:8:lu', /^[A-Za-z]{8}$/u],
  ['hex:16', /^[0-9a-f]{32}$/u],
  ['base64:32', /^[A-Za-z0-9+/]{43}=$/u],
  ['base64url:32', /^[A-Za-z0-9_-]{43}$/u],
  ['uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u],
  ['passphrase', /^[a-z]{3,8}(?:-[a-z]{3,8}){5}$/u],
  ['passphrase:9', /^[a-z]{3,8}(?:-[a-z]{3,8}){8}$/u],
] as const)('%s has its form, and is another each time', async (spec, form) => {
  const drawn = await Promise.all(Array.from({ length: 20 }, async () => text(spec)));
  for (const one of drawn) expect(one).toMatch(form);
  expect(new Set(drawn).size).toBe(20);
});

test('of a password, each of the wanted classes occurs', async () => {
  for (let i = 0; i < 200; i++) {
    const drawn = await text('password:4');
    for (const form of [/[a-z]/u, /[A-Z]/u, /\d/u, /[-_.~]/u]) expect(drawn).toMatch(form);
  }
});

describe('nothing is more likely than the rest', () => {
  test.each([
    ['d', 10],
    ['l', 26],
    ['s', 4],
    ['lu', 52],
  ] as const)('in passwords of %s', async (classes, size) => {
    const random = counting();
    const counts = new Map<string, number>();
    // Every byte value comes equally often: a draw by remainder would prefer the first characters.
    for (const character of await text(`password:${classes === 'lu' ? 4_000 : 4_096}:${classes}`, random))
      counts.set(character, (counts.get(character) ?? 0) + 1);
    expect(counts.size).toBe(size);
    const [least, most] = [Math.min(...counts.values()), Math.max(...counts.values())];
    // One run of the 256 values more or less.
    expect(most - least).toBeLessThanOrEqual(Math.ceil(256 / size));
  });

  test('among the words of passphrases', async () => {
    const words: string[] = [];
    let next = 0;
    const random: RandomSource = (length) => {
      const bytes = new Uint8Array(length);
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < length; i += 2) view.setUint16(i, next++ & 0xffff);
      return bytes;
    };
    for (let i = 0; i < 65_536 / 16; i++) words.push(...(await text('passphrase:16', random)).split('-'));
    const counts = new Map<string, number>();
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual([...wordlist].sort());
    expect(new Set(counts.values())).toEqual(new Set([32]));
  });
});

test.each([
  ['ed25519', 'ed25519', undefined],
  ['rsa', 'rsa', 3_072],
  ['rsa:2048', 'rsa', 2_048],
] as const)('%s is a private key that signs, in PKCS #8', async (spec, type, bits) => {
  const pem = await text(spec);
  expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END PRIVATE KEY-----\n$/u);
  const key = createPrivateKey(pem);
  expect([key.asymmetricKeyType, key.asymmetricKeyDetails?.modulusLength]).toEqual([type, bits]);
  const message = Buffer.from('message');
  const algorithm = type === 'rsa' ? 'sha256' : null;
  expect(verify(algorithm, message, createPublicKey(key), sign(algorithm, message, key))).toBe(true);
  expect(await text(spec)).not.toBe(pem);
});

describe('what would be made is told without making it', () => {
  test.each([
    ['password:20:lud', '20 characters of lower case, upper case and digits', 119],
    ['password:6:d', '6 characters of digits', 19],
    ['passphrase', '6 words of 2,048', 66],
    ['hex:16', '16 bytes in hexadecimal', 128],
    ['base64:1', '1 byte in base64', 8],
    ['base64url', '32 bytes in base64url', 256],
    ['uuid', 'a random UUID', 122],
    ['ed25519', 'an Ed25519 private key in PEM', null],
    ['rsa:2048', 'an RSA private key of 2048 bits in PEM', null],
  ] as const)('%s', (spec, form, bits) => {
    expect(recipe(spec).shape).toEqual({ form, bits });
  });

  test('the bits of a password are those of all that satisfy the rule', () => {
    // Of two classes with four places: all, less those of one class alone.
    const count = 62 ** 4 - 36 ** 4 - 36 ** 4 - 52 ** 4 + 10 ** 4 + 26 ** 4 + 26 ** 4;
    expect(recipe('password:4:lud').shape.bits).toBe(Math.floor(Math.log2(count)));
  });
});
