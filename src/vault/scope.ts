/** What an operation works with: the verified document, its environments, and the trace that its audit record will tell. */
import { AccessDeniedError, IntegrityError, UsageError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import type { Identity } from '../access/bundle.ts';
import { closeEnvironmentKeys } from '../access/environment-key.ts';
import { isSealKey, openGrant } from '../access/grant.ts';
import { isAwaited } from '../access/header-rules.ts';
import { nameHash } from '../audit/record.ts';
import type { SignedRecord } from '../format/audit-record.ts';
import type { VaultDocument } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import { limits } from '../format/limits.ts';
import type { EnvironmentEntry, PrincipalEntry, SlotLine, SuccessionLine } from '../format/lines.ts';
import { policyValue, readPolicy, type Policy } from '../lifecycle/policy.ts';
import { AccessDraft } from './access-draft.ts';
import { ChangesDraft } from './changes-draft.ts';
import type { Draft } from './draft.ts';
import { EnvironmentDraft } from './environment-draft.ts';
import type { WriteStamp } from './environment-layout.ts';
import { EnvironmentReader } from './environment-reader.ts';
import { StagedReversal } from './reversal.ts';
import type { SecretInfo } from './secret-info.ts';

/** What the audit record of an operation names, collected while it works, so that a failed one names it too. */
class Trace {
  environment = '';
  detail = '';
  /** Whether something else depends on the detail as it is: nothing is added then. */
  isExact = false;
  /** Versions, in the order in which they came, by environment and keyed hash. */
  readonly #secrets = new Map<string, readonly [string, string, Set<number>]>();

  /** Note that an operation concerns a name; `version` is 0 until one is known. Of several versions each is told. */
  async name(reader: EnvironmentReader, name: string, version = 0): Promise<void> {
    this.environment = reader.id;
    const hash = await nameHash(reader.keys.audit, name);
    const key = `${reader.id} ${hash}`;
    const known = this.#secrets.get(key) ?? [reader.id, hash, new Set<number>()];
    this.#secrets.set(key, known);
    if (version > 0) known[2].add(version);
  }

  /** Note hashes that a name has by other keys. */
  hashes({ id }: EnvironmentReader, hashes: readonly string[]): void {
    for (const hash of hashes)
      if (!this.#secrets.has(`${id} ${hash}`)) this.#secrets.set(`${id} ${hash}`, [id, hash, new Set()]);
  }

  fields(): { environment: string; secrets: SignedRecord['secrets']; detail: string } {
    const detail = Buffer.from(this.detail)
      .subarray(0, limits.detail - 3)
      .toString('utf8');
    // Cut in the middle of a character, the end reads as U+FFFD.
    const secrets = [...this.#secrets.values()].flatMap(([environment, hash, versions]) =>
      (versions.size === 0 ? [0] : [...versions]).map((version): [string, string, number] => [
        environment,
        hash,
        version,
      ]),
    );
    return { environment: this.environment, secrets, detail };
  }
}

export class Scope {
  readonly document: VaultDocument;
  readonly authority: Authority;
  readonly identity: Identity;
  readonly policy: Policy;
  readonly now: Date;
  readonly trace = new Trace();
  readonly #readers = new Map<string, EnvironmentReader>();
  readonly #sealed = new Set<string>();

  constructor(document: VaultDocument, authority: Authority, identity: Identity, now: Date) {
    this.document = document;
    this.authority = authority;
    this.identity = identity;
    this.now = now;
    this.policy = readPolicy(authority.header.policy);
  }

  /** The environment of a name; without one, the vault's own default or the only one that the principal can open. */
  entry(name: string | null): EnvironmentEntry {
    const { environments } = this.authority.header;
    if (name !== null) {
      const named = environments.find((entry) => entry.name === name);
      if (named !== undefined) return named;
      const known = environments.map((entry) => entry.name).join(', ');
      throw new UsageError(`there is no environment ${name}; this vault has ${known}`);
    }
    return this.meantBy(this.policy);
  }

  /** The environment that is meant by none under a policy. */
  meantBy(policy: Policy): EnvironmentEntry {
    const { environments } = this.authority.header;
    const granted = environments.filter(
      (entry) => this.authority.grantLevel(this.identity.principal, entry.id) !== null,
    );
    const byDefault = policyValue(policy, 'environment.default');
    const chosen =
      (granted.length === 1 ? granted[0] : undefined) ??
      environments.find((entry) => entry.id === byDefault) ??
      environments.find((entry) => entry.name === 'development') ??
      environments[0];
    if (chosen === undefined) throw new UsageError('the vault has no environment');
    return chosen;
  }

  async reader(name: string | null): Promise<EnvironmentReader> {
    return this.readerOf(this.entry(name));
  }

  async readerOf(entry: EnvironmentEntry): Promise<EnvironmentReader> {
    const known = this.#readers.get(entry.id);
    if (known !== undefined) return known;
    const level = this.authority.grantLevel(this.identity.principal, entry.id);
    if (level === null) throw this.#noAccess(entry);
    const grants = this.document
      .grantsOf(this.identity.principal)
      .filter((line) => line.value.environment === entry.id);
    const [grant, ...more] = grants;
    const part = this.document.environment(entry.id);
    if (grant === undefined || more.length > 0 || part === null)
      throw new IntegrityError(`the grant for ${entry.name} is missing`);
    if (grant.value.level !== level)
      throw new IntegrityError(`the grant for ${entry.name} is not the one that the header lists`);
    const keys = await openGrant(this.authority.domain, this.identity, entry, grant.value);
    const reader = new EnvironmentReader(this.document, this.authority, part, keys);
    this.#readers.set(entry.id, reader);
    if (grant.value.form === 'seal') this.#sealed.add(entry.id);
    return reader;
  }

  #noAccess({ name }: EnvironmentEntry): AccessDeniedError {
    if (!this.authority.isNewcomer(this.identity.principal))
      return new AccessDeniedError(`you have no access to the environment ${name}`);
    const hint = 'any change by an administrator completes it';
    return new AccessDeniedError('your access is not complete yet', { hint });
  }

  /** Environments that were opened by a grant that somebody else had sealed. */
  openedBySeal(): EnvironmentReader[] {
    return [...this.#readers.values()].filter((reader) => this.#sealed.has(reader.id));
  }

  get isAdministrator(): boolean {
    return this.authority.isAdmin(this.identity.principal);
  }

  /** @throws AccessDeniedError for who is no administrator */
  checkAdministrator(): void {
    if (!this.isAdministrator) throw new AccessDeniedError('only an administrator may do this');
  }

  /** Entries that the principal can open, in header order. */
  accessible(): EnvironmentEntry[] {
    return this.authority.header.environments.filter(
      (entry) => this.authority.grantLevel(this.identity.principal, entry.id) !== null,
    );
  }

  close(): void {
    for (const reader of this.#readers.values()) closeEnvironmentKeys(reader.keys);
    this.#readers.clear();
  }
}

/** A version in whose place nothing old is to stay valid. */
export type Owed = Pick<SecretInfo, 'environment' | 'name' | 'version' | 'updated'>;

/** A scope that may change things. */
export class WriteScope extends Scope {
  readonly stamp: WriteStamp;
  readonly drafts = new Map<string, Draft>();
  /** New slots of the unlocked principal, all of them, in file order; `null` leaves them as they are. */
  slots: readonly Line<SlotLine>[] | null = null;
  /** Line by which an invited principal takes its place. */
  succession: Line<SuccessionLine> | null = null;
  /** What the operation does to secrets, told by it, for `undo`. */
  readonly reversal = new StagedReversal();
  /** What the person should hear of once it is written. */
  readonly notices: string[] = [];
  /** Versions whose hooks will not be asked any more to let the values before them go. */
  readonly owed: Owed[] = [];
  /** What is to be done once the change is committed, before anybody else comes. What it throws undoes nothing. */
  readonly afterwards: (() => void)[] = [];
  #leftWaiting: ReadonlySet<string> = new Set();
  #access: AccessDraft | null = null;

  constructor(
    document: VaultDocument,
    authority: Authority,
    identity: Identity,
    now: Date,
    stamp: WriteStamp,
  ) {
    super(document, authority, identity, now);
    this.stamp = stamp;
  }

  /** Who has joined since the last header, and can be given what they were promised; who cannot be stays as they are, and is named. */
  async findNewcomers(): Promise<readonly PrincipalEntry[]> {
    if (!this.isAdministrator) return [];
    const left = new Set<string>();
    const ready: PrincipalEntry[] = [];
    for (const principal of this.authority.principals) {
      if (!isAwaited(principal) || this.document.bundleOf(principal.id) === null) continue;
      if (await isSealKey(this.stamp.random, principal.sealPub)) ready.push(principal);
      else {
        left.add(principal.id);
        this.notices.push(
          `${principal.name} has joined with keys that nothing can be sealed to: remove them`,
        );
      }
    }
    this.#leftWaiting = left;
    return ready;
  }

  /** Forget everything staged: nothing will be written. */
  discard(): void {
    this.drafts.clear();
    this.slots = null;
    this.succession = null;
    this.owed.length = 0;
    this.#access = null;
    this.trace.detail = 'dry run';
  }

  async draft(name: string | null): Promise<Draft> {
    const reader = await this.reader(name);
    const known = this.drafts.get(reader.id);
    if (known !== undefined) return known;
    const writes = this.authority.hasRight(this.identity.principal, 'write', reader.id);
    const draft = await (writes ? EnvironmentDraft : ChangesDraft).of(reader, this.stamp);
    this.drafts.set(reader.id, draft);
    return draft;
  }

  /** What is staged of principals, environments and policy, or `null`. */
  get access(): AccessDraft | null {
    return this.#access;
  }

  /** Principals, environments and policy, to be changed. @throws AccessDeniedError for who is no administrator */
  administration(): AccessDraft {
    this.checkAdministrator();
    this.#access ??= new AccessDraft({
      document: this.document,
      authority: this.authority,
      stamp: this.stamp,
      reader: async (entry) => this.readerOf(entry),
      leftWaiting: this.#leftWaiting,
    });
    return this.#access;
  }
}
