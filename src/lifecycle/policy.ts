/** The policy of a vault: the one table of keys, values and defaults. docs/format.md section 12. */
import { IntegrityError } from '../errors.ts';
import { parseBase64url } from '../crypto/bytes.ts';

interface Rule {
  readonly fallback: string;
  /** Whether a stored value is one that this program knows. */
  readonly accepts: (value: string) => boolean;
}

const decimal = (least: number, most: number) => (value: string) =>
  /^(0|[1-9]\d{0,15})$/.test(value) && Number(value) >= least && Number(value) <= most;

export const policyRules = {
  'environment.default': { fallback: '', accepts: (value) => parseBase64url(value)?.length === 8 },
  'retention.versions': { fallback: '100', accepts: decimal(1, 10_000) },
} as const satisfies Record<string, Rule>;

export type PolicyKey = keyof typeof policyRules;

export type Policy = ReadonlyMap<PolicyKey, string>;

/** @throws IntegrityError NEWER_FORMAT for a key or value that this program does not know. */
export function readPolicy(stored: readonly (readonly [string, string])[]): Policy {
  const policy = new Map<PolicyKey, string>();
  const rules: Readonly<Record<string, Rule>> = policyRules;
  for (const [key, value] of stored) {
    if (!Object.hasOwn(rules, key) || rules[key]?.accepts(value) !== true) {
      throw new IntegrityError(
        `the vault has a policy (${key}) that this program does not know`,
        {},
        'NEWER_FORMAT',
      );
    }
    policy.set(key as PolicyKey, value);
  }
  return policy;
}

export function policyValue(policy: Policy, key: PolicyKey): string {
  return policy.get(key) ?? policyRules[key].fallback;
}
