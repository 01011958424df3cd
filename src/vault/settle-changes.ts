/** What of `changes` holds, and what is left out, for whoever takes them over. docs/format.md section 3 ("changes"). */
import { IntegrityError } from '../errors.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import type { SecretHistory } from './secret-history.ts';
import { storedLine } from './stored-line.ts';

/** Something that a signer had added and that is left out. */
export interface LeftOut {
  /** Id of the signer. */
  readonly by: string;
  /** Name of the secret, or `null` for what is of none. */
  readonly name: string | null;
}

/** Places of `changes` parts that have lines of a secret. */
type Places = readonly number[];

/**
 * For whoever is about to take `changes` over: what does not hold, or brings a value that does not open, is left out of what the reader
 * gives from now on. Else one signer with the right to rotate could stop every writer, and the administrator who would remove it.
 *
 * Where versions of a secret do not go together, only what the parts say of that secret goes: else one signer could undo what another
 * one said of others. What is said of a secret that the catalog does not have goes too: who only adds makes no secrets.
 * @param leaves whether a signer is removed by this write: it takes with it what nobody can read
 * @throws IntegrityError for a part whose bytes are not those that were signed: nobody can tell whose doing that is
 */
export async function settleChanges(
  reader: EnvironmentReader,
  leaves: (signer: string) => boolean = () => false,
): Promise<LeftOut[]> {
  const { changes } = reader.part;
  if (changes.length === 0) return [];
  const names = new Map((await reader.storedEntries()).map(({ secret, name }) => [secret, name]));
  const leftOut: LeftOut[] = [];
  const leave = (places: Places, name: string | null): void => {
    for (const index of places) leftOut.push({ by: changes[index]?.value.by ?? '', name });
  };
  const secrets = new Map<string, number[]>();
  for (const index of changes.keys()) {
    const additions = await additionsOf(reader, index, leaves);
    if (additions.size === 0) leave([index], null);
    for (const secret of additions.keys()) secrets.set(secret, [...(secrets.get(secret) ?? []), index]);
  }
  for (const [secret, places] of secrets) {
    const name = names.get(secret);
    const aside = name === undefined ? places : await settleSecret(reader, secret, places);
    reader.added.leaveOut(secret, aside);
    leave(aside, name ?? null);
  }
  return leftOut;
}

async function additionsOf(
  reader: EnvironmentReader,
  index: number,
  leaves: (signer: string) => boolean,
): ReturnType<EnvironmentReader['added']['of']> {
  try {
    return await reader.added.of(index);
  } catch (error) {
    const by = reader.part.changes[index]?.value.by ?? '';
    if (!(error instanceof IntegrityError)) throw error;
    if (!leaves(by)) throw error;
    reader.added.passOver(index);
    return reader.added.of(index);
  }
}

/** @returns which of the parts go */
async function settleSecret(reader: EnvironmentReader, secret: string, places: Places): Promise<Places> {
  let aside: Places = [];
  for (let failing = await failingWithout(reader, secret, places, aside); failing.length > 0;) {
    // Versions of several signers build upon each other: the one goes without which most of the others hold.
    let best = { aside, failing };
    for (const culprit of failing) {
      const without = [...aside, culprit];
      const rest = await failingWithout(reader, secret, places, without);
      if (best.aside === aside || rest.length < best.failing.length) best = { aside: without, failing: rest };
    }
    ({ aside, failing } = best);
  }
  return aside;
}

/** Parts whose lines of a secret do not hold when those of these parts are left out. */
async function failingWithout(
  reader: EnvironmentReader,
  secret: string,
  places: Places,
  aside: Places,
): Promise<number[]> {
  reader.added.leaveOut(secret, aside);
  const rest = places.filter((index) => !aside.includes(index));
  if (rest.length === 0) return [];
  try {
    const history = await reader.history(secret);
    await reader.checkVersion(history, 0);
    const failing: number[] = [];
    for (const index of rest) {
      const lines = (await reader.added.of(index)).get(secret) ?? [];
      const added = new Set(lines.map((raw) => storedLine(raw).version));
      if (!(await opens(reader, history, added))) failing.push(index);
    }
    return failing;
  } catch (error) {
    if (error instanceof IntegrityError) return rest;
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
    for (const line of versions.filter(({ value }) => added.has(value.version)))
      await reader.checkOpens(line);
    return true;
  } catch (error) {
    if (error instanceof IntegrityError) return false;
    throw error;
  }
}
