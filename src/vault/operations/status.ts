/** Health at a glance. Counts and times, nothing that needs a value. */
import type { AuditStatistics } from '../../audit/statistics.ts';
import type { EnvironmentEntry, StoredKdf } from '../../format/lines.ts';
import { environmentKeys } from '../health/access.ts';
import { countsOf, surveyEnvironment } from '../health/survey.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { auditStatistics } from '../statistics.ts';
import { listAccess } from './access-list.ts';
import { tokensToReissue } from './offboard.ts';
import type { PendingRotation } from './rotation.ts';

export interface EnvironmentStatus {
  readonly name: string;
  readonly secrets: number | null;
  readonly removed: number | null;
  readonly expired: number | null;
  readonly expiringSoon: number | null;
  /** Due for rotation. */
  readonly overdue: number | null;
  /** Never rotated, and old enough that they should have been. */
  readonly neverRotated: number | null;
  /** With a rotation that is under way. */
  readonly pending: number | null;
  /** When the next secret expires, of those that have not. */
  readonly nextExpiry: string | null;
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

/** @param only name of the only environment to be counted, or `null` for all @throws as `Scope.entry` */
export async function vaultStatus(
  scope: Scope,
  place: Place,
  only: string | null = null,
): Promise<VaultStatus> {
  const { document, authority, identity } = scope;
  const counted = only === null ? document.environments.map(({ entry }) => entry) : [scope.entry(only)];
  const { n, time, by } = document.snapshot.value;
  const environments: EnvironmentStatus[] = [];
  const rotationsUnderWay: PendingRotation[] = [];
  for (const entry of counted) {
    if (authority.grantLevel(identity.principal, entry.id) === null) {
      environments.push({ name: entry.name, ...unknown });
      continue;
    }
    const { status, pending } = await environmentStatus(scope, place, entry);
    environments.push(status);
    rotationsUnderWay.push(...pending);
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
    rotationsUnderWay,
  };
}

const unknown = {
  secrets: null,
  removed: null,
  expired: null,
  expiringSoon: null,
  overdue: null,
  neverRotated: null,
  pending: null,
  nextExpiry: null,
  keysSince: null,
  rekeyDue: false,
} as const;

/** What is wrong with one secret, reading it or `doctor` says; the others are counted. */
async function environmentStatus(
  scope: Scope,
  place: Place,
  entry: EnvironmentEntry,
): Promise<{ readonly status: EnvironmentStatus; readonly pending: readonly PendingRotation[] }> {
  const survey = await surveyEnvironment(scope, entry);
  const { secrets, expired, expiring, overdue, neverRotated, pending } = countsOf(survey);
  if (survey.damaged.length > 0)
    place.warn(`${entry.name}: what does not hold together was not counted: \`vault doctor\` names it`);
  const ahead = survey.states.flatMap(({ expiry, expires }) => (expiry === 'expired' ? [] : (expires ?? [])));
  const status = {
    name: entry.name,
    secrets,
    removed: survey.removed,
    expired,
    expiringSoon: expiring,
    overdue,
    neverRotated,
    pending,
    nextExpiry: ahead.reduce<string | null>((a, b) => (a === null || b < a ? b : a), null),
    ...(await environmentKeys(scope, entry)),
  };
  return { status, pending: survey.states.flatMap((state) => state.pending ?? []) };
}
