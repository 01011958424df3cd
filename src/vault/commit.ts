/** From what a write scope has staged to a whole new file. docs/format.md sections 2, 3 and 10. */
import { lineDigest } from '../access/digest.ts';
import { makeBundle, type Identity } from '../access/bundle.ts';
import { wrapGrant } from '../access/grant.ts';
import { isAwaited } from '../access/header-rules.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { buildFile, headLinesOf, type BuiltFile, type HeadLines } from './build.ts';
import type { BuiltEnvironment } from './environment-layout.ts';
import type { WriteScope } from './scope.ts';

export interface StagedFile {
  readonly file: BuiltFile;
  /** Who signs the new snapshot: the unlocked principal, with new keys where those changed, and pins moved. */
  readonly identity: Identity;
  /** Whether anybody's credentials, rights or keys change. */
  readonly credentials: boolean;
}

/** @returns `null` where nothing was staged */
export async function buildStaged(scope: WriteScope): Promise<StagedFile | null> {
  const { document, authority, slots, succession } = scope;
  const { domain } = authority;
  const environments = new Map<string, BuiltEnvironment>();
  for (const [id, draft] of scope.drafts) if (draft.dirty) environments.set(id, await draft.build());
  if (environments.size === 0 && slots === null && succession === null && scope.access === null) return null;
  const head = headLinesOf(document);
  if (authority.isAdmin(scope.identity.principal) && [...authority.principals].some(hasArrived(scope)))
    scope.administration();
  let { identity } = scope;
  if (scope.access !== null) {
    const built = await scope.access.build(head);
    for (const [id, environment] of built.environments) environments.set(id, environment);
    head.roots = built.roots;
    head.header = built.header;
    identity = scope.access.signer;
  }
  if (succession !== null) head.successions.set(identity.principal, succession.raw);
  if (slots !== null)
    head.slots.set(
      identity.principal,
      slots.map(({ raw }) => raw),
    );
  await wrapOwnGrants(scope, head);
  identity = await renewBundle(scope, head, identity, slots !== null);
  const credentials = slots !== null || succession !== null || scope.access !== null;
  return { file: await buildFile(document, domain, head, environments), identity, credentials };
}

/** Somebody who was awaited and has put credentials into the file: the next header says so, and gives the grants. */
function hasArrived({ document }: WriteScope) {
  return (principal: Parameters<typeof isAwaited>[0]): boolean =>
    isAwaited(principal) && document.bundleOf(principal.id) !== null;
}

/** Grants that others sealed are wrapped under the own key at the first chance: faster, and nothing to be harvested. */
async function wrapOwnGrants(scope: WriteScope, head: HeadLines): Promise<void> {
  const { authority, identity, stamp } = scope;
  const own = head.grants.get(identity.principal);
  for (const { id, part, keys } of scope.openedBySeal()) {
    const renewed =
      head.header.value.environments.find((entry) => entry.id === id)?.epoch !== part.entry.epoch;
    if (renewed || own?.has(id) !== true) continue;
    const level = keys.environmentKey === null ? 'list' : 'read';
    const key: Bytes = keys.environmentKey ?? keys.catalogKey;
    const grant = await wrapGrant(authority.domain, stamp.random, identity, part.entry, level, key);
    own.set(id, grant.raw);
  }
}

/** The principal's next bundle, where its slots change or its pins are behind what this write makes. */
async function renewBundle(
  { document, authority, stamp }: WriteScope,
  head: HeadLines,
  identity: Identity,
  slotsChanged: boolean,
): Promise<Identity> {
  const root = head.roots.length - 1;
  const last = head.roots[root];
  if (last === undefined) return identity;
  const rootDigest = await lineDigest(authority.domain, last);
  const floor = head.header.value.n;
  const { content, principal } = identity;
  const pinned = content.root === root && content.rootDigest === rootDigest && content.floor === floor;
  if (pinned && !slotsChanged) return identity;
  const moved = { ...identity, content: { ...content, root, rootDigest, floor } };
  const slots = (head.slots.get(principal) ?? []).map((raw) => ({ raw }));
  const n = (document.bundleOf(principal)?.value.n ?? 0) + 1;
  const bundle = await makeBundle(authority.domain, stamp.random, moved, slots, { n, time: stamp.time });
  head.bundles.set(principal, bundle.raw);
  return moved;
}
