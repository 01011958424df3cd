/** Who received a value, or brought it, and where, when and by which program or job. */
import type { AuditContext, SignedRecord } from '../../format/audit-record.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { hashesOf } from './audit-names.ts';
import { disclosures, type Disclosure } from './disclosures.ts';
import { SecretNames } from './secret-names.ts';
import { checkName } from './secret.ts';

export interface Sighting {
  readonly principal: string;
  readonly how: Disclosure['how'];
  readonly environment: string;
  readonly context: AuditContext;
  readonly operations: readonly string[];
  readonly versions: readonly number[];
  readonly times: number;
  readonly first: string;
  readonly last: string;
}

export interface WhoSawOptions {
  /** Environment by name, or `null` for all that the principal can list. */
  readonly environment: string | null;
  readonly name: string;
  readonly version: number | null;
}

/** What is being gathered of one principal at one place in one program or job. */
interface Gathered {
  readonly record: SignedRecord;
  readonly environment: string;
  readonly how: Sighting['how'];
  readonly operations: Set<string>;
  readonly versions: Set<number>;
  times: number;
  first: string;
}

/** Sightings, the latest first. */
export async function whoSaw(scope: Scope, place: Place, options: WhoSawOptions): Promise<Sighting[]> {
  checkName(options.name);
  const names = await namesOf(scope, options);
  const gathered = new Map<string, Gathered>();
  const { head } = scope.document.snapshot.value;
  const mentions = (record: Buffer): boolean => {
    for (const hash of names.hashes()) if (record.includes(hash)) return true;
    return false;
  };
  for (const one of disclosures(place, head, names, mentions))
    if ((options.version ?? one.version) === one.version) gather(gathered, one);
  return [...gathered.values()].map((one) => sightingOf(scope, one));
}

/** The name stands for whatever secret has it in each environment. */
async function namesOf(scope: Scope, { environment, name }: WhoSawOptions): Promise<SecretNames> {
  const names = new SecretNames();
  const entries = environment === null ? scope.accessible() : [scope.entry(environment)];
  for (const entry of entries)
    names.add(entry.id, name, await hashesOf(scope, await scope.readerOf(entry), name));
  return names;
}

function gather(gathered: Map<string, Gathered>, { record, how, environment, version }: Disclosure): void {
  const { op, principal, context, time } = record;
  const key = JSON.stringify([how, environment, principal, context]);
  const known = gathered.get(key);
  if (known === undefined) {
    const sets = { operations: new Set([op]), versions: new Set([version]) };
    gathered.set(key, { record, environment, how, ...sets, times: 1, first: time });
    return;
  }
  known.operations.add(op);
  known.versions.add(version);
  known.times += 1;
  known.first = time;
}

function sightingOf({ authority }: Scope, one: Gathered): Sighting {
  const { record, environment, how, operations, versions, times, first } = one;
  return {
    principal: authority.nameOf(record.principal),
    how,
    environment: authority.header.environments.find(({ id }) => id === environment)?.name ?? environment,
    context: record.context,
    operations: [...operations].sort(),
    versions: [...versions].sort((a, b) => a - b),
    times,
    first,
    last: record.time,
  };
}
