/** Durations and times as people write them. `90s 15m 12h 30d 1y`, ISO 8601. */
import { UsageError } from '../errors.ts';

const unitSeconds: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

/** Seconds of a duration. @throws UsageError */
export function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d{1,9})([smhdwy])$/.exec(text) ?? [];
  const seconds = Number(amount) * (unitSeconds[unit ?? ''] ?? Number.NaN);
  if (!Number.isSafeInteger(seconds) || seconds > 1_000 * 31_536_000) {
    throw new UsageError(
      `not a duration: ${JSON.stringify(text)}; write one such as 90s, 15m, 12h, 30d or 1y`,
    );
  }
  return seconds;
}

const named = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const;

/** A duration for people, in the largest unit of which it is a whole number. */
export function durationText(seconds: number): string {
  const [size, unit] = named.find(([one]) => seconds % one === 0) ?? [1, 'second'];
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** A moment: ISO 8601 (a date alone is its midnight in UTC), or a duration from `now`. @throws UsageError */
export function parseMoment(text: string, now: Date): Date {
  if (/^\d+[smhdwy]$/.test(text)) return new Date(now.getTime() + parseDuration(text) * 1_000);
  const iso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;
  const moment = iso.test(text) ? new Date(text) : new Date(Number.NaN);
  const exists =
    !Number.isNaN(moment.getTime()) && realDate(text.slice(0, 10)) && moment.toISOString().length === 24;
  if (!exists)
    throw new UsageError(
      `not a time: ${JSON.stringify(text)}; write 2027-01-31, 2027-01-31T12:00:00Z or a duration`,
    );
  return moment;
}

/** `new Date` turns 31 February into 3 March; a person who wrote that meant something else. */
function realDate(date: string): boolean {
  const midnight = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(date);
}
