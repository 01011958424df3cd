/**
 * Who may sign what. docs/format.md sections 3 and 6: the chain of roots, the header, and for every part the right that
 * its signer needs. All of it works on public data: it runs before any key derivation.
 *
 * Invariants: a part that fails here is refused whatever else is true of it. Rights come from the header alone, and the header
 * from an administrator of the last root; that this chain is *ours* is checked later, against the pinned root.
 */
import { IntegrityError } from '../errors.ts';
import { compareBytes, type Bytes } from '../crypto/bytes.ts';
import { Domain } from '../crypto/pae.ts';
import type { EnvironmentPart, VaultDocument } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import type { HeaderLine, PrincipalEntry, RootLine, Seen } from '../format/lines.ts';
import { boundSlots } from './bound-slots.ts';
import { headDigest, lineDigest, signatureHolds } from './digest.ts';
import {
  broken,
  checkDistinct,
  checkRights,
  checkRoots,
  effectivePrincipals,
  isAwaited,
} from './header-rules.ts';

export type Right = 'rotate' | 'write' | 'delete';

interface SignedLine {
  readonly kind: string;
  readonly time: string;
  readonly by: string;
  readonly sig: string;
}

export class Authority {
  readonly domain: Domain;
  readonly header: HeaderLine;
  readonly lastRoot: RootLine;
  /** H of every root, by number. */
  readonly rootDigests: readonly string[];
  readonly #principals: ReadonlyMap<string, PrincipalEntry>;
  /** Of whom the header has no keys. */
  readonly #keyless: ReadonlySet<string>;
  readonly #snapshotTime: string;
  readonly #roots: readonly RootLine[];

  private constructor(
    document: VaultDocument,
    rootDigests: readonly string[],
    principals: readonly PrincipalEntry[],
  ) {
    const lastRoot = document.roots.at(-1);
    if (lastRoot === undefined) throw new IntegrityError('the vault has no root');
    this.domain = new Domain(document.vaultId);
    this.header = document.header.value;
    this.lastRoot = lastRoot.value;
    this.#roots = document.roots.map(({ value }) => value);
    this.rootDigests = rootDigests;
    this.#principals = new Map(principals.map((principal) => [principal.id, principal]));
    const keyless = this.header.principals.filter(({ signPub }) => signPub === '');
    this.#keyless = new Set(keyless.map(({ id }) => id));
    this.#snapshotTime = document.snapshot.value.time;
  }

  /**
   * Check the head digest, the snapshot, the root chain, the header and every names, values and changes part.
   * @throws IntegrityError naming the first part that does not hold.
   */
  static async of(document: VaultDocument): Promise<Authority> {
    const authority = await Authority.unchecked(document);
    await authority.check(document);
    return authority;
  }

  /**
   * Of this nothing may be believed, and nothing that was worked out with it may leave, before `check` is fulfilled, or a principal has
   * vouched for the document by a key of its own. Only the digest of the head has been compared.
   */
  static async unchecked(document: VaultDocument): Promise<Authority> {
    const domain = new Domain(document.vaultId);
    const [head, rootDigests] = await Promise.all([
      headDigest(domain, document.head),
      Promise.all(document.roots.map((root) => lineDigest(domain, root.raw))),
    ]);
    if (head !== document.snapshot.value.head)
      throw new IntegrityError('the parts of the vault do not belong together');
    const principals = await effectivePrincipals(domain, document);
    return new Authority(document, rootDigests, principals);
  }

