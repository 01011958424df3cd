/**
 * Who received or brought which value, as the audit log of this place has it: the one reading for `audit who-saw` and `offboard`. What was
 * copied to another name or environment goes on under that one.
 */
import { isSigned, parseRecord, timeOf } from '../../audit/record.ts';
import { IntegrityError } from '../../errors.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import type { Line } from '../../format/json-line.ts';
import type { SignedRecord } from '../../format/audit-record.ts';
import { openLogReader } from '../../storage/log-file.ts';
import { linesBackward, type LogLine } from '../../storage/log-lines.ts';
import type { Place } from '../place.ts';
import type { SecretNames } from './secret-names.ts';

/** Operations that hand a value out. */
export const receivedOperations: ReadonlySet<string> = new Set([
  'get',
  'exec',
  'inject',
  'export',
  'sync',
  'rotate-resume',
  'rotate-old',
  'rotate-use',
]);
/** Operations whose principal brought the value, and so may know it. */
const brought: ReadonlySet<string> = new Set(['put', 'edit', 'rotate', 'rotate-stage', 'import']);
/** By how much the clocks of machines that share a log may differ. */
const clockToleranceMs = 24 * 3600 * 1000;
const signed = Buffer.from(',"sig":"');
const torn = Buffer.from('"op":"torn"');
const noWrite = Buffer.from('"to":""');

export interface Disclosure {
  readonly record: SignedRecord;
  readonly how: 'received' | 'brought';
  /** Id of the environment. */
  readonly environment: string;
  /** Id of the secret. */
  readonly secret: string;
  readonly version: number;
}

/**
 * Disclosures of these secrets, the latest first.
 * @param head D of the vault as it is now @param names of the secrets as they are now; used up
 * @param matters whether a record that is no write may be one: a look at its bytes, before it is parsed
 * @param since how far back to read: records from before may be left out, and a day's worth of them is not, for clocks differ
 */
export function* disclosures(
  place: Place,
  head: string,
  names: SecretNames,
  matters: (record: Buffer) => boolean,
  since = '',
): Generator<Disclosure, undefined> {
  const log = openLogReader(place.fs, place.audit.path);
  if (log === null) return undefined;
  try {
    for (const { raw, newer, older } of signedBackward(linesBackward(log), earliestFor(since))) {
      const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
      if (bytes.includes(noWrite) && !matters(bytes)) continue;
      const { value } = parseSigned(raw);
      if (!value.ok) continue;
      const made = madeVault(value, newer, older, head);
      const how = receivedOperations.has(value.op)
        ? 'received'
        : brought.has(value.op) && made
          ? 'brought'
          : null;
      for (const [environment, hash, version] of value.secrets) {
        const secret = names.secretOf(environment, hash);
        // An operation that found no version has handed out none.
        if (secret !== null && how !== null && version > 0)
          yield { record: value, how, environment, secret, version };
      }
      if (made) names.before(value);
    }
  } finally {
    log.close();
  }
  return undefined;
}

function earliestFor(since: string): string {
  return since === '' ? '' : new Date(Date.parse(since) - clockToleranceMs).toISOString();
}

/** A record and its neighbours. */
interface Between {
  readonly raw: Bytes;
  readonly newer: Bytes | null;
  readonly older: Bytes | null;
}

/** Signed records that say something of the vault, the last one first. */
function* signedBackward(lines: Iterable<LogLine>, earliest: string): Generator<Between, undefined> {
  let newer: Bytes | null = null;
  let here: Bytes | null = null;
  for (const { raw: older } of lines) {
    const bytes = Buffer.from(older.buffer, older.byteOffset, older.length);
    if (!bytes.includes(signed) || bytes.includes(torn)) continue;
    if (earliest !== '' && (timeOf(older) ?? earliest) < earliest) break;
    if (here !== null) yield { raw: here, newer, older };
    [newer, here] = [here, older];
  }
  if (here !== null) yield { raw: here, newer, older: null };
  return undefined;
}

function parseSigned(raw: Bytes): Line<SignedRecord> {
  const line = parseRecord(raw);
  if (!isSigned(line)) throw new IntegrityError('audit log: a record is not what it looks like');
  return line;
}

/**
 * Whether what a record says that it would make of the vault was made of it: from what the one before had left, and then the next one
 * found it so, or found that it was replaced since. A trial makes nothing, nor does a write that was killed.
 */
function madeVault(record: SignedRecord, newer: Bytes | null, older: Bytes | null, head: string): boolean {
  const { from, to } = record;
  if (to === '' || to === from) return false;
  const before = older === null ? null : parseSigned(older).value;
  const left = before === null || before.op === 'prune' ? from : before.to === '' ? before.from : before.to;
  if (left !== from) return false;
  if (newer === null) return to === head;
  const { value } = parseSigned(newer);
  return value.op === 'replaced' || value.from === to;
}
