/**
 * Work on all secrets of an environment, some at a time, with a bound on what is opened at once: a value takes several times its size while it
 * is read, checked and opened, and may have 16 MiB.
 */
import type { EnvironmentReader } from './environment-reader.ts';
import { inParallel } from './in-parallel.ts';

/** So many secrets are looked at at a time, */
const width = 32;
/** and so many stored bytes; what has more is alone. */
const mostBytes = 32 * 1024 ** 2;

type Stored = Pick<EnvironmentReader, 'part' | 'valueShardOf'>;

/** Bytes that the lines of a secret have at most: of the shard that they are in, and of what `changes` add. */
function storedBytes(reader: Stored, secret: string): number {
  const shard = reader.part.values.value.shards[reader.valueShardOf(secret)]?.[1] ?? 0;
  return reader.part.changes.reduce((sum, { value }) => sum + value.size, shard);
}

/** Lets those in who fit into what is left, in the order in which they came. */
class Room {
  #left = mostBytes;
  readonly #waiting: { readonly bytes: number; readonly enter: () => void }[] = [];

  /** @returns what gives the room back */
  async take(wanted: number): Promise<() => void> {
    const bytes = Math.min(wanted, mostBytes);
    await new Promise<void>((enter) => {
      this.#waiting.push({ bytes, enter });
      this.#admit();
    });
    return () => {
      this.#left += bytes;
      this.#admit();
    };
  }

  #admit(): void {
    for (
      let [first] = this.#waiting;
      first !== undefined && first.bytes <= this.#left;
      [first] = this.#waiting
    ) {
      this.#waiting.shift();
      this.#left -= first.bytes;
      first.enter();
    }
  }
}

/** @throws the first failure, once all that was begun has ended */
export async function secretsInParallel<T extends { readonly secret: string }>(
  reader: Stored,
  secrets: Iterable<T>,
  work: (one: T, index: number) => Promise<void>,
): Promise<void> {
  const room = new Room();
  let index = 0;
  let failed = false;
  await inParallel(secrets, width, async (one) => {
    const place = index;
    index += 1;
    const leave = await room.take(storedBytes(reader, one.secret));
    try {
      // Those that waited for room when another failed are not begun.
      if (!failed) await work(one, place);
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      leave();
    }
  });
}
