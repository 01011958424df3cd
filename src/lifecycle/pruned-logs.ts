/** Up to where audit logs were pruned, each time, as a value of the policy: `LOG=LAST:DIGEST`, with commas. docs/format.md sections 9 and 12. */
import { parseBase64url } from '../crypto/bytes.ts';

/** Archives that begin earlier than that have to begin with a log. */
const kept = 500;

/** Of a log: the last record that was removed from its start. */
export interface PrunedLog {
  readonly log: string;
  readonly last: number;
  readonly digest: string;
}

/** `null` for text that is none. */
export function parsePrunedLogs(text: string): readonly PrunedLog[] | null {
  const entries = text.split(',').map(parseEntry);
  const sound = entries.filter((entry) => entry !== null);
  return sound.length === entries.length && new Set(text.split(',')).size === sound.length ? sound : null;
}

function parseEntry(text: string): PrunedLog | null {
  const [, log = '', last, digest = ''] = /^([\w-]{22})=([1-9]\d{0,15}):([\w-]{43})$/.exec(text) ?? [];
  const sound = parseBase64url(log)?.length === 16 && parseBase64url(digest)?.length === 32;
  return sound && Number.isSafeInteger(Number(last)) ? { log, last: Number(last), digest } : null;
}

/** Whether the value says that this log was pruned up to this record. */
export function saysPruned(text: string, { log, last, digest }: PrunedLog): boolean {
  return (
    parsePrunedLogs(text)?.some(
      (entry) => entry.log === log && entry.last === last && entry.digest === digest,
    ) ?? false
  );
}

/** The value with one entry more. */
export function withPrunedLog(text: string, { log, last, digest }: PrunedLog): string {
  const entry = `${log}=${last}:${digest}`;
  const others = text.split(',').filter((one) => one !== '' && one !== entry);
  return [...others, entry].slice(-kept).join(',');
}
