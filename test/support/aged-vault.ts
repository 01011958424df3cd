/** A vault whose audit log has records of long ago: made by the core with a clock of that time. */
import path from 'node:path';
import { makeVault, placeIn, put, withVault, type SampleVault } from './sample-vault.ts';

const dayMs = 86_400_000;

/**
 * Records of two years ago, and after them some of 100 days ago.
 * @param file path of the vault, which the passphrase of binary vaults opens
 */
export async function agedVault(file: string): Promise<SampleVault> {
  let daysAgo = 730;
  const now = (): Date => new Date(Date.now() - daysAgo * dayMs);
  const sample = await makeVault(placeIn(path.dirname(file), { path: file, now }));
  await withVault(sample, async (vault) => {
    await put(vault, 'a', 'first');
    await put(vault, 'a', 'second');
    daysAgo = 100;
    await put(vault, 'a', 'third');
  });
  return { ...sample, place: { ...sample.place, now: () => new Date() } };
}
