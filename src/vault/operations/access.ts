/** Principals: who is there, what they may do, and changing it. docs/format.md section 3. */
import { UsageError } from '../../errors.ts';
import { isSealKey } from '../../access/grant.ts';
import {
  environmentLevels,
  narrowed,
  rightsOf,
  widened,
  type EnvironmentLevel,
  type Level,
  type Rights,
} from '../../access/rights.ts';
import { shortIdLength } from '../../access/slot.ts';
import { encodeBase64url } from '../../crypto/bytes.ts';
import type { KdfEngine } from '../../crypto/kdf.ts';
import { limits } from '../../format/limits.ts';
import { slotLine, type PrincipalEntry, type SlotLine } from '../../format/lines.ts';
import { newLabelProblem } from '../../format/name.ts';
import type { AccessDraft } from '../access-draft.ts';
import type { WriteScope } from '../scope.ts';
import { meansEnvironment } from './environments.ts';

import { checkNewKeys, makeKeys, type Entrance } from './entrance.ts';

/** What somebody is to be able to do. */
export interface WantedAccess {
  readonly levels: readonly Level[];
  /** Names or patterns of environments; empty with `admin`, which is everywhere. */
  readonly environments: readonly string[];
}

export interface NewPrincipal {
  readonly name: string;
  readonly access: WantedAccess;
  readonly expires: Date | null;
  readonly entrance: Entrance;
  readonly engine: KdfEngine;
}

export interface AccessChanged {
  readonly name: string;
  readonly admin: boolean;
  readonly environments: Readonly<Record<string, readonly EnvironmentLevel[]>>;
  readonly expires: string | null;
  /** Environments that got new keys. */
  readonly rekeyed: readonly string[];
  /** Shown once. */
  readonly token?: string;
}

const detailBound = 1_000;

function environmentIds(access: AccessDraft, wanted: readonly string[]): string[] {
  const ids = new Set<string>();
  for (const text of wanted) {
    const found = access.environments.filter(({ name }) => meansEnvironment(text, name));
    if (found.length === 0) {
      const known = access.environments.map(({ name }) => name).join(', ');
      throw new UsageError(`there is no environment ${text}; this vault has ${known}`);
    }
    for (const { id } of found) ids.add(id);
  }
  return [...ids];
}

function isEnvironmentLevel(level: Level): level is EnvironmentLevel {
  return level !== 'admin';
}

/** The rights that are asked for, on top of present ones. @throws UsageError */
function wantedRights(access: AccessDraft, present: Rights, wanted: WantedAccess): Rights | 'admin' {
  const { levels, environments } = wanted;
  if (levels.length === 0) throw new UsageError('say what they may do with --can');
  if (levels.includes('admin')) {
    if (environments.length > 0) throw new UsageError('admin is everywhere: leave --env out');
    return 'admin';
  }
  if (environments.length === 0) throw new UsageError('say where they may do it with --env');
  return widened(present, levels.filter(isEnvironmentLevel), environmentIds(access, environments));
}

function describe(access: AccessDraft, entry: PrincipalEntry, rekeyed: readonly string[]): AccessChanged {
  const rights: Rights = access.isAdmin(entry.id) ? new Map() : rightsOf(entry);
  const environments = access.environments.flatMap(({ id, name }) => {
    const own = rights.get(id);
    return own === undefined ? [] : [[name, environmentLevels.filter((level) => own.has(level))] as const];
  });
  return {
    name: entry.name,
    admin: access.isAdmin(entry.id),
    environments: Object.fromEntries(environments),
    expires: entry.expires === '' ? null : entry.expires,
    rekeyed,
  };
}

function report(scope: WriteScope, access: AccessDraft, entry: PrincipalEntry, what: string): AccessChanged {
  const names = access.rekeyed.map((id) => access.environments.find((one) => one.id === id)?.name ?? id);
  const changed = describe(access, entry, names);
  const rights = changed.admin
    ? 'admin'
    : Object.entries(changed.environments)
        .map(([name, levels]) => `${levels.join(',')} in ${name}`)
        .join('; ');
  scope.trace.detail = Buffer.from(`${what} ${entry.name}: ${rights === '' ? 'nothing' : rights}`)
    .subarray(0, detailBound)
    .toString('utf8')
    .toWellFormed();
  return changed;
}

function expiryOf(scope: WriteScope, expires: Date | null): string {
  if (expires === null) return '';
  if (expires.toISOString() <= scope.stamp.time) throw new UsageError('the expiry is in the past');
  return expires.toISOString();
}

/** @throws UsageError; AccessDeniedError for who is no administrator */
export async function addPrincipal(scope: WriteScope, wanted: NewPrincipal): Promise<AccessChanged> {
  const access = scope.administration();
  const problem = newLabelProblem(wanted.name);
  if (problem !== null) throw new UsageError(`this cannot name a principal: ${problem}`);
  const rights = wantedRights(access, new Map(), wanted.access);
  const { entrance } = wanted;
  const id =
    entrance.type === 'keys' || entrance.type === 'invitation'
      ? entrance.id
      : encodeBase64url(scope.stamp.random(shortIdLength));
  checkNewKeys(scope, access, id, entrance);
  if (entrance.type === 'keys' && !(await isSealKey(scope.stamp.random, entrance.sealPub)))
    throw new UsageError('nothing can be sealed to the keys of this request', {
      hint: 'they make another one with `vault join --request`',
    });
  const { keys, token } = await makeKeys(scope, id, entrance, wanted.engine);
  access.addPrincipal({ id, name: wanted.name, expires: expiryOf(scope, wanted.expires) }, keys, rights);
  const changed = report(scope, access, access.principalNamed(wanted.name), 'add');
  return token === undefined ? changed : { ...changed, token };
}

