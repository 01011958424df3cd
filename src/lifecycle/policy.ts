/** The policy of a vault: the one table of keys, values and defaults. docs/format.md section 12. */
import { IntegrityError } from '../errors.ts';
import { parseBase64url } from '../crypto/bytes.ts';
import { parseIntervals } from './rotation-intervals.ts';
import { parsePrunedLogs } from './pruned-logs.ts';

interface Rule {
  readonly fallback: string;
  /** Which values it takes, for people. */
  readonly values: string;
  readonly meaning: string;
  /** Whether a stored value is one that this program knows. */
  readonly accepts: (value: string) => boolean;
  /** Kept by the program, not set by people. */
  readonly internal?: true;
}

const decimal = (least: number, most: number) => (value: string) =>
  /^(0|[1-9]\d{0,15})$/.test(value) && Number(value) >= least && Number(value) <= most;

export const policyRules = {
  'audit.days': {
    fallback: '365',
    values: '0 to 36500',
    meaning: 'for how many days audit records are kept at least; 0: for ever',
    accepts: decimal(0, 36_500),
  },
  'audit.pruned': {
    fallback: '',
    values: 'last removed records of logs',
    meaning: 'up to where audit logs were pruned; kept by the program',
    accepts: (value) => parsePrunedLogs(value) !== null,
    internal: true,
  },
  'environment.default': {
    fallback: '',
    values: 'an environment',
    meaning: 'the environment that is meant where none is named',
    accepts: (value) => parseBase64url(value)?.length === 8,
  },
  'expiry.days': {
    fallback: '30',
    values: '0 to 3650',
    meaning: 'for how many days before its end a secret is said to expire; a certificate is renewed then',
    accepts: decimal(0, 3_650),
  },
  'factors.administrators': {
    fallback: '1',
    values: '1 or 2',
    meaning: 'how many factors administrators unlock with',
    accepts: decimal(1, 2),
  },
  'factors.everyone': {
    fallback: '1',
    values: '1 or 2',
    meaning: 'how many factors people unlock with; tokens and recovery keys are apart',
    accepts: decimal(1, 2),
  },
  'kdf.function': {
    fallback: 'argon2id',
    values: 'argon2id or pbkdf2',
    meaning: 'how new passphrases are stretched',
    accepts: (value) => value === 'argon2id' || value === 'pbkdf2',
  },
  'passphrase.days': {
    fallback: '0',
    values: '0 to 3650',
    meaning: 'after how many days a passphrase must be changed; 0: never',
    accepts: decimal(0, 3_650),
  },
  'rekey.days': {
    fallback: '0',
    values: '0 to 3650',
    meaning: 'after how many days environments need new keys; 0: never',
    accepts: decimal(0, 3_650),
  },
  'retention.days': {
    fallback: '0',
    values: '0 to 36500',
    meaning: 'for how many days a replaced version is kept; 0: for ever',
    accepts: decimal(0, 36_500),
  },
  'retention.versions': {
    fallback: '100',
    values: '1 to 10000',
    meaning: 'how many versions of each secret are kept',
    accepts: decimal(1, 10_000),
  },
  'rotate.days': {
    fallback: '0',
    values: 'days, type=days',
    meaning:
      'after how many days secrets are rotated, of all types or one: 90,api-key=30; 0: never; with --env of one environment',
    accepts: (value) => parseIntervals(value) !== null,
  },
  'tokens.reissue': {
    fallback: '',
    values: 'ids of tokens',
    meaning: 'tokens that a removed administrator may know; kept by the program',
    accepts: (value) => value.split(',').every((id) => parseBase64url(id)?.length === 8),
    internal: true,
  },
} as const satisfies Record<string, Rule>;

export type PolicyKey = keyof typeof policyRules;

/** The rules that people set, in order. */
export const policyTable = Object.entries<Rule>(policyRules)
  .filter(([, rule]) => rule.internal !== true)
  .map(([key, { fallback, values, meaning }]) => ({ key: key as PolicyKey, fallback, values, meaning }));

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
