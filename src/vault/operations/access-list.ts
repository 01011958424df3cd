/** Who is there, what they may do, and how far they have come. */
import { isAwaited } from '../../access/header-rules.ts';
import { environmentLevels, rightsOf, type EnvironmentLevel } from '../../access/rights.ts';
import type { Scope } from '../scope.ts';

export interface AccessEntry {
  readonly name: string;
  readonly id: string;
  readonly state: 'active' | 'expired' | 'invited' | 'awaited' | 'joined';
  readonly admin: boolean;
  readonly you: boolean;
  readonly environments: Readonly<Record<string, readonly EnvironmentLevel[]>>;
  readonly credentials: readonly string[];
  readonly expires: string | null;
  /** Since when new keys are due, because a credential was removed and the keys stayed. */
  readonly rekeyDue: string | null;
}

export function listAccess(scope: Scope): AccessEntry[] {
  const { authority, document, identity } = scope;
  const names = new Map(authority.header.environments.map(({ id, name }) => [id, name]));
  const latest = [scope.now.toISOString(), document.snapshot.value.time].sort().at(-1) ?? '';
  return [...authority.principals].map((entry): AccessEntry => {
    const slots = document.slotsOf(entry.id).map(({ value }) => value);
    const environments = [...rightsOf(entry)].map(
      ([id, own]) => [names.get(id) ?? id, environmentLevels.filter((level) => own.has(level))] as const,
    );
    const arrived = document.bundleOf(entry.id) !== null;
    const waiting = isAwaited(entry)
      ? arrived
        ? 'joined'
        : entry.signPub === ''
          ? 'invited'
          : 'awaited'
      : null;
    const expired = entry.expires !== '' && latest > entry.expires;
    return {
      name: entry.name,
      id: entry.id,
      state: waiting ?? (expired ? 'expired' : 'active'),
      admin: authority.isAdmin(entry.id),
      you: entry.id === identity.principal,
      environments: Object.fromEntries(environments),
      credentials: slots.filter(({ type }) => type !== 'removed').map(({ type }) => type),
      expires: entry.expires === '' ? null : entry.expires,
      rekeyDue: slots.find(({ type }) => type === 'removed')?.hint ?? null,
    };
  });
}
