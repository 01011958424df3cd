/** What roots, successions and the header must be by themselves. docs/format.md section 3. */
import { IntegrityError } from '../errors.ts';
import { compareBytes, utf8 } from '../crypto/bytes.ts';
import type { Domain } from '../crypto/pae.ts';
import type { VaultDocument } from '../format/document.ts';
import { encodeJson } from '../format/json-line.ts';
import { principalEntry, type HeaderLine, type PrincipalEntry } from '../format/lines.ts';
import { lineDigest, signatureHolds } from './digest.ts';

export function broken(what: string): IntegrityError {
  return new IntegrityError(`${what}: the signature is wrong`);
}

/** Whether a principal has been added and has no credentials in the file yet. */
export function isAwaited(principal: PrincipalEntry): boolean {
  return principal.invited !== '';
}

export async function checkRoots(
  domain: Domain,
  document: VaultDocument,
  digests: readonly string[],
): Promise<void> {
  const checks = document.roots.map(async (root, index) => {
    const { n, prev, by, admins } = root.value;
    if (n !== index || prev !== (digests[index - 1] ?? ''))
      throw new IntegrityError(`root ${n}: out of its chain`);
    if (new Set(admins.map(([id]) => id)).size !== admins.length)
      throw new IntegrityError(`root ${n}: an administrator twice`);
    const before = document.roots[index - 1]?.value.admins ?? admins;
    const signer = before.find(([id]) => id === by);
    if (signer === undefined)
      throw new IntegrityError(`root ${n}: signed by no administrator of the one before`);
    if (!(await signatureHolds(domain, root, signer[1]))) throw broken(`root ${n}`);
  });
  await Promise.all(checks);
}

/** The header's principals with the keys of those who joined since. */
export async function effectivePrincipals(
  domain: Domain,
  document: VaultDocument,
): Promise<PrincipalEntry[]> {
  const listed = document.header.value.principals;
  if (document.rawLines('succession').length === 0) return [...listed];
  const joined = new Map(document.successions.map((line) => [line.value.principal, line]));
  return Promise.all(
    listed.map(async (entry) => {
      const succession = joined.get(entry.id);
      if (succession === undefined) return entry;
      const { prev, signPub, sealPub } = succession.value;
      const complete = document.bundleOf(entry.id) !== null && document.slotsOf(entry.id).length > 0;
      if (sealPub === '' || !complete)
        throw new IntegrityError('succession: it came without keys or credentials');
      const prevNow = await lineDigest(domain, encodeJson(entry, principalEntry, 'principal'));
      if (entry.invited === '' || entry.signPub !== '' || prev !== prevNow)
        throw new IntegrityError('succession: it belongs to another invitation');
      if (!(await signatureHolds(domain, succession, entry.invited))) throw broken('succession');
      return { ...entry, signPub, sealPub };
    }),
  );
}

/** One level of grant an environment, rights only where there is one, and nothing listed for administrators, who have everything. */
export function checkRights(principal: PrincipalEntry, admin: boolean): void {
  const { list, read, rotate, write, delete: remove } = principal;
  const granted = new Set([...list, ...read]);
  const all = [list, read, rotate, write, remove];
  const sound =
    granted.size === list.length + read.length &&
    all.every((environments) => new Set(environments).size === environments.length) &&
    [...rotate, ...write, ...remove].every((environment) => granted.has(environment)) &&
    (!admin || all.every((environments) => environments.length === 0)) &&
    // Invited by a key of its own, or added by its public keys and not here yet; else it has keys.
    (principal.invited === ''
      ? principal.signPub !== ''
      : principal.signPub === '' || principal.signPub === principal.invited);
  if (!sound) throw new IntegrityError(`header: the rights of ${principal.name} contradict each other`);
}

export function checkDistinct(header: HeaderLine): void {
  const lists: readonly (readonly string[])[] = [
    header.principals.map(({ id }) => id),
    header.principals.map(({ name }) => name),
    header.environments.map(({ id }) => id),
    header.environments.map(({ name }) => name),
  ];
  for (const list of lists) {
    if (new Set(list).size !== list.length) throw new IntegrityError('header: an id or name is used twice');
  }
  checkRetired(header);
  header.policy.forEach(([key], index) => {
    const before = header.policy[index - 1];
    if (before !== undefined && compareBytes(utf8(before[0]), utf8(key)) >= 0)
      throw new IntegrityError('header: policy keys are out of order');
  });
}

/** Ranges of one id are disjoint and in the past: a record has one key that it can be of. */
function checkRetired({ retired, n }: HeaderLine): void {
  const last = new Map<string, number>();
  for (const { id, from, until } of [...retired].sort((a, b) => a.from - b.from)) {
    if (from > until || until >= n || from <= (last.get(id) ?? 0))
      throw new IntegrityError('header: retired keys contradict each other');
    last.set(id, until);
  }
}
