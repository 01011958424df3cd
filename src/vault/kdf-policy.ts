/** What stretches a new passphrase, and how hard: as it is asked for, within the policy of the vault. docs/format.md section 12. */
import { UsageError } from '../errors.ts';
import {
  checkChosenKdf,
  defaultArgon2,
  defaultPbkdf2,
  type Argon2Parameters,
  type KdfParameters,
} from '../crypto/kdf.ts';
import type { StoredKdf } from '../format/lines.ts';
import { policyValue, type Policy } from '../lifecycle/policy.ts';

const functions = { argon2id: 'argon2id', 'pbkdf2-hmac-sha256': 'pbkdf2' } as const;

/**
 * Parameters of a new slot. @param wanted `null` for today's default, or what the present slots have where that is more work
 * @throws UsageError outside the bounds, or for a function that a policy which was set does not want
 */
export function kdfFor(
  policy: Policy,
  wanted: KdfParameters | null,
  present: readonly StoredKdf[] = [],
): KdfParameters {
  const kdf = wanted ?? nextKdf(policy, present);
  checkChosenKdf(kdf);
  const rule = policy.get('kdf.function');
  if (rule !== undefined && functions[kdf.name] !== rule)
    throw new UsageError(
      `the policy of this vault wants ${rule}`,
      { hint: `use --kdf ${rule}` },
      'WEAK_VALUE',
    );
  return kdf;
}

/** PBKDF2 gives way to Argon2id, unless the policy allows nothing else. */
function nextKdf(policy: Policy, present: readonly StoredKdf[]): KdfParameters {
  if (policyValue(policy, 'kdf.function') === 'pbkdf2') {
    const known = present.flatMap((kdf) => (kdf.name === 'pbkdf2-hmac-sha256' ? [kdf.iterations] : []));
    return { ...defaultPbkdf2, iterations: Math.max(defaultPbkdf2.iterations, ...known) };
  }
  let best: Argon2Parameters = defaultArgon2;
  for (const kdf of present) if (kdf.name === 'argon2id' && work(kdf) > work(best)) best = kdf;
  return best;
}

const work = (kdf: Argon2Parameters): number => kdf.memoryKiB * kdf.passes;
