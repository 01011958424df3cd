/** What of `changes` holds, and what is left out, for whoever takes them over. docs/format.md section 5. */
import { IntegrityError } from '../errors.ts';
import { encodeBase64url } from '../crypto/bytes.ts';
import { splitLines } from '../format/document.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import { storedLine } from './stored-line.ts';

/**
 * For whoever is about to take `changes` over: parts that do not hold, or bring a value that does not open, are set aside, whole. Else
 * one signer with the right to rotate could stop every writer, and the administrator who would remove it.
 * @returns ids of the signers whose parts were set aside
 */
export async function settleChanges(reader: EnvironmentReader): Promise<string[]> {
  const all = [...reader.part.changes.keys()];
  let aside: readonly number[] = [];
  for (let failing = await failingWithout(reader, aside); failing.length > 0;) {
    // Versions of several signers build upon each other: the one goes without which most of the others hold.
    let best = { aside, failing };
    for (const culprit of failing) {
      const without = [...aside, culprit];
      const rest = await failingWithout(reader, without);
      if (best.aside === aside || rest.length < best.failing.length) best = { aside: without, failing: rest };
    }
    ({ aside, failing } = best);
  }
  reader.leaveOut(aside);
  return all
    .filter((index) => aside.includes(index))
    .flatMap((index) => reader.part.changes[index]?.value.by ?? []);
}

/** Parts that do not hold when these are left out. */
async function failingWithout(reader: EnvironmentReader, aside: readonly number[]): Promise<number[]> {
  reader.leaveOut(aside);
  const failing: number[] = [];
  for (const index of reader.part.changes.keys())
    if (!aside.includes(index) && !(await holds(reader, index))) failing.push(index);
  return failing;
}

async function holds(reader: EnvironmentReader, index: number): Promise<boolean> {
  try {
    for (const raw of splitLines(await reader.shard('changes', index))) {
      const secret = encodeBase64url(storedLine(raw).secret);
      const history = await reader.history(secret);
      await reader.checkVersion(history, 0);
      for (const line of history.versions) {
        if (line.value.by !== reader.part.changes[index]?.value.by) continue;
        await reader.note(line);
        if (reader.keys.value !== null) (await reader.open(line)).wipe();
      }
    }
    return (reader.part.changes[index]?.value.size ?? 0) > 0;
  } catch (error) {
    if (error instanceof IntegrityError) return false;
    throw error;
  }
}
