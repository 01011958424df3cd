/** Environments and compartments: listing, adding, removing, new keys. docs/format.md sections 3 and 4. */
import { AccessDeniedError, ConcurrencyError, UsageError } from '../../errors.ts';
import { limits } from '../../format/limits.ts';
import type { EnvironmentEntry } from '../../format/lines.ts';
import { newLabelProblem } from '../../format/name.ts';
import { matchesPattern } from '../../lifecycle/glob.ts';
import type { AccessDraft } from '../access-draft.ts';
import { keysSince } from '../exposure.ts';
import { openCarry } from '../new-environment.ts';
import type { Scope, WriteScope } from '../scope.ts';

export interface EnvironmentInfo {
  readonly name: string;
  /** What you may do there; `null` for nothing. */
  readonly level: 'list' | 'read' | null;
  /** The one that is meant where none is named. */
  readonly default: boolean;
  /** Number of its present keys. */
  readonly epoch: number;
  /** Since when it has them, where you may know. */
  readonly keysSince: string | null;
  readonly secrets: number | null;
}

/**
 * Whether a text means an environment: its name, or a pattern with wildcards. A compartment is not meant by the name of what it is in:
 * it has keys of its own so that it is given and taken by itself.
 */
export function meansEnvironment(text: string, name: string): boolean {
  return text === name || (/[*?]/u.test(text) && matchesPattern(text, name));
}

export async function listEnvironments(scope: Scope): Promise<EnvironmentInfo[]> {
  const meant = scope.entry(null).id;
  return Promise.all(
    scope.authority.header.environments.map(async (entry) => {
      const level = scope.authority.grantLevel(scope.identity.principal, entry.id);
      const common = { name: entry.name, level, default: entry.id === meant, epoch: entry.epoch };
      if (level === null) return { ...common, keysSince: null, secrets: null };
      const reader = await scope.readerOf(entry);
      const { policy } = await openCarry(scope.authority.domain, entry, reader.keys);
      const present = (await reader.entries()).filter((one) => one.removed === '');
      return { ...common, keysSince: keysSince(policy), secrets: present.length };
    }),
  );
}

function checkEnvironmentName(access: AccessDraft, name: string): void {
  const problem = newLabelProblem(name);
  if (problem !== null) throw new UsageError(`this cannot name an environment: ${problem}`);
  if (access.environments.length >= limits.environments)
    throw new UsageError(`a vault has at most ${limits.environments} environments`);
  if (name.split('/').includes('')) throw new UsageError('a compartment is ENVIRONMENT/NAME');
  const parent = name.split('/').slice(0, -1).join('/');
  if (parent !== '' && !access.environments.some((entry) => entry.name === parent))
    throw new UsageError(`${name} is a compartment of ${parent}, which is not there`);
  if (access.environments.some((entry) => entry.name === name))
    throw new ConcurrencyError(`there is an environment ${name} already`, {}, 'ALREADY_EXISTS');
}

/** A new environment with keys of its own; only administrators can open it until they grant it. */
export async function addEnvironment(scope: WriteScope, name: string): Promise<EnvironmentEntry> {
  const access = scope.administration();
  checkEnvironmentName(access, name);
  scope.trace.detail = `env add ${name}`;
  const entry = await access.addEnvironment(name);
  scope.trace.environment = entry.id;
  return entry;
}

/** Destroy an environment with everything in it. @throws AccessDeniedError for the last one, or one with compartments */
export function removeEnvironment(scope: WriteScope, name: string): EnvironmentEntry {
  const access = scope.administration();
  const entry = scope.entry(name);
  scope.trace.environment = entry.id;
  scope.trace.detail = `env rm ${name}`;
  const parts = access.environments.filter((other) => other.name.startsWith(`${name}/`));
  if (parts.length > 0) {
    const message = `${name} has compartments: ${parts.map((part) => part.name).join(', ')}`;
    throw new AccessDeniedError(message, { hint: 'remove those first' });
  }
  if (access.environments.length === 1)
    throw new AccessDeniedError(`${name} is the last environment`, { hint: 'a vault needs one' });
  access.removeEnvironment(entry.id);
  if (access.policy.get('environment.default') === entry.id) access.setPolicy('environment.default', null);
  return entry;
}

/** New keys for environments, all of them where none are named. Values are sealed anew; nobody's credential changes. */
export function rekeyEnvironments(scope: WriteScope, wanted: readonly string[]): string[] {
  const access = scope.administration();
  const chosen = access.environments.filter(
    ({ name }) => wanted.length === 0 || wanted.some((text) => meansEnvironment(text, name)),
  );
  if (chosen.length === 0) {
    const known = access.environments.map(({ name }) => name).join(', ');
    throw new UsageError(`there is no environment ${wanted.join(', ')}; this vault has ${known}`);
  }
  for (const { id } of chosen) access.rekey(id);
  const names = chosen.map(({ name }) => name);
  scope.trace.detail = `rekey ${names.join(', ')}`.slice(0, 250).toWellFormed();
  return names;
}