  /** Everything that does not depend on the moment, on several threads. It may be left alone until it is awaited. @throws IntegrityError */
  async check(document: VaultDocument): Promise<void> {
    const roots = checkRoots(this.domain, document, this.rootDigests);
    const others = Promise.all([
      this.#checkHeader(document),
      this.checkSigned(document.snapshot, null),
      ...document.environments.map((part) => this.#checkParts(document, part)),
      ...this.#checkArrivals(document),
    ]);
    // All are checked at once; what is wrong with the roots is told first.
    others.catch(() => undefined);
    await roots;
    await others;
  }

  /**
   * The same for a document whose head this process has just built from a checked one: it signed what is new, and checked what is
   * not. @throws IntegrityError if the head is another
   */
  static async ofOwn(document: VaultDocument, builtHead: Bytes): Promise<Authority> {
    if (compareBytes(document.head, builtHead) !== 0)
      throw new IntegrityError('the vault is not the one that was written');
    const authority = await Authority.unchecked(document);
    await checkRoots(authority.domain, document, authority.rootDigests);
    return authority;
  }

  get principals(): IterableIterator<PrincipalEntry> {
    return this.#principals.values();
  }

  principal(id: string): PrincipalEntry | null {
    return this.#principals.get(id) ?? null;
  }

  /** What somebody is called, or was when they were removed; the id of whom the header does not know. */
  nameOf(id: string): string {
    const retired = this.header.retired.findLast((entry) => entry.id === id);
    return this.#principals.get(id)?.name ?? retired?.name ?? id;
  }

  /** The public key of a principal at a header number: a retired one where a range says so. `null` for who has, or had, none. */
  keyAt(id: string, header: number): string | null {
    const retired = this.header.retired.find(
      (entry) => entry.id === id && header >= entry.from && header <= entry.until,
    );
    const key = retired?.signPub ?? this.#principals.get(id)?.signPub ?? '';
    return key === '' ? null : key;
  }

  isAdmin(id: string): boolean {
    return this.lastRoot.admins.some(([admin]) => admin === id);
  }

  /** Whether this key was ever an administrator's. */
  wasAdmin(id: string, publicKey: string): boolean {
    return this.#roots.some(({ admins }) => admins.some(([admin, key]) => admin === id && key === publicKey));
  }

  /** Whether somebody took up an invitation and the header does not know their keys yet: until then they have rights and no grant. */
  isNewcomer(id: string): boolean {
    return this.#keyless.has(id);
  }

  /** The level of grant that the header gives, or `null`. */
  grantLevel(id: string, environment: string): 'list' | 'read' | null {
    if (this.isAdmin(id)) return 'read';
    if (this.isNewcomer(id)) return null;
    const principal = this.#principals.get(id);
    if (principal?.read.includes(environment) === true) return 'read';
    return principal?.list.includes(environment) === true ? 'list' : null;
  }

  /** Whether the header gives this right; `admin` implies every right everywhere. */
  hasRight(id: string, right: Right, environment: string): boolean {
    return this.isAdmin(id) || (this.#principals.get(id)?.[right].includes(environment) ?? false);
  }

  /**
   * Check signature, signer, time and right of a line; one of `rights` is enough, and none asked for means any principal.
   */
  async checkSigned(
    line: Line<SignedLine>,
    environment: string | null,
    rights: readonly Right[] = [],
  ): Promise<void> {
    const { kind, by, time } = line.value;
    const signer = this.#principals.get(by);
    if (signer === undefined || signer.signPub === '')
      throw new IntegrityError(`${kind}: signed by nobody that the header lists`);
    if (time > this.#snapshotTime)
      throw new IntegrityError(`${kind}: signed after the snapshot that contains it`);
    if (signer.expires !== '' && time > signer.expires)
      throw new IntegrityError(`${kind}: signed after its signer expired`);
    const allowed =
      rights.length === 0 || rights.some((right) => this.hasRight(by, right, environment ?? ''));
    if (!allowed)
      throw new IntegrityError(`${kind}: its signer lacks the right to it (${rights.join(' or ')})`);
    if (!(await signatureHolds(this.domain, line, signer.signPub))) throw broken(kind);
  }

  /** Counters in `seen` must not be above what the file has: otherwise a part is older than one that saw it newer. */
  checkSeen(document: VaultDocument, seen: Seen, what: string): void {
    const older = (part: string, wanted: number, found: number): never => {
      const message = `${what} saw ${part} number ${wanted}, but the file has ${found}: an older part was put in`;
      throw new IntegrityError(message, {}, 'ROLLBACK');
    };
    if (seen.header > this.header.n) older('header', seen.header, this.header.n);
    for (const [id, names, values, changes] of seen.parts) {
      const part = document.environment(id);
      if (part === null) continue;
      const now = { names: part.names.value.n, values: part.values.value.n };
      if (names > now.names) older('names', names, now.names);
      if (values > now.values) older('values', values, now.values);
      for (const [by, n] of values === now.values ? changes : []) {
        const found = part.changes.find((line) => line.value.by === by)?.value.n ?? 0;
        if (n > found) older('changes', n, found);
      }
    }
  }

  /** Who was awaited and is there has signed its credentials: a writer that completes its access relies on that. */
  #checkArrivals(document: VaultDocument): Promise<unknown>[] {
    const arrived = [...this.#principals.values()].filter(
      (principal) => isAwaited(principal) && document.bundleOf(principal.id) !== null,
    );
    return arrived.map(async ({ id }) => boundSlots(document, this, id));
  }

  async #checkParts(document: VaultDocument, part: EnvironmentPart): Promise<void> {
    const { entry, names, values, changes } = part;
    const base = changes.length === 0 ? '' : await lineDigest(this.domain, values.raw);
    if (changes.some((line) => line.value.base !== base))
      throw new IntegrityError('changes: made for another values part');
    for (const line of [names, values, ...changes])
      this.checkSeen(document, line.value.seen, line.value.kind);
    // Begun only now: what is thrown above would leave them behind, and a rejection that nobody waits for ends the process.
    const checks = [
      this.checkSigned(names, entry.id, ['write']),
      this.checkSigned(values, entry.id, ['write']),
      ...changes.map(async (line) => this.checkSigned(line, entry.id, ['rotate', 'delete'])),
    ];
    await Promise.all(checks);
  }

  async #checkHeader(document: VaultDocument): Promise<void> {
    const line = document.header;
    if (this.header.root !== this.rootDigests.at(-1))
      throw new IntegrityError('header: it belongs to another root');
    const admin = this.lastRoot.admins.find(([id]) => id === line.value.by);
    if (admin === undefined)
      throw new IntegrityError('header: signed by somebody who is not an administrator');
    for (const [id, publicKey] of this.lastRoot.admins) {
      if (this.#principals.get(id)?.signPub !== publicKey)
        throw new IntegrityError('header: an administrator has another key');
    }
    await this.checkSigned(line, null);
    this.checkSeen(document, line.value.seen, 'header');
    checkDistinct(line.value);
    for (const principal of line.value.principals) checkRights(principal, this.isAdmin(principal.id));
  }
}
