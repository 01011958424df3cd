/** Stored hooks that secrets name: those that are not there, that were not accepted, and old values that they could let go. docs/rotation.md. */
import { canRetire } from '../../format/hook.ts';
import { knownHooks, type StoredHook } from '../operations/hooks.ts';
import { pastGrace } from '../operations/rotation-target.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { finding, type Finding } from './finding.ts';
import type { SecretState } from './survey.ts';

/** Whether the user has accepted the commands of a policy's hook on this machine. */
export type IsAccepted = (hook: StoredHook) => Promise<boolean>;

/** By the hook that they name, in the order of the environments. */
interface Named {
  readonly environment: string;
  readonly id: string;
  readonly secrets: SecretState[];
}

/** @throws IntegrityError for an audit log that cannot be read to its end */
export async function examineHooks(
  scope: Scope,
  place: Place,
  states: readonly SecretState[],
  isAccepted: IsAccepted,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const retirable: SecretState[] = [];
  for (const { environment, id, secrets } of byHook(states)) {
    const where = { environment, names: secrets.map(({ name }) => name) };
    const stored = (await knownHooks(scope, environment)).get(id);
    if (stored === undefined) findings.push(finding('hook-missing', `the hook ${id} is not there`, where));
    // What a newer program has stored is there; more of it is not known.
    if (stored === undefined || stored === null) continue;
    if (canRetire(stored.definition)) retirable.push(...secrets);
    if (!(await isAccepted(stored)))
      findings.push(finding('hook-not-accepted', `the hook ${id} is not accepted here`, where));
  }
  return [...findings, ...graceFindings(await pastGrace(scope, place, retirable))];
}

function byHook(states: readonly SecretState[]): Named[] {
  const all = new Map<string, Named>();
  for (const state of states) {
    if (state.hook === null) continue;
    const { environment, hook: id } = state;
    const named = all.get(`${environment}\n${id}`) ?? { environment, id, secrets: [] };
    all.set(`${environment}\n${id}`, named);
    named.secrets.push(state);
  }
  return [...all.values()];
}

function graceFindings(past: readonly SecretState[]): Finding[] {
  return [...new Set(past.map(({ environment }) => environment))].map((environment) => {
    const names = past.filter((state) => state.environment === environment).map(({ name }) => name);
    const values = names.length === 1 ? 'an old value is' : `${names.length} old values are`;
    return finding('grace-over', `${values} past the time of grace and not let go`, {
      environment,
      names,
      ...(names.length === 1 ? {} : { hint: '`vault rotate --retire -e ENVIRONMENT`' }),
    });
  });
}
