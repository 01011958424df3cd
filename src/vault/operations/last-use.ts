/** When a value of a secret was last handed out, as the audit log of this place has it: last use is derived, not stored. */
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { hashesOf } from './audit-names.ts';
import { disclosures, receivedOperations } from './disclosures.ts';
import { SecretNames } from './secret-names.ts';
import { findSecret } from './secret.ts';

export interface LastUse {
  readonly time: string;
  /** Name of the principal. */
  readonly by: string;
  readonly operation: string;
}

const received = [...receivedOperations].map((op) => Buffer.from(`"op":"${op}"`));

/** `null` where this log knows of none. @throws SecretNotFoundError */
export async function lastUse(
  scope: Scope,
  place: Place,
  environment: string | null,
  name: string,
): Promise<LastUse | null> {
  const { reader, entry } = await findSecret(scope, environment, name);
  const names = new SecretNames();
  names.add(reader.id, entry.secret, await hashesOf(scope, reader, name));
  const isUse = (record: Buffer): boolean => received.some((op) => record.includes(op));
  const { head } = scope.document.snapshot.value;
  for (const { how, environment: where, secret, record } of disclosures(place, head, names, isUse))
    if (how === 'received' && where === reader.id && secret === entry.secret)
      return { time: record.time, by: scope.authority.nameOf(record.principal), operation: record.op };
  return null;
}
