/** Who can unlock the vault and by what: what runs out, what is due, what would lock everybody out. */
import { IntegrityError } from '../../errors.ts';
import { defaultArgon2, defaultPbkdf2, weakKdfWarning } from '../../crypto/kdf.ts';
import type { EnvironmentEntry, StoredKdf } from '../../format/lines.ts';
import { expiryState, warningMs } from '../../lifecycle/due.ts';
import { policyValue } from '../../lifecycle/policy.ts';
import { credentialProblem } from '../credential-policy.ts';
import { keysSince } from '../exposure.ts';
import { openCarry } from '../new-environment.ts';
import { listAccess, type AccessEntry } from '../operations/access-list.ts';
import { offboardStatus, tokensToReissue } from '../operations/offboard.ts';
import type { Scope } from '../scope.ts';
import { finding, type Finding } from './finding.ts';

const dayMs = 86_400_000;

/** Since when an environment has its present keys, where that is known, and whether the policy wants new ones. */
export async function environmentKeys(
  scope: Scope,
  entry: EnvironmentEntry,
): Promise<{ readonly keysSince: string | null; readonly rekeyDue: boolean }> {
  const { keys } = await scope.readerOf(entry);
  const { policy } = await openCarry(scope.authority.domain, entry, keys);
  const since = keysSince(policy);
  const days = Number(policyValue(scope.policy, 'rekey.days'));
  const ageMs = since === null ? 0 : scope.now.getTime() - Date.parse(since);
  return { keysSince: since, rekeyDue: days > 0 && ageMs > days * dayMs };
}

export async function examineAccess(scope: Scope): Promise<Finding[]> {
  const all = listAccess(scope);
  return [
    ...principalFindings(scope, all),
    ...administratorFindings(all),
    ...ownFindings(scope),
    ...keysDue(scope, all),
    ...(await offboardingFindings(scope)),
  ];
}

function principalFindings(scope: Scope, all: readonly AccessEntry[]): Finding[] {
  const now = scope.now.getTime();
  const day = (time: string | null): string => time?.slice(0, 10) ?? '';
  return all.flatMap(({ name, state, expires, credentials }) => {
    const names = [name];
    if (state === 'expired')
      return [finding('access-expired', `access expired on ${day(expires)}`, { names })];
    return [
      ...(expiryState(expires, now, warningMs(scope.policy)) === 'live'
        ? []
        : [finding('access-expiring', `access expires on ${day(expires)}`, { names })]),
      ...(state === 'active' && credentials.length === 0
        ? [finding('no-credential', 'in the vault, and cannot unlock it', { names })]
        : []),
    ];
  });
}

function administratorFindings(all: readonly AccessEntry[]): Finding[] {
  const [first, ...others] = all.filter(({ admin, state }) => admin && state === 'active');
  if (first === undefined || others.length > 0 || first.credentials.includes('recovery')) return [];
  return [
    finding('single-administrator', 'the only administrator has no recovery key', { names: [first.name] }),
  ];
}

/** Of the credentials of whoever asks. */
function ownFindings(scope: Scope): Finding[] {
  const { document, authority, identity, now } = scope;
  const problem = credentialProblem(document, authority, identity, now);
  const due = problem === null ? [] : [finding('credential-due', problem.message, { hint: problem.hint })];
  const kdfs = document.slotsOf(identity.principal).map(({ value }) => value.kdf);
  return [...due, ...kdfs.flatMap(kdfFinding)];
}

function kdfFinding(kdf: StoredKdf): Finding[] {
  if (kdf.name === 'none') return [];
  const warning = weakKdfWarning(kdf);
  if (warning !== null) return [finding('kdf-weak', warning)];
  const below =
    kdf.name === 'argon2id'
      ? kdf.memoryKiB * kdf.passes < defaultArgon2.memoryKiB * defaultArgon2.passes
      : kdf.iterations < defaultPbkdf2.iterations;
  return below
    ? [finding('kdf-below-default', 'a passphrase of yours costs less to guess than a new one')]
    : [];
}

function keysDue(scope: Scope, all: readonly AccessEntry[]): Finding[] {
  const marked = all.flatMap(({ name, rekeyDue }) => (rekeyDue === null ? [] : [name]));
  const known = tokensToReissue(scope);
  return [
    ...(marked.length === 0
      ? []
      : [finding('keys-due', 'removed a credential, and has the keys still', { names: marked })]),
    ...(known.length === 0
      ? []
      : [finding('keys-due', 'a former administrator may know this token', { names: known })]),
  ];
}

/** None where a secret is damaged: that is told, and comes first. */
async function offboardingFindings(scope: Scope): Promise<Finding[]> {
  const { secrets } = await offboardStatus(scope, null).catch((error: unknown) => {
    if (error instanceof IntegrityError) return { secrets: [] };
    throw error;
  });
  return [...new Set(secrets.map(({ environment }) => environment))].map((environment) => {
    const own = secrets.filter((one) => one.environment === environment).map(({ name }) => name);
    const message = 'known to somebody who lost access, and not changed since';
    return finding('offboarding-open', message, { environment, names: [...new Set(own)] });
  });
}
