/** The audit log as it stands in its file: nothing is checked. */
import { readFileSync } from 'node:fs';
import type { SignedRecord } from '../../src/format/audit-record.ts';
import type { Place } from '../../src/vault/place.ts';

export function records({ audit }: Pick<Place, 'audit'>): SignedRecord[] {
  const lines = readFileSync(audit.path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as SignedRecord);
}
