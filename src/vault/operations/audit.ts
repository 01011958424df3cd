/** The audit log read back: records with names where the reader can tell them. */
import { nameHash, parseRecord, type AnyRecord } from '../../audit/record.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import type { AuditContext } from '../../format/audit-record.ts';
import { openLog } from '../../storage/log-file.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { auditKeysOf } from './offboard.ts';
import { checkName } from './secret.ts';

export interface AuditQuery {
  readonly last: number;
  readonly operation: string | null;
  readonly principal: string | null;
  readonly environment: string | null;
  readonly name: string | null;
  readonly since: Date | null;
  readonly failed: boolean;
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
}

/** Matching records, oldest first, read from the end of the log. */
export async function queryAudit(scope: Scope, place: Place, query: AuditQuery): Promise<AuditEntry[]> {
  const log = openLog(place.fs, place.audit.path);
  if (log === null) return [];
  const hashes = await wantedHashes(scope, query);
  const since = query.since?.toISOString() ?? '';
  const select = (lines: readonly Bytes[]): { chosen: AnyRecord[]; enough: boolean } => {
    const chosen: AnyRecord[] = [];
    for (let index = lines.length - 1; index >= 0 && chosen.length < query.last; index--) {
      const raw = lines[index];
      if (raw === undefined) continue;
      const { value } = parseRecord(raw);
      if (value.time < since) return { chosen, enough: true };
      if (matches(scope, query, hashes, value)) chosen.push(value);
    }
    return { chosen, enough: chosen.length >= query.last };
  };
  let chosen: AnyRecord[];
  try {
    ({ chosen } = select(log.tail((lines) => select(lines).enough).lines));
  } finally {
    log.close();
  }
  const names = await namesByHash(scope);
  return chosen.reverse().map((record) => entryOf(scope, names, record));
}

async function wantedHashes(scope: Scope, query: AuditQuery): Promise<ReadonlySet<string> | null> {
  if (query.name === null) return null;
  checkName(query.name);
  const hashes = new Set<string>();
  for (const entry of scope.accessible()) {
    for (const key of await auditKeysOf(scope, await scope.readerOf(entry)))
      hashes.add(await nameHash(key, query.name));
  }
  return hashes;
}

function matches(
  scope: Scope,
  query: AuditQuery,
  hashes: ReadonlySet<string> | null,
  record: AnyRecord,
): boolean {
  if (query.failed && record.ok) return false;
  if (query.operation !== null && record.op !== query.operation) return false;
  const signed = 'sig' in record ? record : null;
  if (query.principal !== null && principalName(scope, signed?.principal ?? '') !== query.principal)
    return false;
  if (query.environment !== null && signed?.environment !== scope.entry(query.environment).id) return false;
  return hashes === null || (signed?.secrets.some(([, hash]) => hashes.has(hash)) ?? false);
}

function principalName(scope: Scope, id: string): string | null {
  return id === '' ? null : scope.authority.nameOf(id);
}

/** Names of all secrets that the principal can list, by hash, for showing them in records. */
async function namesByHash(scope: Scope): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  for (const environment of scope.accessible()) {
    const reader = await scope.readerOf(environment);
    const entries = await reader.entries();
    for (const key of await auditKeysOf(scope, reader)) {
      const hashes = await Promise.all(entries.map(async (entry) => nameHash(key, entry.name)));
      entries.forEach((entry, index) => names.set(hashes[index] ?? '', entry.name));
    }
  }
  return names;
}

function entryOf(scope: Scope, names: ReadonlyMap<string, string>, record: AnyRecord): AuditEntry {
  const signed = 'sig' in record ? record : null;
  const environmentName = (id: string): string =>
    scope.authority.header.environments.find((entry) => entry.id === id)?.name ?? id;
  return {
    sequence: record.seq,
    time: record.time,
    operation: record.op,
    success: record.ok,
    code: signed === null || signed.code === '' ? null : signed.code,
    principal: principalName(scope, signed?.principal ?? ''),
    environment: signed === null || signed.environment === '' ? null : environmentName(signed.environment),
    secrets: (signed?.secrets ?? []).map(([environment, hash, version]) => ({
      environment: environmentName(environment),
      name: names.get(hash) ?? null,
      version,
    })),
    context: signed?.context ?? null,
  };
}
