/**
 * Somebody leaves: what they could open, and what of it has not been changed since. A removed key opens nothing new; what was read
 * was read, and only a new value helps.
 */
import { auditKeysOf, hashesBy } from './audit-names.ts';
import { disclosures } from './disclosures.ts';
import { SecretNames } from './secret-names.ts';
import { currentVersion } from '../secret-history.ts';
import { exposuresOf, isFresh } from '../exposure.ts';
import { openCarry } from '../new-environment.ts';
import type { Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { UsageError } from '../../errors.ts';

export interface OpenVersion {
  readonly environment: string;
  readonly name: string;
  readonly version: number;
  readonly current: boolean;
  /** When this principal last received it, as the log of this place has it. */
  readonly lastUsed: string | null;
}

/** When a principal last received or brought a version, by environment, secret and version; also under the names that secrets had before. */
async function usesOf(scope: Scope, place: Place, principal: string): Promise<ReadonlyMap<string, string>> {
  const names = new SecretNames();
  for (const environment of scope.accessible()) {
    const reader = await scope.readerOf(environment);
    const keys = await auditKeysOf(scope, reader);
    for (const { name, secret } of await reader.entries())
      names.add(environment.id, secret, await hashesBy(keys, name));
  }
  const uses = new Map<string, string>();
  const { head } = scope.document.snapshot.value;
  for (const { record, environment, secret, version } of disclosures(place, head, names, (bytes) =>
    bytes.includes(principal),
  )) {
    const key = `${environment} ${secret} ${version}`;
    if (record.principal === principal && !uses.has(key)) uses.set(key, record.time);
  }
  return uses;
}

/** Every kept version that a principal can open now, the one it used last first. */
export async function openTo(scope: Scope, place: Place, name: string): Promise<OpenVersion[]> {
  const { authority } = scope;
  const entry = [...authority.principals].find((one) => one.name === name);
  if (entry === undefined) throw new UsageError(`there is no principal ${name}`);
  const uses = await usesOf(scope, place, entry.id);
  const all: OpenVersion[] = [];
  for (const environment of authority.header.environments) {
    if (authority.grantLevel(entry.id, environment.id) !== 'read') continue;
    const reader = await scope.readerOf(environment);
    for (const { name: secretName, secret } of await reader.entries()) {
      const history = await reader.history(secret);
      const current = currentVersion(history);
      for (const { value } of history.versions) {
        all.push({
          environment: environment.name,
          name: secretName,
          version: value.version,
          current: value.version === current?.value.version,
          lastUsed: uses.get(`${environment.id} ${secret} ${value.version}`) ?? null,
        });
      }
    }
  }
  const order = (one: OpenVersion): string => one.lastUsed ?? '';
  return all.sort((a, b) => (order(a) === order(b) ? 0 : order(a) < order(b) ? 1 : -1));
}

export interface StillExposed {
  readonly principal: string;
  readonly environment: string;
  readonly name: string;
  readonly version: number;
  readonly since: string;
}

export interface OffboardStatus {
  readonly secrets: readonly StillExposed[];
  /** Principals whose tokens a removed administrator may know. */
  readonly tokens: readonly string[];
}

/**
 * What was open to somebody who is gone and is still the current value.
 * @throws UsageError for a name that nobody has or had: a mistyped one must not look done
 */
export async function offboardStatus(scope: Scope, name: string | null): Promise<OffboardStatus> {
  const { authority } = scope;
  const known = [...authority.principals, ...authority.header.retired];
  if (name !== null && !known.some((one) => one.name === name))
    throw new UsageError(`there is and was no principal ${name}`);
  const secrets: StillExposed[] = [];
  for (const environment of scope.accessible()) {
    const reader = await scope.readerOf(environment);
    const { policy } = await openCarry(authority.domain, environment, reader.keys);
    const exposures = exposuresOf(policy).filter(
      ({ principal }) => name === null || authority.nameOf(principal) === name,
    );
    if (exposures.length === 0) continue;
    for (const entry of await reader.entries()) {
      if (entry.removed !== '') continue;
      const current = currentVersion(await reader.history(entry.secret));
      if (current === null) continue;
      const { operation } = await reader.note(current);
      for (const { principal, until, read } of exposures) {
        if (current.value.time > until && isFresh(operation)) continue;
        if (!read && current.value.author !== principal) continue;
        secrets.push({
          principal: authority.nameOf(principal),
          environment: environment.name,
          name: entry.name,
          version: current.value.version,
          since: until,
        });
      }
    }
  }
  return { secrets, tokens: tokensToReissue(scope) };
}

/** Principals whose tokens somebody may know who was an administrator when they were made. */
export function tokensToReissue({ authority, document, policy }: Scope): string[] {
  const due = (policy.get('tokens.reissue') ?? '').split(',').filter((id) => id !== '');
  return due.flatMap((id) => {
    return document.slotsById(id).map((slot) => authority.nameOf(slot.value.principal));
  });
}
