/** X-Wing against the test vectors of its draft: by the very KEM that hpke.ts seals and opens with. */
import { describe, expect, test } from 'vitest';
import { encodeHex, parseHex } from '../../src/crypto/bytes.ts';
import { KEM_MLKEM768_X25519 } from '../../src/crypto/hpke-suite.ts';
import { sealPublicKey } from '../../src/crypto/hpke.ts';
import { senderKem } from '../../src/crypto/xwing.ts';
import { readVectors, vectorsAbsent, vectorTitle } from '../support/vector-folder.ts';

type XWingVector = Readonly<Record<'seed' | 'sk' | 'pk' | 'eseed' | 'ct' | 'ss', string>>;

const vectors = readVectors<XWingVector[]>('xwing/test-vectors.json', []);

describe.skipIf(vectorsAbsent)(vectorTitle('X-Wing of draft-connolly-cfrg-xwing-kem'), () => {
  test('there are 3 of them', () => expect(vectors).toHaveLength(3));

  describe.each(vectors.map((vector, index) => ({ index, ...vector })))('vector $index', (vector) => {
    test('public key of the private one', async () => {
      expect(encodeHex(await sealPublicKey(parseHex(vector.sk)))).toBe(vector.pk);
    });

    test('encapsulation from its seed', async () => {
      const asked: number[] = [];
      const random = (length: number) => {
        asked.push(length);
        return parseHex(vector.eseed);
      };
      const kem = (await senderKem(random))();
      const { enc, shared_secret } = await kem.Encap(await kem.DeserializePublicKey(parseHex(vector.pk)));
      expect(encodeHex(enc)).toBe(vector.ct);
      expect(encodeHex(shared_secret)).toBe(vector.ss);
      expect(asked).toEqual([64]);
    });

    test('decapsulation', async () => {
      const kem = KEM_MLKEM768_X25519();
      const privateKey = await kem.DeserializePrivateKey(parseHex(vector.sk), false);
      const secret = await kem.Decap(parseHex(vector.ct), privateKey, undefined);
      expect(encodeHex(secret)).toBe(vector.ss);
    });
  });
});
