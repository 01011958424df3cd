/**
 * HPKE against what others computed. RFC 9180 has no vectors for X-Wing, so its key schedule is held twice: the package
 * that hpke.ts uses, with the RFC's own KEM, against the RFC; and our suite against another library, byte for byte.
 */
import { Aes256Gcm, CipherSuite as OtherSuite, HkdfSha256 } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';
import { AEAD_AES_128_GCM, KEM_DHKEM_X25519_HKDF_SHA256, type KEMFactory } from 'hpke';
import { describe, expect, test } from 'vitest';
import { concatBytes, encodeHex, parseHex, utf8, type Bytes } from '../../src/crypto/bytes.ts';
import { CipherSuite, KDF_HKDF_SHA256 } from '../../src/crypto/hpke-suite.ts';
import { hpkeOpen, hpkeSeal, sealPublicKey } from '../../src/crypto/hpke.ts';

describe('RFC 9180 appendix A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode', () => {
  const vector = {
    info: '4f6465206f6e2061204772656369616e2055726e',
    skRm: '4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8',
    pkRm: '3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d',
    enc: '37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431',
    shared_secret: 'fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc',
    pt: '4265617574792069732074727574682c20747275746820626561757479',
    aad: '436f756e742d30',
    ct: 'f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
  };
  const options = { info: parseHex(vector.info), aad: parseHex(vector.aad) };

  test('opens', async () => {
    const suite = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_128_GCM);
    const privateKey = await suite.DeserializePrivateKey(parseHex(vector.skRm), true);
    const message = await suite.Open(privateKey, parseHex(vector.enc), parseHex(vector.ct), options);
    expect(encodeHex(message)).toBe(vector.pt);
  });

  test('seals, from the published secret', async () => {
    const kem = KEM_DHKEM_X25519_HKDF_SHA256();
    const published = { enc: parseHex(vector.enc), shared_secret: parseHex(vector.shared_secret) };
    const sender = (() => ({ ...kem, Encap: () => Promise.resolve(published) })) as KEMFactory;
    const suite = new CipherSuite(sender, KDF_HKDF_SHA256, AEAD_AES_128_GCM);
    const publicKey = await suite.DeserializePublicKey(parseHex(vector.pkRm));
    const { ciphertext } = await suite.Seal(publicKey, parseHex(vector.pt), options);
    expect(encodeHex(ciphertext)).toBe(vector.ct);
  });
});

describe('X-Wing, HKDF-SHA-256, AES-256-GCM, against @hpke/core', () => {
  const bytes = (length: number, first: number): Bytes =>
    Uint8Array.from({ length }, (_, index) => (first + index * 7) % 256);
  const info = utf8('info');
  const aad = utf8('aad');
  const other = new OtherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

  async function sealByOther(publicKey: Bytes, message: Bytes, encapsulationSeed: Bytes): Promise<Bytes> {
    const recipientPublicKey = await other.kem.importKey('raw', publicKey.slice(), true);
    const { enc, ct } = await other.seal(
      { recipientPublicKey, info, ekm: encapsulationSeed.slice() },
      message,
      aad,
    );
    return concatBytes(new Uint8Array(enc), new Uint8Array(ct));
  }

  async function openByOther(seed: Bytes, text: Bytes): Promise<Bytes> {
    const recipientKey = await other.kem.importKey('raw', seed.slice(), false);
    const enc = text.slice(0, 1_120);
    return new Uint8Array(await other.open({ recipientKey, enc, info }, text.slice(1_120), aad));
  }

  test.each([
    { length: 0, first: 1 },
    { length: 1, first: 2 },
    { length: 32, first: 3 },
    { length: 70_000, first: 4 },
  ])('$length bytes: the same text, and each opens the other', async ({ length, first }) => {
    const seed = bytes(32, first);
    const message = bytes(length, first + 100);
    const publicKey = await sealPublicKey(seed);
    const text = await hpkeSeal((count) => bytes(count, first + 50), publicKey, info, aad, message);
    expect(text).toHaveLength(1_120 + length + 16);
    expect(encodeHex(text)).toBe(encodeHex(await sealByOther(publicKey, message, bytes(64, first + 50))));
    expect(encodeHex(await openByOther(seed, text))).toBe(encodeHex(message));
    const theirs = await sealByOther(publicKey, message, bytes(64, first + 51));
    expect(encodeHex(await hpkeOpen(seed, info, aad, theirs))).toBe(encodeHex(message));
  });
});
