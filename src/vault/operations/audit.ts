/** The audit log read back: records with names where the reader can tell them. */
import { IntegrityError } from '../../errors.ts';
import { parseRecord, sequenceOf, type AnyRecord } from '../../audit/record.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import type { AuditContext } from '../../format/audit-record.ts';
import { openLogReader } from '../../storage/log-file.ts';
import { linesBackward } from '../../storage/log-lines.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { hashesOf, namesOf } from './audit-names.ts';
import { checkName } from './secret.ts';

/** By how much the clocks of machines that share a log may differ, for their records to be found by time. */
const clockToleranceMs = 24 * 3600 * 1000;

export interface AuditQuery {
  readonly last: number;
  readonly operation: string | null;
  readonly principal: string | null;
  readonly environment: string | null;
  readonly name: string | null;
  readonly since: Date | null;
  readonly until: Date | null;
  readonly failed: boolean;
  /** Only records after this one. */
  readonly after?: number;
}

export interface AuditEntry {
  readonly sequence: number;
  readonly time: string;
  readonly operation: string;
  readonly success: boolean;
  readonly code: string | null;
  readonly principal: string | null;
  readonly environment: string | null;
  /** Names where this principal can tell them; `null` for one that it cannot. */
  readonly secrets: readonly {
    readonly environment: string;
    readonly name: string | null;
    readonly version: number;
  }[];
  readonly context: AuditContext | null;
  /** What else the operation said of itself. */
  readonly detail: string | null;
}

export interface AuditAnswer {
  /** Oldest first. */
  readonly entries: readonly AuditEntry[];
  /** Number of the log's last record, or 0: where to go on. */
  readonly last: number;
}

/** Matching records, read from the end of the log. */
export async function queryAudit(scope: Scope, place: Place, query: AuditQuery): Promise<AuditAnswer> {
  const matcher = await Matcher.of(scope, query);
  const log = openLogReader(place.fs, place.audit.path);
  if (log === null) return { entries: [], last: 0 };
  const chosen: AnyRecord[] = [];
  let last = 0;
  try {
    for (const { raw } of linesBackward(log)) {
      if (last === 0) last = sequenceOf(raw) ?? 0;
      if (chosen.length >= query.last) break;
      if (!matcher.mayMatch(raw)) continue;
      const { value } = parseRecord(raw);
      if (matcher.isBefore(value)) break;
      if (matcher.matches(value)) chosen.push(value);
    }
  } finally {
    log.close();
  }
  const hashes = chosen.flatMap((record) => ('sig' in record ? record.secrets.map(([, hash]) => hash) : []));
  const names = await namesOf(scope, new Set(hashes.filter((hash) => hash !== '')));
  return { entries: chosen.reverse().map((record) => entryOf(scope, names, record)), last };
}

/** Whether the log has gone on beyond a record. @throws IntegrityError if it has become shorter */
export function hasNewRecords({ fs, audit }: Place, after: number): boolean {
  const log = openLogReader(fs, audit.path);
  try {
    const newest = log === null ? undefined : linesBackward(log).next().value;
    const last = newest === undefined ? 0 : (sequenceOf(newest.raw) ?? 0);
    if (last < after)
      throw new IntegrityError(
        `audit log: it ended at record ${after}, and now at ${last}: it was cut or exchanged`,
      );
    return last > after;
  } finally {
    log?.close();
  }
}

/** Which records are wanted. Most are told apart by their bytes, without being parsed. */
class Matcher {
  readonly #query: AuditQuery;
  readonly #hashes: ReadonlySet<string> | null;
  readonly #principals: ReadonlySet<string> | null;
  readonly #environment: string | null;
  readonly #since: string;
  readonly #enough: string;
  readonly #until: string;
  readonly #needles: readonly (readonly Buffer[])[];

  private constructor(scope: Scope, query: AuditQuery, hashes: ReadonlySet<string> | null) {
    this.#query = query;
    this.#hashes = hashes;
    this.#principals = query.principal === null ? null : idsOf(scope, query.principal);
    this.#environment = query.environment === null ? null : scope.entry(query.environment).id;
    this.#since = query.since?.toISOString() ?? '';
    const earliest = (query.since?.getTime() ?? 0) - clockToleranceMs;
    this.#enough = query.since === null ? '' : new Date(earliest).toISOString();
    this.#until = query.until?.toISOString() ?? '';
    const any = (words: Iterable<string>): Buffer[] => [...words].map((word) => Buffer.from(word));
    this.#needles = [
      ...(hashes === null ? [] : [any(hashes)]),
      ...(this.#principals === null ? [] : [any(this.#principals)]),
      ...(query.operation === null ? [] : [any([`"op":${JSON.stringify(query.operation)}`])]),
      ...(query.failed ? [any(['"ok":false'])] : []),
    ];
  }

  static async of(scope: Scope, query: AuditQuery): Promise<Matcher> {
    if (query.name === null) return new Matcher(scope, query, null);
    checkName(query.name);
    const hashes = new Set<string>();
    for (const entry of scope.accessible())
      for (const hash of await hashesOf(scope, await scope.readerOf(entry), query.name)) hashes.add(hash);
    return new Matcher(scope, query, hashes);
  }

  mayMatch(raw: Bytes): boolean {
    if (this.#needles.length === 0) return true;
    const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
    return this.#needles.every((words) => words.some((word) => bytes.includes(word)));
  }

  /** Whether no earlier record can be wanted. */
  isBefore({ time, seq }: AnyRecord): boolean {
    return time < this.#enough || seq <= (this.#query.after ?? 0);
  }

  matches(record: AnyRecord): boolean {
    const { failed, operation } = this.#query;
    if (failed && record.ok) return false;
    if (operation !== null && record.op !== operation) return false;
    if (record.time < this.#since) return false;
    if (this.#until !== '' && record.time > this.#until) return false;
    const signed = 'sig' in record ? record : null;
    if (this.#principals?.has(signed?.principal ?? '') === false) return false;
    if (this.#environment !== null && signed?.environment !== this.#environment) return false;
    return this.#hashes === null || (signed?.secrets.some(([, hash]) => this.#hashes?.has(hash)) ?? false);
  }
}

/** Ids of who has, or had, this name. */
function idsOf({ authority }: Scope, name: string): ReadonlySet<string> {
  const known = [...authority.principals, ...authority.header.retired];
  return new Set(known.filter((one) => one.name === name).map(({ id }) => id));
}

function entryOf(scope: Scope, names: ReadonlyMap<string, string>, record: AnyRecord): AuditEntry {
  const signed = 'sig' in record ? record : null;
  const { authority } = scope;
  const environmentName = (id: string): string =>
    authority.header.environments.find((entry) => entry.id === id)?.name ?? id;
  return {
    sequence: record.seq,
    time: record.time,
    operation: record.op,
    success: record.ok,
    code: signed === null || signed.code === '' ? null : signed.code,
    principal: signed === null ? null : authority.nameOf(signed.principal),
    environment: signed === null || signed.environment === '' ? null : environmentName(signed.environment),
    secrets: (signed?.secrets ?? []).map(([environment, hash, version]) => ({
      environment: environmentName(environment),
      name: names.get(hash) ?? null,
      version,
    })),
    context: signed?.context ?? null,
    detail: signed === null || signed.detail === '' ? null : signed.detail,
  };
}
