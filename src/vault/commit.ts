/** From what a write scope has staged to a whole new file. docs/format.md sections 2, 3 and 10. */
import { IntegrityError } from '../errors.ts';
import { lineDigest, signatureHolds } from '../access/digest.ts';
import { makeBundle, type Identity } from '../access/bundle.ts';
import { wrapGrant } from '../access/grant.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { parseLine } from '../format/json-line.ts';
import { decisionLine, requestLine, type PrincipalEntry } from '../format/lines.ts';
import { shown } from '../format/name.ts';
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
export async function buildStaged(
  scope: WriteScope,
  newcomers: readonly PrincipalEntry[],
): Promise<StagedFile | null> {
  const { document, authority, slots, succession } = scope;
  const { domain } = authority;
  const environments = new Map<string, BuiltEnvironment>();
  for (const [id, draft] of scope.drafts) if (draft.dirty) environments.set(id, await draft.build());
  if (environments.size === 0 && slots === null && succession === null && scope.access === null) return null;
  const head = headLinesOf(document);
  if (newcomers.length > 0) scope.administration();
  let { identity } = scope;
  if (scope.access !== null) {
    const built = await scope.access.build(head);
    for (const [id, environment] of built.environments) environments.set(id, environment);
    head.roots = built.roots;
    head.header = built.header;
    identity = scope.access.signer;
    for (const { id, name } of newcomers)
      if (scope.access.principals.some((principal) => principal.id === id))
        tell(scope, `${name} has joined, and has now what it was promised`);
    dropUnsound(scope, await soundRequests(scope), head);
  }
  const aside = [
    ...[...scope.drafts.values()].flatMap((draft) => draft.setAside),
    ...(scope.access?.setAside ?? []),
  ];
  for (const [by, own] of Map.groupBy(aside, (one) => one.by)) {
    const signer = authority.nameOf(by);
    const names = own.flatMap(({ name }) => name ?? []);
    const what = names.length === 0 ? '' : ` to ${[...new Set(names)].map(shown).join(', ')}`;
    // The log does not have names.
    const left = 'did not hold together and was left out';
    tell(scope, `what ${signer} had added${what} ${left}`, `what ${signer} had added ${left}`);
  }
  for (const { by, environment, name, version } of scope.access?.ended ?? []) {
    const who = authority.nameOf(by);
    const what = name === null ? '' : ` of ${shown(name)} in ${environment}`;
    tell(
      scope,
      `the rotation${what} by ${who} is withdrawn: version ${version}, which is kept, may be in use where it was applied`,
      `a rotation by ${who} is withdrawn`,
    );
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

/** For the person, and for the record. */
function tell(scope: WriteScope, what: string, detail = what): void {
  scope.notices.push(what);
  if (scope.trace.isExact) return;
  scope.trace.detail = scope.trace.detail === '' ? detail : `${scope.trace.detail}; ${detail}`;
}

/** Requests and decisions that somebody planted would stay for ever: what is not signed by who may is left out of a new header's file. */
async function soundRequests({ document, authority }: WriteScope): Promise<ReadonlySet<Bytes>> {
  const sound = new Set<Bytes>();
  const shapes = { request: requestLine, decision: decisionLine } as const;
  for (const [kind, shape] of Object.entries(shapes)) {
    for (const raw of document.rawLines(kind)) {
      try {
        const line = parseLine<{ readonly by: string; readonly sig: string }>(raw, shape, kind);
        const key = authority.keyAt(line.value.by, authority.header.n);
        if (key !== null && (await signatureHolds(authority.domain, line, key))) sound.add(raw);
      } catch (error) {
        if (!(error instanceof IntegrityError)) throw error;
      }
    }
  }
  return sound;
}

function dropUnsound(scope: WriteScope, sound: ReadonlySet<Bytes>, head: HeadLines): void {
  const all = head.requests.length;
  head.requests = head.requests.filter((raw) => sound.has(raw));
  if (head.requests.length < all)
    tell(scope, `${all - head.requests.length} requests that nobody had signed are gone`);
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
