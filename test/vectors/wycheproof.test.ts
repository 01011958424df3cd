/** The primitives against Project Wycheproof: valid inputs give the published output, invalid ones are refused. */
import { describe, expect, test } from 'vitest';
import { nonceLength, open, tagLength } from '../../src/crypto/aead.ts';
import { concatBytes, encodeHex, parseHex } from '../../src/crypto/bytes.ts';
import { hkdfSha256, hmacSha256 } from '../../src/crypto/hash.ts';
import { importSigningKey, importVerifyKey, isSmallOrder, sign, verify } from '../../src/crypto/signature.ts';
import { EncryptionError } from '../../src/errors.ts';
import { readWycheproof, type GroupedTest, vectorsAbsent, vectorTitle } from '../support/vector-folder.ts';

interface GcmGroup {
  readonly ivSize: number;
  readonly keySize: number;
  readonly tagSize: number;
}

type GcmTest = Readonly<Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag', string>>;

const gcm = readWycheproof<GroupedTest<GcmGroup, GcmTest>>('aes_gcm')
  .filter(({ group }) => group.ivSize === 96 && group.keySize === 256 && group.tagSize === 128)
  .map((vector) => vector.test);

// src/crypto/aead.ts pads what it seals, and no published text is padded its way: these go to Web Crypto itself, by the
// very parameters that aead.ts passes on. That aead.ts passes them is held by test/vectors/format.test.ts.
describe.skipIf(vectorsAbsent)(vectorTitle('AES-256-GCM, 96-bit nonce, 128-bit tag'), () => {
  const parameters = ({ iv, aad }: GcmTest) => ({
    name: 'AES-GCM',
    iv: parseHex(iv),
    additionalData: parseHex(aad),
    tagLength: tagLength * 8,
  });

  test('there are 66 of them', () => expect(gcm).toHaveLength(66));

  test.each(gcm)('$tcId $comment ($result)', async (vector) => {
    expect(parseHex(vector.iv)).toHaveLength(nonceLength);
    const key = await crypto.subtle.importKey('raw', parseHex(vector.key), 'AES-GCM', false, [
      'encrypt',
      'decrypt',
    ]);
    const text = parseHex(vector.ct + vector.tag);
    const opened = crypto.subtle.decrypt(parameters(vector), key, text);
    if (vector.result === 'invalid') {
      await expect(opened).rejects.toThrow();
      const sealed = concatBytes(parseHex(vector.iv), text);
      await expect(open(parseHex(vector.key), sealed, parseHex(vector.aad))).rejects.toThrow(EncryptionError);
      return;
    }
    expect(encodeHex(new Uint8Array(await opened))).toBe(vector.msg);
    const sealed = await crypto.subtle.encrypt(parameters(vector), key, parseHex(vector.msg));
    expect(encodeHex(new Uint8Array(sealed))).toBe(vector.ct + vector.tag);
  });
});

const ed25519 = readWycheproof<
 GroupedTest<  { readonly publicKey: { readonly pk: string } },
  { readonly msg: string; readonly sig: string }>
>('ed25519').map(({ group, test: vector }) => ({ ...vector, publicKey: group.publicKey.pk }));

describe.skipIf(vectorsAbsent)(vectorTitle('Ed25519 verification'), () => {
  test('there are 151 of them', () => expect(ed25519).toHaveLength(151));

  test.each(ed25519)('$tcId $comment $flags ($result)', async ({ publicKey, msg, sig, result }) => {
    expect(isSmallOrder(parseHex(publicKey))).toBe(false);
    const key = await importVerifyKey(parseHex(publicKey));
    expect(await verify(key, parseHex(sig), parseHex(msg))).toBe(result === 'valid');
  });
});

describe('Ed25519 signing, RFC 8032 section 7.1', () => {
  test.each([
    {
      name: 'TEST 1',
      seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      message: '',
      signature:
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    },
    {
      name: 'TEST 2',
      seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      message: '72',
      signature:
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    },
  ])('$name', async ({ seed, publicKey, message, signature }) => {
    const key = await importSigningKey(parseHex(seed));
    expect(encodeHex(key.publicKey)).toBe(publicKey);
    expect(encodeHex(await sign(key, parseHex(message)))).toBe(signature);
  });
});

const hkdf = readWycheproof<
 GroupedTest<  object,
  { readonly ikm: string; readonly salt: string; readonly info: string; readonly size: number; readonly okm: string }>
>('hkdf_sha256').map((vector) => vector.test);

describe.skipIf(vectorsAbsent)(vectorTitle('HKDF-SHA-256'), () => {
  test('there are 86 of them', () => expect(hkdf).toHaveLength(86));

  test.each(hkdf)('$tcId $comment $flags ($result)', async ({ ikm, salt, info, size, okm, result }) => {
    const derived = hkdfSha256(parseHex(ikm), parseHex(salt), parseHex(info), size);
    if (result === 'invalid') await expect(derived).rejects.toThrow();
    else expect(encodeHex(await derived)).toBe(okm);
  });
});

const hmac = readWycheproof<
 GroupedTest<  { readonly tagSize: number },
  { readonly key: string; readonly msg: string; readonly tag: string }>
>('hmac_sha256').map(({ group, test: vector }) => ({ ...vector, tagSize: group.tagSize }));

describe.skipIf(vectorsAbsent)(vectorTitle('HMAC-SHA-256'), () => {
  test('there are 174 of them', () => expect(hmac).toHaveLength(174));

  test.each(hmac)('$tcId $comment ($result, $tagSize bits)', async ({ key, msg, tag, tagSize, result }) => {
    const made = encodeHex(await hmacSha256(parseHex(key), parseHex(msg))).slice(0, tagSize / 4);
    if (result === 'valid') expect(made).toBe(tag);
    else expect(made).not.toBe(tag);
  });
});
