/** What a principal may do, by environment. docs/format.md section 3, "header". Pure. */
import type { PrincipalEntry } from '../format/lines.ts';

/** Levels that are given for an environment; each of them implies `list`. */
export const environmentLevels = ['list', 'read', 'rotate', 'write', 'delete'] as const;
export type EnvironmentLevel = (typeof environmentLevels)[number];

export const levels = [...environmentLevels, 'admin'] as const;
export type Level = (typeof levels)[number];

/** Levels by environment id; one that is not there has none. `list` stands beside every other level. */
export type Rights = ReadonlyMap<string, ReadonlySet<EnvironmentLevel>>;

export function rightsOf(principal: PrincipalEntry): Rights {
  const rights = new Map<string, Set<EnvironmentLevel>>();
  for (const level of environmentLevels) {
    for (const environment of principal[level]) {
      const own = rights.get(environment) ?? new Set<EnvironmentLevel>(['list']);
      rights.set(environment, own.add(level));
    }
  }
  return rights;
}

export function widened(
  rights: Rights,
  given: readonly EnvironmentLevel[],
  environments: readonly string[],
): Rights {
  const wider = new Map(rights);
  for (const environment of environments)
    wider.set(environment, new Set([...(rights.get(environment) ?? []), ...given, 'list']));
  return wider;
}

/** Rights without these levels; without `list`, or where none are named, without anything. */
export function narrowed(
  rights: Rights,
  taken: readonly EnvironmentLevel[] | null,
  environments: readonly string[],
): Rights {
  const narrower = new Map(rights);
  for (const environment of environments) {
    const had = rights.get(environment);
    if (taken === null || taken.includes('list')) narrower.delete(environment);
    else if (had !== undefined)
      narrower.set(environment, new Set([...had].filter((level) => !taken.includes(level))));
  }
  return narrower;
}

/** Levels that are there before and not after, by environment. */
export function lostBetween(before: Rights, after: Rights): Map<string, Set<EnvironmentLevel>> {
  const lost = new Map<string, Set<EnvironmentLevel>>();
  for (const [environment, had] of before) {
    const now = after.get(environment);
    const gone = new Set([...had].filter((level) => now?.has(level) !== true));
    if (gone.size > 0) lost.set(environment, gone);
  }
  return lost;
}

/** The header's five lists, environments in header order; `read` stands for `list` as well. */
export function listsOf(
  rights: Rights,
  environments: readonly string[],
): Pick<PrincipalEntry, EnvironmentLevel> {
  const having = (level: EnvironmentLevel): string[] =>
    environments.filter((environment) => rights.get(environment)?.has(level) === true);
  const read = having('read');
  return {
    list: having('list').filter((environment) => !read.includes(environment)),
    read,
    rotate: having('rotate'),
    write: having('write'),
    delete: having('delete'),
  };
}
