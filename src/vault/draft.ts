/**
 * Changing one environment: what is staged in memory until a write builds new lines of it. Two ways, by right: who may write changes
 * catalog and values (environment-draft.ts); who may only rotate or delete adds to them (changes-draft.ts).
 */
import { AccessDeniedError, ConcurrencyError, IntegrityError } from '../errors.ts';
import { lineDigest } from '../access/digest.ts';
import { signLine } from '../access/signing.ts';
import { encodeBase64url, type Bytes } from '../crypto/bytes.ts';
import type { CatalogEntry, Note } from '../format/catalog.ts';
import type { Line } from '../format/json-line.ts';
import { purgedLine, type PurgedLine, type ValueLine } from '../format/lines.ts';
import type { BuiltEnvironment, WriteStamp } from './environment-layout.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import type { SecretHistory } from './secret-history.ts';
import type { LeftOut } from './settle-changes.ts';
import { makeValueLine, settledLine } from './value-line.ts';

export abstract class Draft {
  readonly reader: EnvironmentReader;
  protected readonly stamp: WriteStamp;
  /** What did not hold and goes with this write. */
  readonly setAside: LeftOut[] = [];
  readonly #histories = new Map<string, SecretHistory>();

  constructor(reader: EnvironmentReader, stamp: WriteStamp) {
    this.reader = reader;
    this.stamp = stamp;
  }

  /** Whether anything was staged. */
  abstract readonly dirty: boolean;

  /** Whether versions may be purged. */
  abstract readonly mayPurge: boolean;

  /** The entry of a name as this draft has it, or `null`. */
  abstract find(name: string): Promise<CatalogEntry | null>;

  /** Put an entry in its place; one of the same name is replaced. @throws AccessDeniedError without `write` */
  abstract setEntry(entry: CatalogEntry): Promise<void>;

  /** @throws AccessDeniedError without `write` */
  abstract deleteEntry(name: string): Promise<void>;

  /** Remove a secret; its versions stay. */
  abstract remove(entry: CatalogEntry): Promise<void>;

  protected abstract addLine(secret: string, line: Line<ValueLine>): Promise<void>;
  /** Put a line in the place of the one of the same version. */
  protected abstract replaceLine(secret: string, line: Line<ValueLine>): Promise<void>;
  protected abstract addTrace(secret: string, trace: Line<PurgedLine>): Promise<void>;

  abstract build(): Promise<BuiltEnvironment>;

  newSecretId(): string {
    return encodeBase64url(this.stamp.random(16));
  }

  /** The history of a secret as this draft has it. */
  async history(secret: string): Promise<SecretHistory> {
    const known = this.#histories.get(secret);
    if (known !== undefined) return known;
    const history = await this.reader.history(secret);
    this.#histories.set(secret, history);
    return history;
  }

  /**
   * Seal, sign and add a version after the newest one. The value is borrowed.
   * @throws ConcurrencyError while one is pending: it has to become the current one or be withdrawn first
   */
  async addVersion(
    secret: string,
    value: Bytes,
    note: Note,
    state: 'live' | 'pending' = 'live',
  ): Promise<Line<ValueLine>> {
    const { keys, authority, part } = this.reader;
    const { identity, time } = this.stamp;
    const history = await this.history(secret);
    const before = history.versions.at(-1);
    await this.#checkNewest(secret);
    if (before?.value.state === 'pending') {
      const hint = 'end it first: `vault rotate --resume`';
      const by = authority.nameOf(before.value.author);
      throw new ConcurrencyError(`a rotation by ${by} is under way since ${before.value.time}`, { hint });
    }
    const version = (before?.value.version ?? history.purged?.value.through ?? 0) + 1;
    const prev =
      before === undefined
        ? (history.purged?.value.digest ?? '')
        : await lineDigest(authority.domain, before.raw);
    const author = identity.principal;
    const wanted = { secret, version, state, time, author, prev, decision: '', value, note } as const;
    const line = await makeValueLine(authority.domain, this.stamp, part.entry, keys, wanted);
    await this.addLine(secret, line);
    this.#histories.set(secret, { ...history, versions: [...history.versions, line] });
    return line;
  }

  /** What is built upon must hold: whoever folds it in would leave out what comes after it, too. */
  async #checkNewest(secret: string): Promise<void> {
    const stored = await this.reader.history(secret);
    const newest = stored.versions.at(-1);
    if (newest === undefined) return;
    await this.reader.checkVersion(stored, newest.value.version);
    if (!(await this.reader.added.has(newest))) return;
    try {
      await this.reader.checkOpens(newest);
    } catch (cause) {
      if (!(cause instanceof IntegrityError)) throw cause;
      const author = this.reader.authority.nameOf(newest.value.author);
      const hint = 'whoever may write leaves it out with any change';
      throw new IntegrityError(`version ${newest.value.version}, by ${author}, does not open`, {
        cause,
        hint,
      });
    }
  }

  /**
   * End a version that is pending: it becomes the current one, or is withdrawn and kept.
   * @throws AccessDeniedError unless by its author, or an administrator; ConcurrencyError if it is not pending any more
   */
  async settleVersion(
    secret: string,
    version: number,
    state: 'live' | 'withdrawn',
  ): Promise<Line<ValueLine>> {
    const { authority } = this.reader;
    const { principal } = this.stamp.identity;
    const history = await this.history(secret);
    const line = history.versions.at(-1);
    if (line?.value.version !== version || line.value.state !== 'pending')
      throw new ConcurrencyError(`version ${version} is not pending any more`);
    if (line.value.author !== principal && !authority.isAdmin(principal))
      throw new AccessDeniedError(`the rotation is by ${authority.nameOf(line.value.author)}`, {
        hint: 'they end it themselves, or an administrator does',
      });
    await this.reader.checkVersion(history, version);
    const settled = await settledLine(authority.domain, this.stamp, line.value, state);
    await this.replaceLine(secret, settled);
    this.#histories.set(secret, { ...history, versions: [...history.versions.slice(0, -1), settled] });
    return settled;
  }

  /** Drop versions up to `through` (which must be kept now) and leave a signed trace. */
  async purge(secret: string, through: number): Promise<void> {
    if (!this.mayPurge) throw new AccessDeniedError(`you may not delete in ${this.reader.part.entry.name}`);
    const { identity, time } = this.stamp;
    const { authority, id } = this.reader;
    const history = await this.history(secret);
    const last = history.versions.find((line) => line.value.version === through);
    if (last === undefined) return;
    const trace = await signLine<PurgedLine>(
      authority.domain,
      identity.signing,
      {
        kind: 'purged',
        environment: id,
        secret,
        through,
        digest: await lineDigest(authority.domain, last.raw),
        last: last.value.time,
        time,
        by: identity.principal,
      },
      purgedLine,
      'purged',
    );
    await this.addTrace(secret, trace);
    const versions = history.versions.filter((line) => line.value.version > through);
    this.#histories.set(secret, { ...history, purged: trace, versions });
  }
}
