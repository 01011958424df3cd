/**
 * An environment under new keys: the next epoch, with every kept version sealed anew and signed by the administrator who does it.
 * docs/format.md section 3 ("retired") and section 5 ("value").
 *
 * Invariants: every line is checked before it is signed again, so that nothing forged is made good; authors and times stay.
 */
import { IntegrityError } from '../errors.ts';
import { lineDigest } from '../access/digest.ts';
import { signLine } from '../access/signing.ts';
import { encodeBase64url } from '../crypto/bytes.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import type { CatalogEntry, Carry, Note } from '../format/catalog.ts';
import type { Line } from '../format/json-line.ts';
import { purgedLine, type PurgedLine, type ValueLine } from '../format/lines.ts';
import { layOutWhole, type WriteStamp } from './environment-layout.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import { settleChanges, type LeftOut } from './settle-changes.ts';
import { currentVersion, type SecretHistory } from './secret-history.ts';
import { isFresh, withKeysSince, withoutDone } from './exposure.ts';
import { makeEnvironmentKeys, openCarry, type MadeEnvironment } from './new-environment.ts';
import { storedLine, type StoredLine } from './stored-line.ts';
import { makeValueLine } from './value-line.ts';

/** Secrets that are opened and sealed at once. */
const batch = 64;

/** A rotation that was under way and ends, since nobody else could end it: its value is kept. */
export interface EndedRotation {
  /** Id of who began it. */
  readonly by: string;
  readonly environment: string;
  /** Name of the secret, or `null` for one that the catalog does not have. */
  readonly name: string | null;
  readonly version: number;
}

export interface RekeyedEnvironment extends MadeEnvironment {
  readonly ended: readonly EndedRotation[];
  /** What did not hold and is gone, or has no value any more. */
  readonly setAside: readonly LeftOut[];
}

/**
 * @param reader of the environment as it is, by somebody who can read it
 * @param stamp its identity is an administrator's, and signs everything
 * @param policy the environment's own policy from now on
 * @param stays whether somebody is a principal from now on: what others have pending is withdrawn, since nobody else could end it
 */
export async function rekeyEnvironment(
  reader: EnvironmentReader,
  stamp: WriteStamp,
  policy: (present: Carry['policy']) => Carry['policy'],
  stays: (principal: string) => boolean,
): Promise<RekeyedEnvironment> {
  const { domain } = reader.authority;
  const setAside = await settleChanges(reader, (signer) => !stays(signer));
  const { entry: old, names, values } = reader.part;
  const before = await openCarry(domain, old, reader.keys);
  const content: Carry = {
    auditKeys: [...before.auditKeys, [old.epoch, encodeBase64url(reader.keys.audit)]],
    policy: withKeysSince(policy(withoutDone(before.policy, ...(await oldestValues(reader)))), stamp.time),
  };
  const place = { id: old.id, name: old.name, epoch: old.epoch + 1 };
  const made = await makeEnvironmentKeys(domain, stamp.random, stamp.identity, place, content);
  const entries: CatalogEntry[] = [];
  const lines: StoredLine[] = [];
  const ended: EndedRotation[] = [];
  const all = await secretsOf(reader);
  for (let start = 0; start < all.length; start += batch) {
    const sealed = await Promise.all(
      all.slice(start, start + batch).map(async ({ secret, entry }) => {
        const history = await reader.history(secret);
        await reader.checkVersion(history, 0);
        return {
          entry: afterFolding(entry, history),
          lines: await sealAnew(reader, stamp, made, history, {
            stays,
            unreadable: (by) => setAside.push({ by, name: entry?.name ?? null }),
            ends: (by, version) =>
              ended.push({ by, environment: old.name, name: entry?.name ?? null, version }),
          }),
        };
      }),
    );
    for (const one of sealed) {
      if (one.entry !== null) entries.push(one.entry);
      lines.push(...one.lines);
    }
  }
  const n = { names: names.value.n + 1, values: values.value.n + 1 };
  const built = await layOutWhole(domain, stamp, { keys: made.keys, entries, lines, n });
  return { ...made, built, setAside, ended };
}

/**
 * Times of the oldest version that is kept, since it can become the current one again, and of the oldest current one. `""` where one came back from
 * before or does not open, the present where there is none.
 */
