/** Finishing a request: with the credential that it was made with, and with nothing that happens to be set. */
import { describe, expect, test } from 'vitest';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import { finishRequest } from '../../../src/vault/join-request.ts';
import { failureOf } from '../../support/failure.ts';
import { systemRandom } from '../../support/sample-vault.ts';
import { addBy, asOwner, finish, request, teamVault } from '../../support/team.ts';

describe('a request', () => {
  test('is not finished with another kind of credential, which is a failed unlock and no damage', async () => {
    const sample = await teamVault();
    const { place } = sample;
    const entrance = await request(place, 'ada', 'her own');
    await asOwner(sample, async (vault) => addBy(vault, 'ada', { can: 'read', env: 'staging' }, entrance));
    const token = {
      type: 'token',
      slot: encodeBase64url(systemRandom(8)),
      secret: systemRandom(32),
    } as const;
    const keyFile = systemRandom(32);
    for (const other of [token, { type: 'passphrase', passphrase: 'her own', keyFile } as const]) {
      const failure = await failureOf(
        finishRequest(place, async (attempt) => Promise.resolve(attempt > 1 ? null : other)),
      );
      expect(failure).toMatchObject({
        code: 'UNLOCK_FAILED',
        message: expect.stringMatching(/another kind/u) as unknown,
      });
    }
    expect(await finish(place, 'her own')).toBe('ada');
  });
});