export function grantAccess(
  scope: WriteScope,
  name: string,
  wanted: WantedAccess,
  expires: Date | null | undefined,
): AccessChanged {
  const access = scope.administration();
  const entry = access.principalNamed(name);
  if (access.isAdmin(entry.id) && wanted.levels.length > 0)
    throw new UsageError(`${name} is an administrator, and may do everything already`);
  if (wanted.levels.length > 0) access.setRights(entry.id, wantedRights(access, rightsOf(entry), wanted));
  else if (expires === undefined) throw new UsageError('say what they may do with --can');
  if (expires !== undefined) access.setExpiry(entry.id, expiryOf(scope, expires));
  return report(scope, access, access.principalNamed(name), 'grant');
}

/** Take rights away; without levels all of them, without environments everywhere. What was readable gets new keys. */
export function revokeAccess(scope: WriteScope, name: string, wanted: WantedAccess): AccessChanged {
  const access = scope.administration();
  const entry = access.principalNamed(name);
  const { levels, environments } = wanted;
  const admin = access.isAdmin(entry.id);
  if (admin && !levels.includes('admin')) {
    const hint = '`vault access revoke NAME --can admin` takes that away first';
    throw new UsageError(`${name} is an administrator and has everything everywhere`, { hint });
  }
  if (levels.includes('admin')) {
    if (!admin) throw new UsageError(`${name} is no administrator`);
    access.setRights(entry.id, new Map());
    distrust(scope, access, entry.id);
  } else {
    const before = rightsOf(entry);
    const ids = environments.length === 0 ? [...before.keys()] : environmentIds(access, environments);
    const taken = levels.length === 0 ? null : levels.filter(isEnvironmentLevel);
    const had = ids.some((id) => {
      const own = before.get(id);
      return own !== undefined && (taken === null || taken.some((level) => own.has(level)));
    });
    if (!had) throw new UsageError(`${name} has no such right`);
    access.setRights(entry.id, narrowed(before, taken, ids));
  }
  return report(scope, access, access.principalNamed(name), 'revoke');
}

export function removePrincipal(scope: WriteScope, name: string): AccessChanged {
  const access = scope.administration();
  const entry = access.principalNamed(name);
  if (entry.id === scope.identity.principal) {
    const hint = 'another administrator can remove you';
    throw new UsageError('you cannot remove yourself', { hint });
  }
  const wasAdmin = access.isAdmin(entry.id);
  access.removePrincipal(entry.id);
  if (wasAdmin) distrust(scope, access, entry.id);
  const gone = { ...entry, list: [], read: [], rotate: [], write: [], delete: [] };
  return report(scope, access, gone, 'remove');
}

/**
 * What a former administrator may have made, and so may know: tokens of everybody else are to be reissued; invitations that nobody has
 * taken up, or that no header has completed, are withdrawn.
 */
function distrust(scope: WriteScope, access: AccessDraft, former: string): void {
  for (const { id, name, signPub } of scope.authority.header.principals) {
    if (signPub !== '' || id === former) continue;
    access.removePrincipal(id);
    scope.notices.push(`the invitation of ${name} was withdrawn: a former administrator may know it`);
  }
  const present = scope.document.all<SlotLine>('slot', slotLine, limits.principals * limits.slots);
  const tokens = present
    .filter(({ value }) => value.type === 'token' && value.principal !== former)
    .map(({ value }) => value.id);
  access.setPolicy('tokens.reissue', tokens.length === 0 ? null : tokens.join(','));
}

/** New keys and a new credential for a principal; its old ones open nothing from now on. */
export async function reissuePrincipal(
  scope: WriteScope,
  name: string,
  entrance: Entrance,
  { engine, exposed }: { readonly engine: KdfEngine; readonly exposed: boolean },
): Promise<AccessChanged> {
  const access = scope.administration();
  const entry = access.principalNamed(name);
  if (entry.id === scope.identity.principal)
    throw new UsageError('for yourself: `vault passwd --compromised`');
  checkNewKeys(scope, access, null, entrance);
  if (entry.expires !== '' && entry.expires < scope.stamp.time) {
    const hint = `\`vault access grant ${name} --expires TIME\` first`;
    throw new UsageError(`the access of ${name} expired at ${entry.expires}`, { hint });
  }
  if (entrance.type === 'invitation' && access.isAdmin(entry.id)) {
    const hint = 'take that away first, or use --token or --passphrase';
    throw new UsageError('an administrator has keys, which an invitation brings only later', { hint });
  }
  if ((entrance.type === 'keys' || entrance.type === 'invitation') && entrance.id !== entry.id) {
    // Keys that were made for another id seal a bundle that says so.
    throw new UsageError('this request was made as somebody new: remove the old principal and add this one');
  }
  const { keys, token } = await makeKeys(scope, entry.id, entrance, engine);
  access.replaceKeys(entry.id, keys, exposed);
  const due = (access.policy.get('tokens.reissue') ?? '').split(',').filter((id) => id !== '');
  const old = new Set(scope.document.slotsOf(entry.id).map(({ value }) => value.id));
  const rest = due.filter((id) => !old.has(id));
  if (rest.length < due.length) access.setPolicy('tokens.reissue', rest.length === 0 ? null : rest.join(','));
  const changed = report(scope, access, access.principalNamed(name), 'reissue');
  return token === undefined ? changed : { ...changed, token };
}