async function oldestValues(reader: EnvironmentReader): Promise<[kept: string, current: string]> {
  let kept = reader.part.values.value.time;
  let oldest = kept;
  for (const { secret, entry } of await secretsOf(reader)) {
    const history = await reader.history(secret);
    const current = entry?.removed === '' ? currentVersion(history) : null;
    for (const line of history.versions) {
      const time = (await isNew(reader, line)) ? line.value.time : '';
      if (time < kept) kept = time;
      if (line === current && time < oldest) oldest = time;
    }
  }
  return [kept, oldest];
}

/** Whether a version brought a value that nobody had before; not where its note does not open. */
async function isNew(reader: EnvironmentReader, line: Line<ValueLine>): Promise<boolean> {
  try {
    return isFresh((await reader.note(line)).operation);
  } catch (error) {
    if (error instanceof IntegrityError) return false;
    throw error;
  }
}

/** Every secret of an environment, those of which only a trace is left too. */
async function secretsOf(
  reader: EnvironmentReader,
): Promise<{ secret: string; entry: CatalogEntry | null }[]> {
  const entries = new Map((await reader.storedEntries()).map((entry) => [entry.secret, entry]));
  const secrets = new Set(entries.keys());
  for (const secret of await reader.storedSecrets()) secrets.add(secret);
  return [...secrets].map((secret) => ({ secret, entry: entries.get(secret) ?? null }));
}

function afterFolding(entry: CatalogEntry | null, history: SecretHistory): CatalogEntry | null {
  if (entry === null || history.versions.length === 0) return null;
  const { removed } = history;
  return removed === null || entry.removed !== '' ? entry : { ...entry, removed: removed.value.time };
}

interface Fates {
  readonly stays: (principal: string) => boolean;
  readonly unreadable: (author: string) => unknown;
  /** Told of versions that others have pending. */
  readonly ends: (author: string, version: number) => unknown;
}

async function sealAnew(
  reader: EnvironmentReader,
  stamp: WriteStamp,
  made: Pick<MadeEnvironment, 'entry' | 'keys'>,
  history: SecretHistory,
  { stays, unreadable, ends }: Fates,
): Promise<StoredLine[]> {
  const { domain } = reader.authority;
  const { identity } = stamp;
  const lines: StoredLine[] = [];
  if (history.purged !== null) {
    const { kind, environment, secret, through, digest, last, time } = history.purged.value;
    const by = identity.principal;
    const value = { kind, environment, secret, through, digest, last, time, by };
    const trace = await signLine<PurgedLine>(domain, identity.signing, value, purgedLine, 'purged');
    lines.push(storedLine(trace.raw));
  }
  let prev = history.purged?.value.digest ?? '';
  for (const line of history.versions) {
    const { secret, version, time, author, decision } = line.value;
    const opened = await openOrNull(reader, line);
    if (opened === null) unreadable(author);
    // Nothing follows it, and nobody can open it: it goes.
    if (opened === null && line === history.versions.at(-1)) continue;
    if (opened !== null && line.value.state === 'pending' && !stays(author)) ends(author, version);
    const over = opened === null || (line.value.state === 'pending' && !stays(author));
    const state = over ? 'withdrawn' : line.value.state;
    const [value, note] = opened ?? [new SecretBytes(new Uint8Array(0)), emptyNote];
    const wanted = { secret, version, state, time, author, decision, prev, note, value: value.bytes };
    const next = await makeValueLine(domain, stamp, made.entry, made.keys, wanted);
    value.wipe();
    lines.push(storedLine(next.raw));
    prev = await lineDigest(domain, next.raw);
  }
  return lines;
}

/** Of a version that nobody can open: it keeps its number and its author, and is withdrawn. */
const emptyNote: Note = { operation: 'rotate', rotations: 0, expires: '', graceUntil: '' };

/** `null` where it does not open: else who wrote it could stop every re-keying, and their own removal. */
async function openOrNull(
  reader: EnvironmentReader,
  line: Line<ValueLine>,
): Promise<[SecretBytes, Note] | null> {
  try {
    return [await reader.open(line), await reader.note(line)];
  } catch (error) {
    if (error instanceof IntegrityError) return null;
    throw error;
  }
}
