/** Showing and setting the policy of a vault. docs/format.md section 12. */
import { AccessDeniedError, UsageError } from '../../errors.ts';
import {
  policyRules,
  policyTable,
  policyValue,
  type Policy,
  type PolicyKey,
} from '../../lifecycle/policy.ts';
import { twoFactors } from '../credential-policy.ts';
import { environmentIntervals } from '../due-rules.ts';
import { openCarry } from '../new-environment.ts';
import type { Scope, WriteScope } from '../scope.ts';

export interface PolicyRule {
  readonly key: string;
  readonly value: string;
  readonly default: boolean;
  readonly meaning: string;
}

function known(key: string): PolicyKey {
  const found = policyTable.find((rule) => rule.key === key);
  if (found !== undefined) return found.key;
  throw new UsageError(`there is no policy ${key}`, { hint: '`vault policy show` lists them' });
}

function ruleOf(scope: Scope, key: PolicyKey, policy: Policy = scope.policy): PolicyRule {
  return {
    key,
    value: asText(scope, key, policy),
    default: !policy.has(key),
    meaning: policyTable.find((rule) => rule.key === key)?.meaning ?? '',
  };
}

/** An environment is stored by its id, and shown by its name; where none is stored, the one that is meant then. */
function asText(scope: Scope, key: PolicyKey, policy: Policy): string {
  const stored = policyValue(policy, key);
  if (key !== 'environment.default') return stored;
  const { environments } = scope.authority.header;
  return environments.find(({ id }) => id === stored)?.name ?? scope.meantBy(policy).name;
}

export function showPolicy(scope: Scope, key: string | null): PolicyRule[] {
  const keys = key === null ? policyTable.map((rule) => rule.key) : [known(key)];
  return keys.map((one) => ruleOf(scope, one));
}

/**
 * The rules that one environment may have of its own, sealed in it: as they apply there.
 * @throws UsageError for a rule of the whole vault
 */
export async function showEnvironmentPolicy(
  scope: Scope,
  environment: string,
  key: string | null,
): Promise<PolicyRule[]> {
  const reader = await scope.reader(environment);
  const { policy } = await openCarry(scope.authority.domain, reader.part.entry, reader.keys);
  return environmentKeys(key).map((one) => {
    const own = policy.find(([name]) => name === one)?.[1];
    return own === undefined ? ruleOf(scope, one) : { ...ruleOf(scope, one), value: own, default: false };
  });
}

/** @param value `default` takes the rule back: the vault's applies. @throws UsageError; AccessDeniedError for who is no administrator */
export async function setEnvironmentPolicy(
  scope: WriteScope,
  environment: string,
  key: string,
  value: string,
): Promise<PolicyRule> {
  const access = scope.administration();
  const [name = 'rotate.days'] = environmentKeys(key);
  const { id } = (await scope.reader(environment)).part.entry;
  scope.trace.environment = id;
  scope.trace.detail = `${name} ${value}`;
  if (value !== 'default') checkValue(name, value);
  access.changeSealedPolicy(id, (policy) => {
    const others = policy.filter(([one]) => one !== name);
    const all = value === 'default' ? others : [...others, [name, value] satisfies [string, string]];
    return all.sort(([a], [b]) => (a < b ? -1 : 1));
  });
  return value === 'default' ? ruleOf(scope, name) : { ...ruleOf(scope, name), value, default: false };
}

function environmentKeys(key: string | null): PolicyKey[] {
  const all: PolicyKey[] = [environmentIntervals];
  if (key === null || all.some((one) => one === known(key))) return all;
  throw new UsageError(`${key} is a rule of the whole vault`, { hint: 'leave out --env' });
}

function checkValue(name: PolicyKey, stored: string): void {
  if (policyRules[name].accepts(stored)) return;
  const values = policyTable.find((rule) => rule.key === name)?.values ?? '';
  throw new UsageError(`${name} takes ${values}`);
}

/** @param value `default` takes the rule back. @throws UsageError; AccessDeniedError for a rule that its setter does not meet */
export function setPolicy(scope: WriteScope, key: string, value: string): PolicyRule {
  const access = scope.administration();
  const name = known(key);
  scope.trace.detail = `${name} ${value}`;
  const policy = new Map(scope.policy);
  if (value === 'default') {
    access.setPolicy(name, null);
    policy.delete(name);
    return ruleOf(scope, name, policy);
  }
  const stored = name === 'environment.default' ? scope.entry(value).id : value;
  checkValue(name, stored);
  if (name.startsWith('factors.') && stored === '2') checkOwnFactors(scope);
  access.setPolicy(name, stored);
  policy.set(name, stored);
  return ruleOf(scope, name, policy);
}

/** Who demands two factors has two: else the next command of the only administrator would be refused. */
function checkOwnFactors(scope: WriteScope): void {
  const own = scope.document.slotsOf(scope.identity.principal);
  if (own.some(({ value }) => twoFactors.has(value.type))) return;
  const hint = 'add one first: `vault slot add --passphrase --key-file FILE`, or --pkcs11 URI';
  throw new AccessDeniedError('you have no credential of two factors yourself', { hint });
}
