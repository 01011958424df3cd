/** Health at a glance. Counts and times, nothing that needs a value. */
import type { StoredKdf } from '../../format/lines.ts';
import { currentVersion } from '../environment-reader.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';

export interface EnvironmentStatus {
  readonly name: string;
  readonly secrets: number | null;
  readonly removed: number | null;
  readonly expired: number | null;
  readonly expiringSoon: number | null;
  readonly overdue: number | null;
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
  readonly cipher: 'AES-256-GCM';
  readonly environments: readonly EnvironmentStatus[];
}

const soonMs = 30 * 86_400_000;

export async function vaultStatus(scope: Scope, place: Place): Promise<VaultStatus> {
  const { document, authority, identity } = scope;
  const { n, time, by } = document.snapshot.value;
  const nameOf = (id: string): string => authority.principal(id)?.name ?? id;
  const environments: EnvironmentStatus[] = [];
  for (const { entry } of document.environments) {
    environments.push(
      authority.grantLevel(identity.principal, entry.id) === null
        ? { name: entry.name, secrets: null, removed: null, expired: null, expiringSoon: null, overdue: null }
        : await environmentStatus(scope, entry.name),
    );
  }
  return {
    path: place.path,
    vaultId: document.vaultId,
    format: document.vault.value.format,
    generation: n,
    updated: time,
    updatedBy: nameOf(by),
    principal: nameOf(identity.principal),
    slots: document.slotsOf(identity.principal).map(({ value }) => ({ type: value.type, kdf: value.kdf })),
    principals: document.header.value.principals.length,
    sizeBytes: document.source.size,
    auditLog: place.audit.path,
    cipher: 'AES-256-GCM',
    environments,
  };
}

async function environmentStatus(scope: Scope, name: string): Promise<EnvironmentStatus> {
  const reader = await scope.reader(name);
  const entries = await reader.entries();
  const present = entries.filter((entry) => entry.removed === '');
  const soon = new Date(scope.now.getTime() + soonMs).toISOString();
  const now = scope.now.toISOString();
  let [expired, expiringSoon, overdue] = [0, 0, 0];
  for (const entry of present) {
    const current = currentVersion(await reader.history(entry.secret));
    if (current === null) continue;
    const { expires } = await reader.note(current);
    if (expires !== '' && expires <= now) expired += 1;
    else if (expires !== '' && expires <= soon) expiringSoon += 1;
    if (entry.interval > 0 && Date.parse(current.value.time) + entry.interval * 1_000 <= scope.now.getTime())
      overdue += 1;
  }
  return {
    name,
    secrets: present.length,
    removed: entries.length - present.length,
    expired,
    expiringSoon,
    overdue,
  };
}
