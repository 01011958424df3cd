/** Keys belong to their owner: what is wiped is gone. */
import { expect, test } from 'vitest';
import { open, seal } from '../../../src/crypto/aead.ts';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { EncryptionError } from '../../../src/errors.ts';
import { systemRandom } from '../../support/sample-vault.ts';

const aad = utf8('aad');

test('a key that was wiped opens nothing any more', async () => {
  const key = systemRandom(32);
  const sealed = await seal(systemRandom, key, utf8('x'), aad);
  expect(await open(key, sealed, aad)).toEqual(utf8('x'));
  key.fill(0);
  await expect(open(key, sealed, aad)).rejects.toThrow(EncryptionError);
});
