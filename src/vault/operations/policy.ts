/** Showing and setting the policy of a vault. docs/format.md section 12. */
import { AccessDeniedError, UsageError } from '../../errors.ts';
import { policyRules, policyTable, policyValue, type PolicyKey } from '../../lifecycle/policy.ts';
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

function ruleOf(scope: Scope, key: PolicyKey): PolicyRule {
  const stored = policyValue(scope.policy, key);
  return {
    key,
    value: asText(scope, key, stored),
    default: !scope.policy.has(key),
    meaning: policyTable.find((rule) => rule.key === key)?.meaning ?? '',
  };
}

/** An environment is stored by its id, and shown by its name. */
function asText(scope: Scope, key: PolicyKey, stored: string): string {
  if (key !== 'environment.default') return stored;
  const { environments } = scope.authority.header;
  return environments.find(({ id }) => id === stored)?.name ?? scope.entry(null).name;
}

export function showPolicy(scope: Scope, key: string | null): PolicyRule[] {
  const keys = key === null ? policyTable.map((rule) => rule.key) : [known(key)];
  return keys.map((one) => ruleOf(scope, one));
}

/** @param value `default` takes the rule back. @throws UsageError; AccessDeniedError for a rule that its setter does not meet */
export function setPolicy(scope: WriteScope, key: string, value: string): PolicyRule {
  const access = scope.administration();
  const name = known(key);
  scope.trace.detail = `${name} ${value}`.slice(0, 250).toWellFormed();
  const meaning = policyTable.find((rule) => rule.key === name)?.meaning ?? '';
  if (value === 'default') {
    access.setPolicy(name, null);
    return { key: name, value: policyRules[name].fallback, default: true, meaning };
  }
  const stored = name === 'environment.default' ? scope.entry(value).id : value;
  if (!policyRules[name].accepts(stored)) {
    const values = policyTable.find((rule) => rule.key === name)?.values ?? '';
    throw new UsageError(`${name} takes ${values}`);
  }
  if (name.startsWith('factors.') && stored === '2') checkOwnFactors(scope);
  access.setPolicy(name, stored);
  return { key: name, value, default: false, meaning };
}

/** Who demands two factors has two: else the next command of the only administrator would be refused. */
function checkOwnFactors(scope: WriteScope): void {
  const own = scope.document.slotsOf(scope.identity.principal);
  const two = own.some(({ value }) => value.type === 'passphrase+keyfile' || value.type === 'pkcs11');
  if (two) return;
  const hint = 'add one first: `vault slot add --passphrase --key-file FILE`';
  throw new AccessDeniedError('you have no credential of two factors yourself', { hint });
}
