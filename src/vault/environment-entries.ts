/** What a new header says of environments that keep their keys: public keys to seal to, and policy that stands sealed. docs/format.md section 3. */
import { AccessDeniedError, IntegrityError } from '../errors.ts';
import type { EnvironmentKeys } from '../access/environment-key.ts';
import type { RandomSource } from '../crypto/aead.ts';
import type { Domain } from '../crypto/pae.ts';
import type { Carry } from '../format/catalog.ts';
import type { EnvironmentEntry, PrincipalEntry } from '../format/lines.ts';
import { openCarry, sealCarry } from './new-environment.ts';
import { sealPublicKeyOf } from './value-line.ts';

export type PolicyChange = (present: Carry['policy']) => Carry['policy'];

/** The entry with the public key that others seal to, where somebody may add to the environment and not read it. */
export async function withSealKey(
  domain: Domain,
  entry: EnvironmentEntry,
  principals: readonly PrincipalEntry[],
  keysOf: () => Promise<EnvironmentKeys>,
): Promise<EnvironmentEntry> {
  const blind = principals.some(
    ({ rotate, write, read }) =>
      (rotate.includes(entry.id) || write.includes(entry.id)) && !read.includes(entry.id),
  );
  if (!blind && entry.sealPub === '') return entry;
  const keys = await keysOf();
  if (keys.environmentKey === null) throw new AccessDeniedError(`you may not read ${entry.name}`);
  const sealPub = await sealPublicKeyOf(domain, entry, keys.environmentKey);
  if (entry.sealPub !== '' && entry.sealPub !== sealPub)
    throw new IntegrityError(`${entry.name}: its public key is not its own`);
  return { ...entry, sealPub };
}

/** The entry with another sealed policy, under the same keys. */
export async function withSealedPolicy(
  domain: Domain,
  random: RandomSource,
  entry: EnvironmentEntry,
  keys: EnvironmentKeys,
  change: PolicyChange,
): Promise<EnvironmentEntry> {
  const content = await openCarry(domain, entry, keys);
  const policy = change(content.policy);
  return { ...entry, sealed: await sealCarry(domain, random, entry, keys, { ...content, policy }) };
}
