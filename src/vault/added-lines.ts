/** Lines that stand in `changes` parts of an environment, by the secret that they are of. docs/format.md section 3 ("changes"). */
import { IntegrityError } from '../errors.ts';
import { compareBytes, encodeBase64url, type Bytes } from '../crypto/bytes.ts';
import { splitLines, type EnvironmentPart } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import type { ValueLine } from '../format/lines.ts';
import type { HistorySource } from './secret-history.ts';
import { storedLine } from './stored-line.ts';

type BySecret = ReadonlyMap<string, readonly Bytes[]>;

export class AddedLines {
  readonly #changes: EnvironmentPart['changes'];
  readonly #shard: (index: number) => Promise<Bytes>;
  readonly #lines = new Map<number, Promise<BySecret>>();
  /** Places of parts whose lines of a secret are left out, by secret. */
  readonly #leftOut = new Map<string, ReadonlySet<number>>();
  /** Grows with everything that is left out. */
  revision = 0;

  /** @param shard bytes of a part, by its place; @throws IntegrityError if they are not those that were signed */
  constructor({ changes }: EnvironmentPart, shard: (index: number) => Promise<Bytes>) {
    this.#changes = changes;
    this.#shard = shard;
  }

  /**
   * Lines of one part. What are no lines of that form says nothing, to whoever reads it: it is its signer's alone.
   * @throws IntegrityError if the bytes are not those that were signed, which may be anybody's doing
   */
  async of(index: number): Promise<BySecret> {
    const known = this.#lines.get(index);
    if (known !== undefined) return known;
    const reading = this.#shard(index).then(linesBySecret);
    this.#lines.set(index, reading);
    return reading;
  }

  /** Lines of one secret, with their signers; without those that are left out. */
  async sourcesOf(secret: string): Promise<HistorySource[]> {
    const sources: HistorySource[] = [];
    for (const [index, { value }] of this.#changes.entries()) {
      const lines = (await this.of(index)).get(secret);
      if (lines !== undefined && !this.#isLeftOut(secret, index)) sources.push({ lines, by: value.by });
    }
    return sources;
  }

  /** Secrets that something is said of. */
  async secrets(): Promise<ReadonlySet<string>> {
    const secrets = new Set<string>();
    for (const index of this.#changes.keys()) {
      for (const secret of (await this.of(index)).keys())
        if (!this.#isLeftOut(secret, index)) secrets.add(secret);
    }
    return secrets;
  }

  /** Whether a version stands here yet, and in no values part. */
  async has({ value: { secret }, raw }: Line<ValueLine>): Promise<boolean> {
    for (const index of this.#changes.keys()) {
      const lines = (await this.of(index)).get(secret) ?? [];
      if (lines.some((line) => compareBytes(line, raw) === 0)) return true;
    }
    return false;
  }

  /** Go on as if a part, by its place, said nothing. */
  passOver(index: number): void {
    this.#lines.set(index, Promise.resolve(new Map()));
    this.revision += 1;
  }

  /** Go on as if these parts, by their places, had no line of this secret. */
  leaveOut(secret: string, places: readonly number[]): void {
    this.#leftOut.set(secret, new Set(places));
    this.revision += 1;
  }

  #isLeftOut(secret: string, index: number): boolean {
    return this.#leftOut.get(secret)?.has(index) === true;
  }
}

function linesBySecret(shard: Bytes): BySecret {
  const found = new Map<string, Bytes[]>();
  try {
    for (const raw of splitLines(shard)) {
      const secret = encodeBase64url(storedLine(raw).secret);
      const lines = found.get(secret) ?? [];
      found.set(secret, lines);
      lines.push(raw);
    }
  } catch (error) {
    if (error instanceof IntegrityError) return new Map();
    throw error;
  }
  return found;
}
