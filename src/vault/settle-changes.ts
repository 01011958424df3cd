/** What of `changes` holds, and what is left out, for whoever takes them over. docs/format.md section 3 ("changes"). */
import { IntegrityError } from '../errors.ts';
import { encodeBase64url } from '../crypto/bytes.ts';
import { splitLines } from '../format/document.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import { parseStored, type SecretHistory } from './secret-history.ts';
import { storedLine } from './stored-line.ts';

/** The versions (0 and the highest number: purged, removed) that a `changes` part, by its place, has of a secret. */
type Additions = ReadonlyMap<number, ReadonlySet<number>>;

/**
 * For whoever is about to take `changes` over: what does not hold, or brings a value that does not open, is left out of what the reader
 * gives from now on. Else one signer with the right to rotate could stop every writer, and the administrator who would remove it.
 *
 * A part that is not made as the format says goes whole: it is its signer's alone. Where versions of a secret do not go together, only what the
 * parts say of that secret goes: else one signer could undo what another one said of others.
 * @returns ids of the signers of whom something was left out
 */
export async function settleChanges(reader: EnvironmentReader): Promise<string[]> {
  const aside = new Set<number>();
  const secrets = new Map<string, Map<number, Set<number>>>();
  for (const index of reader.part.changes.keys()) {
    const additions = await additionsOf(reader, index);
    if (additions === null) aside.add(index);
    for (const [secret, versions] of additions ?? []) {
      const present = secrets.get(secret) ?? new Map<number, Set<number>>();
      secrets.set(secret, present.set(index, versions));
    }
  }
  reader.leaveOut([...aside]);
  for (const [secret, additions] of secrets)
    for (const index of await settleSecret(reader, secret, additions)) aside.add(index);
  return [...aside].flatMap((index) => reader.part.changes[index]?.value.by ?? []);
}

/** Versions by secret of one part, or `null` if it is not what the format says. */
async function additionsOf(
  reader: EnvironmentReader,
  index: number,
): Promise<ReadonlyMap<string, Set<number>> | null> {
  const additions = new Map<string, Set<number>>();
  const by = reader.part.changes[index]?.value.by ?? '';
  try {
    for (const raw of splitLines(await reader.shard('changes', index))) {
      const line = storedLine(raw);
      const secret = encodeBase64url(line.secret);
      parseStored(reader.part, raw, secret, by);
      additions.set(secret, (additions.get(secret) ?? new Set<number>()).add(line.version));
    }
  } catch (error) {
    if (error instanceof IntegrityError) return null;
    throw error;
  }
  return additions.size > 0 ? additions : null;
}

/** @returns places of the parts whose lines of this secret are left out */
async function settleSecret(
  reader: EnvironmentReader,
  secret: string,
  additions: Additions,
): Promise<readonly number[]> {
  let aside: readonly number[] = [];
  for (let failing = await failingWithout(reader, secret, additions, aside); failing.length > 0;) {
    // Versions of several signers build upon each other: the one goes without which most of the others hold.
    let best = { aside, failing };
    for (const culprit of failing) {
      const without = [...aside, culprit];
      const rest = await failingWithout(reader, secret, additions, without);
      if (best.aside === aside || rest.length < best.failing.length) best = { aside: without, failing: rest };
    }
    ({ aside, failing } = best);
  }
  reader.leaveOutOf(secret, aside);
  return aside;
}

/** Parts whose lines of a secret do not hold when those of these parts are left out. */
async function failingWithout(
  reader: EnvironmentReader,
  secret: string,
  additions: Additions,
  aside: readonly number[],
): Promise<number[]> {
  reader.leaveOutOf(secret, aside);
  const rest = [...additions].filter(([index]) => !aside.includes(index));
  if (rest.length === 0) return [];
  try {
    const history = await reader.history(secret);
    await reader.checkVersion(history, 0);
    const failing: number[] = [];
    for (const [index, versions] of rest) if (!(await opens(reader, history, versions))) failing.push(index);
    return failing;
  } catch (error) {
    if (error instanceof IntegrityError) return rest.map(([index]) => index);
    throw error;
  }
}

/** Whether the notes of these versions open, and their values where the reader can read. */
async function opens(
  reader: EnvironmentReader,
  { versions }: SecretHistory,
  added: ReadonlySet<number>,
): Promise<boolean> {
  try {
    for (const line of versions.filter(({ value }) => added.has(value.version))) {
      await reader.note(line);
      if (reader.keys.value !== null) (await reader.open(line)).wipe();
    }
    return true;
  } catch (error) {
    if (error instanceof IntegrityError) return false;
    throw error;
  }
}
