/** Findings of an environment from what can be told of its secrets without their values. */
import { databaseHint, finding, type Finding, type FindingDetails } from './finding.ts';
import type { FindingId } from './finding-kinds.ts';
import type { SecretState, Survey } from './survey.ts';

const hourMs = 3_600_000;

/** `3 secrets have expired`. */
function told(count: number, one: string, many: string): string {
  return count === 1 ? `a secret ${one}` : `${count} secrets ${many}`;
}

export function secretFindings(environment: string, { states, damaged }: Survey, now: Date): Finding[] {
  const named = (
    id: FindingId,
    one: string,
    many: string,
    names: readonly string[],
    more: FindingDetails = {},
  ): Finding[] =>
    names.length === 0 ? [] : [finding(id, told(names.length, one, many), { environment, names, ...more })];
  const those = (is: (state: SecretState) => boolean): string[] => states.filter(is).map(({ name }) => name);
  return [
    ...named('secret-damaged', 'does not hold together', 'do not hold together', damaged),
    ...named(
      'secret-expired',
      'has expired',
      'have expired',
      those(({ expiry }) => expiry === 'expired'),
    ),
    ...named(
      'secret-expiring',
      'expires soon',
      'expire soon',
      those(({ expiry }) => expiry === 'expiring'),
    ),
    ...named(
      'rotation-overdue',
      'is due for rotation',
      'are due for rotation',
      those(({ overdue }) => overdue),
    ),
    ...[false, true].flatMap((isDatabase) =>
      named(
        'never-rotated',
        'was never rotated',
        'were never rotated',
        those(
          ({ neverRotated, overdue, type }) =>
            neverRotated && !overdue && isDatabase === (type === 'database-credential'),
        ),
        isDatabase ? { hint: databaseHint } : {},
      ),
    ),
    ...pendingFindings(states, now),
  ];
}

function pendingFindings(states: readonly SecretState[], now: Date): Finding[] {
  return states.flatMap(({ pending }) => {
    if (pending === null) return [];
    const { name, environment, by, since } = pending;
    const isFresh = now.getTime() - Date.parse(since) < hourMs;
    const message = `a rotation by ${by} since ${since} has not ended`;
    return [
      finding(isFresh ? 'rotation-under-way' : 'rotation-pending', message, { environment, names: [name] }),
    ];
  });
}
