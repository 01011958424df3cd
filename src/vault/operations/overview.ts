/** What `vault console` shows: secrets with their due dates, what needs attention, and the end of the audit log. Never values. */
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { warningMs } from '../../lifecycle/due.ts';
import { queryAudit, type AuditEntry } from './audit.ts';
import { listInfo, type ListedSecret, type OnSpoiled } from './list.ts';
import { pendingRotations } from './rotation.ts';

export interface OverviewOptions {
  /** `null` for all that the principal can open. */
  readonly environment: string | null;
  /** Of one secret, or of all. */
  readonly name: string | null;
  /** How many audit records. */
  readonly last: number;
}

export interface OverviewSecret extends ListedSecret {
  /** Who is rotating it at this moment, or was interrupted; `null` for nobody. */
  readonly rotating: string | null;
}

export interface Attention {
  readonly name: string;
  readonly environment: string;
  /** Its rotation is overdue, it has expired, or it expires within the policy's `expiry.days`. */
  readonly state: 'overdue' | 'expired' | 'expiring';
  /** Since when, or when. */
  readonly time: string;
}

export interface Overview {
  readonly secrets: readonly OverviewSecret[];
  /** Of these secrets, by time. One secret may be there twice. */
  readonly due: readonly Attention[];
  /** Oldest first. */
  readonly audit: readonly AuditEntry[];
}

export async function overviewOf(
  scope: Scope,
  place: Place,
  options: OverviewOptions,
  onSpoiled: OnSpoiled,
): Promise<Overview> {
  const { environment } = options;
  const list = {
    environment,
    allEnvironments: environment === null,
    pattern: null,
    removed: false,
    type: null,
    tags: new Map<string, string>(),
    expiringBefore: null,
    expired: false,
    due: false,
  };
  const infos = await listInfo(scope, list, onSpoiled);
  const pending = await pendingRotations(scope, environment, null);
  const rotating = new Map(pending.map(({ environment: where, name, by }) => [`${where}\n${name}`, by]));
  const secrets = infos.map((info) => ({
    ...info,
    rotating: rotating.get(`${info.environment}\n${info.name}`) ?? null,
  }));
  return {
    secrets,
    due: attention(secrets, scope.now, warningMs(scope.policy)),
    audit: await trailOf(scope, place, options),
  };
}

/** The last records of one secret or of all. */
export async function trailOf(
  scope: Scope,
  place: Place,
  { environment, name, last }: OverviewOptions,
): Promise<readonly AuditEntry[]> {
  const query = { operation: null, principal: null, since: null, until: null, failed: false };
  return (await queryAudit(scope, place, { ...query, environment, name, last })).entries;
}

function attention(secrets: readonly OverviewSecret[], moment: Date, windowMs: number): Attention[] {
  const now = moment.toISOString();
  const soon = new Date(moment.getTime() + windowMs).toISOString();
  const found: Attention[] = [];
  for (const { name, environment, due, expires } of secrets) {
    if (due !== null && due <= now) found.push({ name, environment, state: 'overdue', time: due });
    if (expires !== null && expires <= soon)
      found.push({ name, environment, state: expires <= now ? 'expired' : 'expiring', time: expires });
  }
  return found.sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time)));
}
