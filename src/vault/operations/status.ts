/** Health at a glance. Counts and times, nothing that needs a value. */
import type { AuditStatistics } from '../../audit/statistics.ts';
import { IntegrityError } from '../../errors.ts';
import type { EnvironmentEntry, StoredKdf } from '../../format/lines.ts';
import { expiryState, isDue, warningMs } from '../../lifecycle/due.ts';
import { policyValue } from '../../lifecycle/policy.ts';
import type { EnvironmentReader } from '../environment-reader.ts';
import { currentVersion } from '../secret-history.ts';
import { keysSince } from '../exposure.ts';
import { openCarry } from '../new-environment.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { auditStatistics } from '../statistics.ts';
import { listAccess } from './access-list.ts';
import { tokensToReissue } from './offboard.ts';
import { pendingRotations, type PendingRotation } from './rotation.ts';

export interface EnvironmentStatus {
  readonly name: string;
  readonly secrets: number | null;
  readonly removed: number | null;
  readonly expired: number | null;
  readonly expiringSoon: number | null;
  readonly overdue: number | null;
  /** Since when it has its present keys, where that is known. */
  readonly keysSince: string | null;
  /** Whether the policy wants new ones. */
  readonly rekeyDue: boolean;
}

export interface VaultStatus {
  readonly path: string;
  readonly vaultId: string;
  readonly format: number;
  readonly generation: number;
  readonly updated: string;
  readonly updatedBy: string;
  readonly principal: string;
  readonly slots: readonly { readonly type: string; readonly kdf: StoredKdf }[];
  readonly principals: number;
  readonly sizeBytes: number;
  readonly auditLog: string;
  /** What keeps the vault. */
  readonly backend: 'file';
  readonly cipher: 'AES-256-GCM';
  /** Of the audit log of this place, before this operation. */
  readonly statistics: AuditStatistics;
  readonly environments: readonly EnvironmentStatus[];
  /** Principals that removed a credential and still have the keys it opened. */
  readonly rekeyDue: readonly { readonly principal: string; readonly since: string }[];
  /** Principals whose tokens a removed administrator may know. */
  readonly tokensToReissue: readonly string[];
  /** Staged and neither current nor withdrawn yet: at this moment, or since somebody was interrupted. */
  readonly rotationsUnderWay: readonly PendingRotation[];
}

const dayMs = 86_400_000;

export async function vaultStatus(scope: Scope, place: Place): Promise<VaultStatus> {
  const { document, authority, identity } = scope;
  const { n, time, by } = document.snapshot.value;
  const environments: EnvironmentStatus[] = [];
  for (const { entry } of document.environments) {
    environments.push(
      authority.grantLevel(identity.principal, entry.id) === null
        ? { name: entry.name, ...unknown }
        : await environmentStatus(scope, place, entry),
    );
  }
  return {
    path: place.path,
    vaultId: document.vaultId,
    format: document.vault.value.format,
    generation: n,
    updated: time,
    updatedBy: authority.nameOf(by),
    principal: authority.nameOf(identity.principal),
    slots: document.slotsOf(identity.principal).map(({ value }) => ({ type: value.type, kdf: value.kdf })),
    principals: document.header.value.principals.length,
    sizeBytes: document.source.size,
    auditLog: place.audit.path,
    backend: 'file',
    cipher: 'AES-256-GCM',
    statistics: await auditStatistics(place, authority.domain),
    environments,
    rekeyDue: listAccess(scope).flatMap(({ name, rekeyDue }) =>
      rekeyDue === null ? [] : [{ principal: name, since: rekeyDue }],
    ),
    tokensToReissue: tokensToReissue(scope),
    rotationsUnderWay: await pendingRotations(scope, null, null),
  };
}

const unknown = {
  secrets: null,
  removed: null,
  expired: null,
  expiringSoon: null,
  overdue: null,
  keysSince: null,
  rekeyDue: false,
} as const;

/** What one secret comes to: what is wrong with it, reading it or verifying says; the others are counted. */
async function settle<T>(work: Promise<T>): Promise<T | 'damaged'> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof IntegrityError) return 'damaged';
    throw error;
  }
}

/** The current version of a secret and when it expires; `null` where there is none. */
async function currentOf(
  reader: EnvironmentReader,
  secret: string,
): Promise<{ readonly time: string; readonly expires: string | null } | null> {
  const current = currentVersion(await reader.history(secret));
  if (current === null) return null;
  const { expires } = await reader.note(current);
  return { time: current.value.time, expires: expires === '' ? null : expires };
}

async function environmentStatus(
  scope: Scope,
  place: Place,
  entry: EnvironmentEntry,
): Promise<EnvironmentStatus> {
  const reader = await scope.readerOf(entry);
  const { policy } = await openCarry(scope.authority.domain, entry, reader.keys);
  const since = keysSince(policy);
  const days = Number(policyValue(scope.policy, 'rekey.days'));
  const age = since === null ? 0 : scope.now.getTime() - Date.parse(since);
  const entries = await reader.entries();
  const present = entries.filter((one) => one.removed === '');
  const now = scope.now.getTime();
  const windowMs = warningMs();
  let [expired, expiringSoon, overdue, damaged] = [0, 0, 0, 0];
  for (const { secret, interval, type } of present) {
    const current = await settle(currentOf(reader, secret));
    if (current === 'damaged') damaged += 1;
    if (current === null || current === 'damaged') continue;
    const { expires, time } = current;
    const state = expiryState(expires, now, windowMs);
    if (state === 'expired') expired += 1;
    if (state === 'expiring') expiringSoon += 1;
    const intervalSeconds = interval === 0 ? null : interval;
    if (isDue({ type, updated: time, expires }, { intervalSeconds, windowMs }, now)) overdue += 1;
  }
  if (damaged > 0)
    place.warn(`${entry.name}: what does not hold together was not counted: \`vault verify\` says more`);
  return {
    name: entry.name,
    secrets: present.length,
    removed: entries.length - present.length,
    expired,
    expiringSoon,
    overdue,
    keysSince: since,
    rekeyDue: days > 0 && age > days * dayMs,
  };
}
