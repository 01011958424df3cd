/** Every head line parsed, and in its place; also those that a reader does not use. docs/format.md section 2. */
import { parseBase64url } from '../crypto/bytes.ts';
import { limits } from './limits.ts';
import * as lines from './lines.ts';
import { malformed } from './head.ts';
import type { VaultDocument } from './document.ts';

/** @throws IntegrityError */
export function checkHead(document: VaultDocument): void {
  const ids = document.header.value.principals.map((principal) => principal.id);
  const place = (id: string): number => {
    const index = ids.indexOf(id);
    if (index < 0) throw malformed('a line belongs to no principal of the header');
    return index;
  };
  const environments = document.header.value.environments.map((environment) => environment.id);
  const ascending = (kind: string, keys: readonly (readonly number[])[]): void => {
    keys.forEach((key, i) => {
      const before = keys[i - 1];
      if (before !== undefined && compareTuples(before, key) >= 0)
        throw malformed(`${kind} lines are out of order`);
    });
  };
  const slots = document.all('slot', lines.slotLine, limits.principals * limits.slots);
  ascending(
    'slot',
    slots.map(({ value }) => [place(value.principal), ...idBytes(value.id)]),
  );
  for (const { changes } of document.environments)
    ascending(
      'changes',
      changes.map(({ value }) => [place(value.by)]),
    );
  ascending(
    'bundle',
    document.all('bundle', lines.bundleLine, limits.principals).map(({ value }) => [place(value.by)]),
  );
  const grants = document.all('grant', lines.grantLine, limits.principals * limits.environments);
  ascending(
    'grant',
    grants.map(({ value }) => [place(value.principal), environments.indexOf(value.environment)]),
  );
  const joined = new Set(document.successions.map(({ value }) => value.principal));
  for (const { id, signPub, invited } of document.header.value.principals) {
    // One who was added by public keys brings its bundle when it comes.
    const awaited = invited !== '' && !joined.has(id);
    const bundle = document.bundleOf(id);
    if (!awaited && bundle === null) throw malformed('a principal lacks its bundle');
    const keyless = awaited && signPub === '';
    if ((keyless || bundle === null) && (bundle !== null || document.slotsOf(id).length > 0))
      throw malformed('somebody who has not joined has credentials');
  }
  const owners = new Map<string, string>();
  for (const { value } of slots) {
    const other = owners.get(value.id);
    if (other !== undefined)
      throw malformed(
        `${nameOf(document, other)} and ${nameOf(document, value.principal)} have a slot of one id`,
      );
    owners.set(value.id, value.principal);
  }
  ascending(
    'logs',
    document.snapshot.value.logs.map(([id]) => idBytes(id)),
  );
  ascending(
    'succession',
    document.successions.map(({ value }) => [place(value.principal)]),
  );
  ascending(
    'request',
    document.requests.map(({ value }) => idBytes(value.id)),
  );
  ascending(
    'decision',
    document.decisions.map(({ value }) => idBytes(value.id)),
  );
}

function nameOf(document: VaultDocument, id: string): string {
  return document.header.value.principals.find((entry) => entry.id === id)?.name ?? id;
}

function idBytes(id: string): number[] {
  return [...(parseBase64url(id) ?? [])];
}

function compareTuples(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? -1) - (b[i] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}
