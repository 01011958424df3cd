/**
 * Changing one environment without the right to write: versions by who may rotate, removals and purges by who may delete. They stand
 * in a part of their own signer, on top of what writers signed, and hide nothing below them. docs/format.md section 3, "changes".
 */
import { AccessDeniedError } from '../errors.ts';
import { lineDigest } from '../access/digest.ts';
import { signLine } from '../access/signing.ts';
import { compareBytes, type Bytes } from '../crypto/bytes.ts';
import type { CatalogEntry, Note } from '../format/catalog.ts';
import { splitLines } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import {
  changesLine,
  removedLine,
  type ChangesLine,
  type PurgedLine,
  type RemovedLine,
  type ValueLine,
} from '../format/lines.ts';
import { Draft } from './draft.ts';
import {
  joinStored,
  partFields,
  shardDigest,
  type BuiltEnvironment,
  type WriteStamp,
} from './environment-layout.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import { storedLine, type StoredLine } from './stored-line.ts';

export class ChangesDraft extends Draft {
  readonly #lines: StoredLine[];
  /** Place of this signer's part among those of the environment, or -1. */
  readonly #own: number;
  readonly mayPurge: boolean;
  readonly #mayRotate: boolean;
  #dirty = false;

  private constructor(reader: EnvironmentReader, stamp: WriteStamp, own: number, lines: StoredLine[]) {
    super(reader, stamp);
    const { principal } = stamp.identity;
    this.mayPurge = reader.authority.hasRight(principal, 'delete', reader.id);
    this.#mayRotate = reader.authority.hasRight(principal, 'rotate', reader.id);
    if (!this.mayPurge && !this.#mayRotate)
      throw new AccessDeniedError(`you may not change anything in ${reader.part.entry.name}`);
    this.#own = own;
    this.#lines = lines;
  }

  /** @throws AccessDeniedError with neither the right to rotate nor to delete */
  static async of(reader: EnvironmentReader, stamp: WriteStamp): Promise<ChangesDraft> {
    const { changes } = reader.part;
    const own = changes.findIndex(({ value }) => value.by === stamp.identity.principal);
    const raw = own < 0 ? [] : splitLines(await reader.shard('changes', own));
    return new ChangesDraft(reader, stamp, own, raw.map(storedLine));
  }

  get dirty(): boolean {
    return this.#dirty;
  }

  async find(name: string): Promise<CatalogEntry | null> {
    return this.reader.find(name);
  }

  async setEntry(): Promise<never> {
    return this.#refuse();
  }

  /** The name of a secret of which no version is left goes when a writer folds this in. */
  async deleteEntry(name: string): Promise<void> {
    const entry = await this.find(name);
    if (entry !== null && (await this.history(entry.secret)).versions.length === 0) return;
    await this.#refuse();
  }

  async remove(entry: CatalogEntry): Promise<void> {
    if (!this.mayPurge) throw new AccessDeniedError(`you may not delete in ${this.reader.part.entry.name}`);
    const { identity, time } = this.stamp;
    const { authority, id } = this.reader;
    const value = {
      kind: 'removed',
      environment: id,
      secret: entry.secret,
      time,
      by: identity.principal,
    } as const;
    const line = await signLine<RemovedLine>(
      authority.domain,
      identity.signing,
      value,
      removedLine,
      'removed',
    );
    this.#add(line.raw);
  }

  override async addVersion(
    secret: string,
    value: Bytes,
    note: Note,
    state: 'live' | 'pending' = 'live',
  ): Promise<Line<ValueLine>> {
    if (this.#mayRotate && note.operation === 'rotate') return super.addVersion(secret, value, note, state);
    const hint = this.#mayRotate ? 'you may rotate: `vault rotate NAME`' : undefined;
    return this.#refuse(hint);
  }

  protected async addLine(_secret: string, line: Line<ValueLine>): Promise<void> {
    if (line.value.version === 1) await this.#refuse();
    this.#add(line.raw);
  }

  protected async replaceLine(_secret: string, line: Line<ValueLine>): Promise<void> {
    if (!this.#mayRotate) await this.#refuse();
    this.#add(line.raw);
  }

  /** The lines that it ends stay until a writer folds this in: nothing is hidden by who may only delete. */
  protected async addTrace(_secret: string, trace: Line<PurgedLine>): Promise<void> {
    this.#add(trace.raw);
    return Promise.resolve();
  }

  async build(): Promise<BuiltEnvironment> {
    const { authority, part, id } = this.reader;
    const { identity } = this.stamp;
    const bytes = joinStored(this.#lines);
    const base = await lineDigest(authority.domain, part.values.raw);
    const value = {
      kind: 'changes',
      ...partFields(this.stamp, part.entry, (part.changes[this.#own]?.value.n ?? 0) + 1),
      base,
      digest: await shardDigest(authority.domain, 'changes', id, identity.principal, bytes),
      size: bytes.length,
    } as const;
    const { signing } = identity;
    const line = await signLine<ChangesLine>(authority.domain, signing, value, changesLine, 'changes');
    const others = await Promise.all(
      part.changes.map(async (other, index) => ({
        line: other,
        bytes: await this.reader.shard('changes', index),
      })),
    );
    const all = others.filter((_, index) => index !== this.#own);
    const order = (by: string): number =>
      authority.header.principals.findIndex((principal) => principal.id === by);
    const changes = [...all, { line, bytes }].sort((a, b) => order(a.line.value.by) - order(b.line.value.by));
    return {
      names: part.names,
      values: part.values,
      blocks: part.names.value.shards.map(() => null),
      valueShards: part.values.value.shards.map(() => null),
      changes,
    };
  }

  /** One trace or removal a secret: a later one takes the place of an earlier. */
  #add(raw: Bytes): void {
    const added = storedLine(raw);
    const at = this.#lines.findIndex(
      (line) => line.version === added.version && compareBytes(line.secret, added.secret) === 0,
    );
    if (at < 0) this.#lines.push(added);
    else this.#lines[at] = added;
    this.#dirty = true;
  }

  async #refuse(hint?: string): Promise<never> {
    const details = hint === undefined ? {} : { hint };
    return Promise.reject(
      new AccessDeniedError(`you may not write to ${this.reader.part.entry.name}`, details),
    );
  }
}
