/**
 * Changing who may do what: principals, administrators, environments, policy, keys. Everything is staged here and becomes one new
 * header, with a new root where administrators change. docs/format.md section 3.
 *
 * Invariants: whoever loses anything in an environment makes that environment get new keys, and everything in it is signed again by
 * the administrator who does it; nobody else's credential is needed for that.
 */
import { AccessDeniedError, IntegrityError, UsageError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import type { Identity } from '../access/bundle.ts';
import { isAwaited } from '../access/header-rules.ts';
import { listsOf, lostBetween, rightsOf, type Rights } from '../access/rights.ts';
import type { Bytes } from '../crypto/bytes.ts';
import type { VaultDocument } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import type { EnvironmentEntry, HeaderLine, PrincipalEntry } from '../format/lines.ts';
import type { HeadLines } from './build.ts';
import type { BuiltEnvironment, WriteStamp } from './environment-layout.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import { EnvironmentChanges } from './environment-changes.ts';
import type { PolicyChange } from './environment-entries.ts';
import { placeGrants } from './grants.ts';
import { ownSealKey, type PrincipalKeys } from './principal-keys.ts';
import type { EndedRotation } from './rekey.ts';
import type { LeftOut } from './settle-changes.ts';
import { makeHeader, placeCredentials, withRoot, type Admins } from './access-head.ts';

export interface BuiltAccess {
  readonly environments: ReadonlyMap<string, BuiltEnvironment>;
  readonly header: Line<HeaderLine>;
  readonly roots: readonly Bytes[];
}

interface Ports {
  readonly document: VaultDocument;
  readonly authority: Authority;
  readonly stamp: WriteStamp;
  readonly reader: (entry: EnvironmentEntry) => Promise<EnvironmentReader>;
  /** Who has taken up an invitation with keys that nothing can be sealed to: they stay as they are. */
  readonly leftWaiting: ReadonlySet<string>;
}

export class AccessDraft {
  readonly #ports: Ports;
  readonly #environments: EnvironmentChanges;
  principals: readonly PrincipalEntry[];
  policy: ReadonlyMap<string, string>;
  #retired: HeaderLine['retired'];
  #admins: Admins;
  readonly #credentials = new Map<string, PrincipalKeys>();
  #signer: Identity;

  constructor(ports: Ports) {
    const { document, authority, stamp } = ports;
    this.#ports = ports;
    this.#signer = stamp.identity;
    const { header, lastRoot } = authority;
    const arrived = (entry: PrincipalEntry): boolean =>
      entry.signPub !== '' && document.bundleOf(entry.id) !== null;
    const listed = new Map(header.principals.map((entry) => [entry.id, entry]));
    this.principals = [...authority.principals].map((entry) => {
      if (ports.leftWaiting.has(entry.id)) return listed.get(entry.id) ?? entry;
      return arrived(entry) ? { ...entry, invited: '' } : entry;
    });
    this.#environments = new EnvironmentChanges(ports, header.environments);
    this.policy = new Map(header.policy.map(([key, value]) => [key, value]));
    this.#retired = header.retired;
    this.#admins = lastRoot.admins;
  }

  /** The identity that signs the result: another one than before where the administrator's own keys change. */
  get signer(): Identity {
    return this.#signer;
  }

  get environments(): readonly EnvironmentEntry[] {
    return this.#environments.entries;
  }

  /** Ids of environments that get new keys. */
  get rekeyed(): string[] {
    return this.#environments.rekeyed;
  }

  /** What did not hold when environments got new keys. */
  get setAside(): readonly LeftOut[] {
    return this.#environments.setAside;
  }

  /** Rotations that end with whoever began them. */
  get ended(): readonly EndedRotation[] {
    return this.#environments.ended;
  }

  principalNamed(name: string): PrincipalEntry {
    const found = this.principals.find((entry) => entry.name === name);
    if (found !== undefined) return found;
    const known = this.principals.map((entry) => entry.name).join(', ');
    throw new UsageError(`there is no principal ${name}; this vault has ${known}`);
  }

  isAdmin(id: string): boolean {
    return this.#admins.some(([admin]) => admin === id);
  }

  rightsOf(entry: PrincipalEntry): Rights {
    if (!this.isAdmin(entry.id)) return rightsOf(entry);
    const all = new Set(['list', 'read', 'rotate', 'write', 'delete'] as const);
    return new Map(this.environments.map(({ id }) => [id, all]));
  }

  addPrincipal(
    entry: Pick<PrincipalEntry, 'id' | 'name' | 'expires'>,
    keys: PrincipalKeys,
    rights: Rights | 'admin',
  ): void {
    if (this.principals.some(({ name }) => name === entry.name))
      throw new UsageError(`there is a principal ${entry.name} already`);
    const { signPub, sealPub, invited } = keys;
    const { id, name, expires } = entry;
    const nothing = listsOf(new Map(), []);
    this.principals = [...this.principals, { id, name, signPub, sealPub, ...nothing, expires, invited }];
    this.#credentials.set(id, keys);
    this.setRights(id, rights);
  }

  /** Give a principal exactly these rights. What it loses makes new keys. @throws AccessDeniedError for the last administrator */
  setRights(id: string, rights: Rights | 'admin'): void {
    const entry = this.#principal(id);
    const before = this.rightsOf(entry);
    if (rights === 'admin') {
      if (entry.signPub === '') {
        const hint = 'grant `admin` once they have joined, or add them from a request';
        throw new UsageError(`${entry.name} has no keys yet and cannot be an administrator`, { hint });
      }
      if (!this.isAdmin(id)) this.#admins = [...this.#admins, [id, entry.signPub]];
      this.#replace({ ...entry, ...listsOf(new Map(), []) });
      return;
    }
    this.#demote(entry);
    const ids = this.environments.map((environment) => environment.id);
    this.#replace({ ...entry, ...listsOf(rights, ids) });
    this.#expose(entry, before, rights);
  }

  /** @throws AccessDeniedError where no administrator without an end would be left */
  setExpiry(id: string, expires: string): void {
    this.#replace({ ...this.#principal(id), expires });
    if (expires !== '' && this.isAdmin(id)) this.#checkLasting(this.#admins, this.#principal(id));
  }

  /** Remove a principal: its key verifies records of its time, and nothing else from now on. */
  removePrincipal(id: string): void {
    const entry = this.#principal(id);
    this.#demote(entry);
    this.#expose(entry, this.rightsOf(entry), new Map());
    this.#retire(entry);
    this.#credentials.delete(id);
    this.principals = this.principals.filter((other) => other.id !== id);
  }

  /**
   * New keys and credentials for a principal that stays. What it could open gets new keys too, since whoever has the old ones could
   * open the next.
   * @param exposed whether somebody else may have read what it could
   * @param identity the new one, where the principal is the administrator who does this
   */
  replaceKeys(id: string, keys: PrincipalKeys, exposed: boolean, identity: Identity | null = null): void {
    const entry = this.#principal(id);
    const rights = this.rightsOf(entry);
    this.#expose(entry, rights, new Map(), exposed);
    this.#retire(entry);
    const { signPub, sealPub, invited } = keys;
    this.#replace({ ...entry, signPub, sealPub, invited });
    this.#admins = this.#admins.map((admin) => (admin[0] === id ? [id, signPub] : admin));
    this.#credentials.set(id, keys);
    if (identity !== null) this.#signer = identity;
  }

  async addEnvironment(name: string): Promise<EnvironmentEntry> {
    return this.#environments.add(this.#stamp, name);
  }

  removeEnvironment(id: string): void {
    this.#environments.remove(id);
    const remains = (environment: string): boolean => environment !== id;
    this.principals = this.principals.map((entry) => ({
      ...entry,
      list: entry.list.filter(remains),
      read: entry.read.filter(remains),
      rotate: entry.rotate.filter(remains),
      write: entry.write.filter(remains),
      delete: entry.delete.filter(remains),
    }));
  }

  /** New keys for an environment. */
  rekey(id: string): void {
    this.#environments.rekey(id);
  }

  setPolicy(key: string, value: string | null): void {
    const policy = new Map(this.policy);
    if (value === null) policy.delete(key);
    else policy.set(key, value);
    this.policy = policy;
  }

  /** Change the policy that stands sealed in an environment of before. */
  changeSealedPolicy(environment: string, change: PolicyChange): void {
    this.#environments.changeSealedPolicy(environment, change);
  }

  /** Lay everything out in the head's lines. Reads and seals what gets new keys. */
  async build(head: HeadLines): Promise<BuiltAccess> {
    const changes = this.#environments;
    const stays = (principal: string): boolean => this.principals.some(({ id }) => id === principal);
    const environments = await changes.build(this.#stamp, stays);
    await this.#completeSealKeys();
    const { authority, document, stamp, leftWaiting } = this.#ports;
    const { principals } = this;
    placeCredentials(head, { principals, credentials: this.#credentials, leftWaiting });
    await placeGrants(head, {
      domain: authority.domain,
      random: stamp.random,
      signer: this.#signer,
      principals: this.principals,
      environments: this.environments,
      levelBefore: (id, environment) =>
        document.environment(environment) === null ? null : authority.grantLevel(id, environment),
      level: (entry, environment) => this.#levelOf(entry, environment),
      wrapKey: (id) => this.#credentials.get(id)?.wrapKey ?? null,
      renewed: (id) => changes.isNew(id) || this.#credentials.has(id),
      keys: async (entry) => changes.keysOf(entry),
    });
    const roots = await withRoot(authority, stamp, this.#admins, head.roots);
    const header = await makeHeader(authority, this.#stamp, roots, {
      principals: this.principals,
      retired: this.#retired,
      environments: this.environments,
      policy: this.policy,
    });
    changes.close();
    return { environments, header, roots };
  }

  get #stamp(): WriteStamp {
    return { ...this.#ports.stamp, identity: this.#signer };
  }

  #principal(id: string): PrincipalEntry {
    const found = this.principals.find((entry) => entry.id === id);
    if (found === undefined) throw new IntegrityError('a principal is missing');
    return found;
  }

  #replace(entry: PrincipalEntry): void {
    this.principals = this.principals.map((other) => (other.id === entry.id ? entry : other));
  }

  #demote(entry: PrincipalEntry): void {
    if (!this.isAdmin(entry.id)) return;
    const rest = this.#admins.filter(([admin]) => admin !== entry.id);
    this.#checkLasting(rest, entry);
    // The header that says so would be signed by somebody who is none: nobody could open it.
    if (entry.id === this.#signer.principal)
      throw new UsageError('you cannot take the administration from yourself', {
        hint: 'another administrator can',
      });
    const before = this.rightsOf(entry);
    this.#admins = rest;
    this.#expose(entry, before, new Map());
  }

  /** Somebody can always go on: an administrator who has joined, and whose access has no end. */
  #checkLasting(admins: Admins, without: PrincipalEntry): void {
    const lasts = admins.some(([id]) => {
      const admin = this.#principal(id);
      return !isAwaited(admin) && admin.expires === '';
    });
    if (lasts) return;
    const hint =
      'make somebody else an administrator without an end first: `vault access grant NAME --can admin`';
    throw new AccessDeniedError(`${without.name} is the last administrator`, { hint });
  }

  /** Everything that is lost makes new keys; who could read is remembered with the environment. */
  #expose(entry: PrincipalEntry, before: Rights, after: Rights, remembered = true): void {
    // Who is only invited has never had a key.
    const listed = this.#ports.authority.header.principals.find(({ id }) => id === entry.id);
    if (listed?.signPub === '') return;
    for (const [environment, lost] of lostBetween(before, after)) {
      if (!this.environments.some(({ id }) => id === environment)) continue;
      this.rekey(environment);
      const knows = lost.has('read') || lost.has('rotate') || lost.has('write');
      if (remembered && knows && entry.signPub !== '')
        this.#environments.remember(environment, entry.id, lost.has('read'));
    }
  }

  #retire({ id, name, signPub }: PrincipalEntry): void {
    if (signPub === '') return;
    const { header } = this.#ports.authority;
    const ranges = this.#retired.filter((entry) => entry.id === id).map((entry) => entry.until);
    const from = Math.max(0, ...ranges) + 1;
    if (from > header.n) return;
    this.#retired = [...this.#retired, { id, name, signPub, from, until: header.n }];
  }

  #levelOf(entry: PrincipalEntry, environment: string): 'list' | 'read' | null {
    if (entry.signPub === '') return null;
    // Whose time is over gets no later keys.
    if (entry.expires !== '' && entry.expires < this.#ports.stamp.time) return null;
    if (this.isAdmin(entry.id) || entry.read.includes(environment)) return 'read';
    return entry.list.includes(environment) ? 'list' : null;
  }

  /** Public keys that others will seal to: the administrator's own, and those of environments that somebody cannot read but add to. */
  async #completeSealKeys(): Promise<void> {
    const own = this.#principal(this.#signer.principal);
    if (own.sealPub === '' && this.principals.length > 1)
      this.#replace({ ...own, sealPub: await ownSealKey(this.#signer) });
    await this.#environments.completeSealKeys(this.principals);
  }
}
