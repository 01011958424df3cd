/** Stored hooks that secrets name: those that are not there, that were not accepted, and old values that they could let go. docs/rotation.md. */
import { builtInHook, canRetire, type HookDefinition } from '../../format/hook.ts';
import { knownHooks, type StoredHook } from '../operations/hooks.ts';
import { pastGrace } from '../operations/rotation-target.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { finding, type Finding } from './finding.ts';
import type { SecretState } from './survey.ts';

/** What is known of hooks outside of the vault. */
export interface OwnHooks {
  /** Of the user's configuration, by id: they come before those of a policy. */
  readonly hooks: ReadonlyMap<string, HookDefinition>;
  /** Whether the user has accepted the commands of a policy's hook on this machine. */
  readonly isAccepted: (hook: StoredHook) => Promise<boolean>;
}

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
  own: OwnHooks,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const retirable: SecretState[] = [];
  for (const { environment, id, secrets } of byHook(states)) {
    const where = { environment, names: secrets.map(({ name }) => name) };
    const mine = own.hooks.get(id);
    const stored = mine === undefined ? (await knownHooks(scope, environment)).get(id) : undefined;
    const found = mine ?? (stored === undefined ? builtInHook(id) : stored?.definition);
    // What a newer program has stored is there; more of it is not known.
    if (found === undefined) continue;
    if (found === null) findings.push(finding('hook-missing', `the hook ${id} is not there`, where));
    else if (canRetire(found)) retirable.push(...secrets);
    if (stored?.definition.use === null && !(await own.isAccepted(stored)))
      findings.push(
        finding('hook-not-accepted', `the commands of the hook ${id} are not accepted here`, where),
      );
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
