/** The head’s lines of a write that changes who may do what: credentials, root, header. docs/format.md section 3. */
import type { Authority } from '../access/authority.ts';
import { lineDigest } from '../access/digest.ts';
import { signLine } from '../access/signing.ts';
import type { Bytes } from '../crypto/bytes.ts';
import type { Line } from '../format/json-line.ts';
import {
  headerLine,
  rootLine,
  type EnvironmentEntry,
  type HeaderLine,
  type PrincipalEntry,
  type RootLine,
} from '../format/lines.ts';
import type { HeadLines } from './build.ts';
import type { WriteStamp } from './environment-layout.ts';
import type { PrincipalKeys } from './principal-keys.ts';

export type Admins = readonly (readonly [string, string])[];

interface Credentials {
  readonly principals: readonly PrincipalEntry[];
  /** Keys that were made in this write, by principal. */
  readonly credentials: ReadonlyMap<string, PrincipalKeys>;
  /** Who has taken up an invitation with keys that nothing can be sealed to: they stay as they are. */
  readonly leftWaiting: ReadonlySet<string>;
}

/** Put the lines of new credentials into the head, and take out what belongs to nobody. */
export function placeCredentials(
  head: HeadLines,
  { principals, credentials, leftWaiting }: Credentials,
): void {
  for (const id of head.successions.keys()) if (!leftWaiting.has(id)) head.successions.delete(id);
  const listed = new Set(principals.map(({ id }) => id));
  for (const lines of [head.successions, head.slots, head.bundles, head.grants]) {
    for (const id of lines.keys()) if (!listed.has(id)) lines.delete(id);
  }
  // Slots that no bundle binds were put there by somebody else.
  for (const id of head.slots.keys()) if (!head.bundles.has(id)) head.slots.delete(id);
  for (const [id, { slots, bundle }] of credentials) {
    head.grants.delete(id);
    if (bundle === null) {
      head.slots.delete(id);
      head.bundles.delete(id);
      continue;
    }
    head.slots.set(
      id,
      slots.map(({ raw }) => raw),
    );
    head.bundles.set(id, bundle.raw);
  }
}

/** The roots, with one more where administrators change. Signed by an administrator of the root before, with the key that it lists. */
export async function withRoot(
  authority: Authority,
  stamp: WriteStamp,
  admins: Admins,
  present: readonly Bytes[],
): Promise<readonly Bytes[]> {
  const { lastRoot, domain } = authority;
  const same =
    admins.length === lastRoot.admins.length &&
    admins.every(([id, key], index) => {
      const known = lastRoot.admins[index];
      return known?.[0] === id && known[1] === key;
    });
  const last = present.at(-1);
  if (same || last === undefined) return present;
  const value = {
    kind: 'root',
    n: lastRoot.n + 1,
    prev: await lineDigest(domain, last),
    time: stamp.time,
    by: stamp.identity.principal,
    admins: admins.map(([id, key]): [string, string] => [id, key]),
  } as const;
  const root = await signLine<RootLine>(domain, stamp.identity.signing, value, rootLine, 'root');
  return [...present, root.raw];
}

interface HeaderContent {
  readonly principals: readonly PrincipalEntry[];
  readonly retired: HeaderLine['retired'];
  readonly environments: readonly EnvironmentEntry[];
  readonly policy: ReadonlyMap<string, string>;
}

/** The next header, below the last of these roots. */
export async function makeHeader(
  authority: Authority,
  stamp: WriteStamp,
  roots: readonly Bytes[],
  content: HeaderContent,
): Promise<Line<HeaderLine>> {
  const { domain, header } = authority;
  const last = roots.at(-1) ?? new Uint8Array(0);
  const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const policy = [...content.policy].sort(([a], [b]) => compare(a, b));
  const fields = {
    kind: 'header' as const,
    n: header.n + 1,
    time: stamp.time,
    by: stamp.identity.principal,
    seen: stamp.seen,
    root: await lineDigest(domain, last),
    principals: [...content.principals],
    retired: content.retired,
    environments: [...content.environments],
    policy: policy.map(([key, value]): [string, string] => [key, value]),
  };
  return signLine<HeaderLine>(domain, stamp.identity.signing, fields, headerLine, 'header');
}
