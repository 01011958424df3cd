/**
 * What the policy asks of the credential that has just opened the vault: two factors, an age. It binds programs that follow it, not
 * whoever reads the file with another: docs/threat-model.md.
 */
import { AccessDeniedError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import type { Identity } from '../access/bundle.ts';
import type { VaultDocument } from '../format/document.ts';
import type { SlotLine } from '../format/lines.ts';
import { policyValue, readPolicy } from '../lifecycle/policy.ts';

const dayMs = 86_400_000;

/** Operations by which a credential is put right, or which only look. */
const allowed: ReadonlySet<string> = new Set([
  'passwd',
  'recover',
  'slot-ls',
  'slot-add',
  'status',
  'doctor',
  'verify',
]);

const people: ReadonlySet<string> = new Set(['passphrase', 'passphrase+keyfile', 'pkcs11', 'age']);
/** Types of credentials that are two factors. */
export const twoFactors: ReadonlySet<string> = new Set(['passphrase+keyfile', 'pkcs11']);

/** How many factors the policy wants of a principal. */
function factorsWanted(authority: Authority, principal: string): 1 | 2 {
  const policy = readPolicy(authority.header.policy);
  const two =
    policyValue(policy, 'factors.everyone') === '2' ||
    (authority.isAdmin(principal) && policyValue(policy, 'factors.administrators') === '2');
  return two ? 2 : 1;
}

/** Whether a policy of two factors keeps a credential of this type from being used. */
export function isTooLittle(authority: Authority, principal: string, type: SlotLine['type']): boolean {
  return people.has(type) && !twoFactors.has(type) && factorsWanted(authority, principal) === 2;
}

/** Why nothing but `allowed` may be done with this credential, or `null`. */
export function credentialProblem(
  document: VaultDocument,
  authority: Authority,
  identity: Identity,
  now: Date,
): AccessDeniedError | null {
  const slot = document.slotsOf(identity.principal).find(({ value }) => value.id === identity.slot)?.value;
  if (slot === undefined || !people.has(slot.type)) return null;
  if (isTooLittle(authority, identity.principal, slot.type)) {
    const hint = 'set both at once: `vault passwd --key-file FILE`, or `vault slot add --pkcs11 URI`';
    return new AccessDeniedError('the policy of this vault wants two factors', { hint });
  }
  const days = Number(policyValue(readPolicy(authority.header.policy), 'passphrase.days'));
  const since = Date.parse(slot.hint);
  const age = Number.isNaN(since) ? 0 : (now.getTime() - since) / dayMs;
  if (days === 0 || slot.type === 'age' || slot.type === 'pkcs11' || age <= days) return null;
  const message = `your passphrase is ${Math.floor(age)} days old; the policy of this vault allows ${days}`;
  return new AccessDeniedError(message, { hint: 'change it: `vault passwd`' });
}

/** @throws AccessDeniedError for an operation that the policy forbids with this credential */
export function checkCredential(problem: AccessDeniedError | null, operation: string): void {
  if (problem !== null && !allowed.has(operation)) throw problem;
}
