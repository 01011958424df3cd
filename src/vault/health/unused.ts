/**
 * Secrets that nobody has received for a while, as the audit log of this place has it. Where it does not reach back so far, what was not
 * seen in it is not known to be unused.
 */
import { sequenceOf, timeOf } from '../../audit/record.ts';
import { openLogReader } from '../../storage/log-file.ts';
import { linesForward } from '../../storage/log-lines.ts';
import { auditKeysOf, hashesBy } from '../operations/audit-names.ts';
import { disclosures, receivedOperations } from '../operations/disclosures.ts';
import { SecretNames } from '../operations/secret-names.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { finding, type Finding } from './finding.ts';
import type { SecretState } from './survey.ts';

const dayMs = 86_400_000;
const unusedDays = 90;

export interface Unused {
  /** How many are known to be unused; `null` where the log does not reach back. */
  readonly count: number | null;
  readonly findings: readonly Finding[];
}

export async function findUnused(
  scope: Scope,
  place: Place,
  states: readonly SecretState[],
): Promise<Unused> {
  const since = new Date(scope.now.getTime() - unusedDays * dayMs).toISOString();
  const old = states.filter(({ created }) => created < since);
  if (old.length === 0) return { count: 0, findings: [] };
  const used = await usedSince(scope, place, old, since);
  const unused = old.filter((state) => !used.has(keyOf(state)));
  const begins = firstTime(place);
  const reaches = begins !== null && begins <= since;
  const environments = [...new Set(unused.map(({ environment }) => environment))];
  const findings = environments.map((environment) => {
    const names = unused.filter((state) => state.environment === environment).map(({ name }) => name);
    const where = { environment, names };
    const secrets = names.length === 1 ? 'a secret was' : `${names.length} secrets were`;
    if (reaches) return finding('secret-unused', `${secrets} not read here for ${unusedDays} days`, where);
    const log =
      begins === null ? 'there is no audit log here' : `the audit log here begins ${begins.slice(0, 10)}`;
    return finding('use-not-known', `${log}: whether this is in use is not known`, where);
  });
  return { count: reaches || unused.length === 0 ? unused.length : null, findings };
}

const keyOf = ({ environment, secret }: Pick<SecretState, 'environment' | 'secret'>): string =>
  `${environment}\n${secret}`;

async function usedSince(
  scope: Scope,
  place: Place,
  states: readonly SecretState[],
  since: string,
): Promise<ReadonlySet<string>> {
  const names = new SecretNames();
  const environmentNames = new Map<string, string>();
  for (const [name, own] of byEnvironment(states)) {
    const entry = scope.entry(name);
    environmentNames.set(entry.id, name);
    const keys = await auditKeysOf(scope, await scope.readerOf(entry));
    await Promise.all(
      own.map(async (state) => {
        names.add(entry.id, state.secret, await hashesBy(keys, state.name));
      }),
    );
  }
  const used = new Set<string>();
  const use = (environment: string, secret: string): string =>
    keyOf({ environment: environmentNames.get(environment) ?? '', secret });
  const isNews = (record: Buffer): boolean =>
    secretsIn(record).some(([environment, hash]) => {
      const secret = names.secretOf(environment, hash);
      return secret !== null && !used.has(use(environment, secret));
    });
  const { head } = scope.document.snapshot.value;
  for (const { how, environment, secret, record } of disclosures(place, head, names, isNews, since)) {
    if (how === 'received' && record.time >= since) used.add(use(environment, secret));
    if (used.size === states.length) break;
  }
  return used;
}

/** Environments and hashes of names that a record of something that hands out values has; from its bytes, for most are not worth parsing. */
function secretsIn(record: Buffer): [string, string][] {
  const text = record.toString('latin1');
  const from = text.indexOf('"secrets":[');
  if (!receivedOperations.has(/"op":"([\w-]{1,64})"/u.exec(text)?.[1] ?? '') || from < 0) return [];
  const pairs = text.slice(from).matchAll(/\["([\w-]{11})","([\w-]{43})",\d+\]/gu);
  return Array.from(pairs, ([, environment = '', hash = '']) => [environment, hash]);
}

function byEnvironment(states: readonly SecretState[]): ReadonlyMap<string, readonly SecretState[]> {
  const all = new Map<string, SecretState[]>();
  for (const state of states) {
    const own = all.get(state.environment);
    if (own === undefined) all.set(state.environment, [state]);
    else own.push(state);
  }
  return all;
}

/** Time of the first record that is here, a summary of pruned ones aside; `null` without one. */
function firstTime({ fs, audit }: Place): string | null {
  const log = openLogReader(fs, audit.path);
  if (log === null) return null;
  try {
    for (const { raw } of linesForward(log)) {
      const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
      if (sequenceOf(raw) !== null && !bytes.includes('"op":"prune"')) return timeOf(raw);
    }
    return null;
  } finally {
    log.close();
  }
}
