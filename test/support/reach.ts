/**
 * What somebody can open with a credential and a file, by the crypto modules alone: no command, no check of rights, nothing that
 * could say no. Every key that can be come by is tried on everything that is sealed.
 */
import { closeIdentity, openBundle } from '../../src/access/bundle.ts';
import { sealSeedOf } from '../../src/access/environment-key.ts';
import { openGrant } from '../../src/access/grant.ts';
import {
  openSlot,
  slotTypeOf,
  stretchWith,
  unwrapBundleKey,
  type Credential,
} from '../../src/access/slot.ts';
import { open } from '../../src/crypto/aead.ts';
import { encodeHex, parseBase64url, utf8, type Bytes } from '../../src/crypto/bytes.ts';
import { deriveKey } from '../../src/crypto/hash.ts';
import { hpkeOpen } from '../../src/crypto/hpke.ts';
import type { Domain } from '../../src/crypto/pae.ts';
import { EncryptionError, UnlockError } from '../../src/errors.ts';
import { parseRecoveryKey, parseToken } from '../../src/format/key-text.ts';
import type * as lines from '../../src/format/lines.ts';
import type { Shaped } from '../../src/format/schema.ts';
import { openCarry } from '../../src/vault/new-environment.ts';
import { Forgery } from './forgery.ts';

/** One sealed text of a file, with everything about it that is public. */
interface Sealed {
  /** Such as `block staging`, `value staging 2`, `grant ci staging`. */
  readonly what: string;
  readonly text: Bytes;
  readonly aad: Bytes;
  /** `hpke` info, or `null` for AES-GCM. */
  readonly info: Bytes | null;
  readonly bucket: number;
  /** Where derived keys of it would belong. */
  readonly environment: string;
  readonly epoch: number;
}

const raw = (text: string): Bytes => parseBase64url(text) ?? new Uint8Array(0);

type BodyLine = lines.ValueLine | Shaped<typeof lines.blockLine> | lines.PurgedLine;

function bodyLines(shard: string): BodyLine[] {
  return shard
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as BodyLine);
}

/** Everything that is sealed in a file. */
function sealedIn(file: Forgery): Sealed[] {
  const { domain } = file;
  const header = file.one('header');
  const environmentName = (id: string): string =>
    header.environments.find((entry) => entry.id === id)?.name ?? id;
  const principalName = (id: string): string =>
    header.principals.find((entry) => entry.id === id)?.name ?? id;
  const plain = { info: null, bucket: 64, environment: '', epoch: 0 };
  const all: Sealed[] = [];
  for (const { principal, id, type, kdf, salt, hint, commit, wrapped } of file.all('slot')) {
    const parameters = JSON.stringify(kdf);
    const aad = domain.encode('slot-wrap', principal, id, type, parameters, raw(salt), hint, raw(commit));
    if (wrapped !== '')
      all.push({ ...plain, what: `slot ${principalName(principal)} ${type}`, text: raw(wrapped), aad });
  }
  for (const { by, n, sealed } of file.all('bundle')) {
    const aad = domain.encode('bundle', by, n);
    all.push({ ...plain, what: `bundle ${principalName(by)}`, text: raw(sealed), aad, bucket: 1_024 });
  }
  for (const { principal, environment, epoch, level, form, ct } of file.all('grant')) {
    const what = `grant ${principalName(principal)} ${environmentName(environment)}`;
    const aad = domain.encode('grant', principal, environment, epoch, level);
    const info = form === 'seal' ? domain.encode('hpke', 'grant') : null;
    all.push({ ...plain, what, text: raw(ct), aad, info, environment, epoch });
  }
  for (const { id, name, epoch, sealed } of header.environments) {
    const aad = domain.encode('carry', id, epoch);
    all.push({ ...plain, what: `carry ${name}`, text: raw(sealed), aad, environment: id, epoch });
  }
  for (const part of [...file.all('names'), ...file.all('values'), ...file.all('changes')])
    for (const line of (file.shards.get(part) ?? []).flatMap(bodyLines))
      all.push(...sealedInLine(domain, line, environmentName, part.kind === 'names' ? part.bits : 0));
  return all;
}

function sealedInLine(
  domain: Domain,
  line: BodyLine,
  environmentName: (id: string) => string,
  bits: number,
): Sealed[] {
  if (line.kind === 'block') {
    const { environment, epoch, shard, sealed } = line;
    const aad = domain.encode('block', environment, epoch, bits, shard);
    const what = `block ${environmentName(environment)}`;
    return [{ what, text: raw(sealed), aad, info: null, bucket: 64, environment, epoch }];
  }
  if (line.kind !== 'value') return [];
  const { environment, epoch, secret, version, form, ct, note } = line;
  const common = { bucket: 64, environment, epoch };
  const aad = (label: string): Bytes => domain.encode(label, environment, epoch, secret, version);
  const info = form === 'seal' ? domain.encode('hpke', 'value') : null;
  const where = `${environmentName(environment)} ${version}`;
  return [
    { ...common, what: `value ${where}`, text: raw(ct), aad: aad('value'), info },
    { ...common, what: `note ${where}`, text: raw(note), aad: aad('note'), info: null },
  ];
}

/** Keys, each once. */
export class Keys {
  readonly #all = new Map<string, Bytes>();

  add(...keys: readonly (Bytes | null)[]): void {
    for (const key of keys) if (key?.length === 32) this.#all.set(encodeHex(key), key.slice());
  }

  get all(): Bytes[] {
    return [...this.#all.values()];
  }
}

/** Every key that a credential leads to in a file: slot, bundle, what is in it, grants, what follows from them. */
export async function keysFrom(path: string, credential: Credential, principal: string): Promise<Keys> {
  const file = Forgery.read(path);
  const { domain } = file;
  const keys = new Keys();
  if ('secret' in credential) keys.add(credential.secret);
  const entry = file.one('header').principals.find(({ name }) => name === principal);
  const bundle = file.all('bundle').find(({ by }) => by === entry?.id);
  if (entry === undefined || bundle === undefined) return keys;
  const type = slotTypeOf(credential);
  const slots = file.all('slot').filter((line) => line.principal === entry.id && line.type === type);
  for (const slot of slots) {
    const slotKey = await tried(openSlot(domain, slot, credential, stretchWith('native')));
    if (slotKey === null) continue;
    const bundleKey = await unwrapBundleKey(domain, slot, slotKey);
    keys.add(slotKey, bundleKey);
    const opened = { slot: slot.id, slotKey, bundleKey };
    const line = { value: bundle, raw: utf8(JSON.stringify(bundle)) };
    const joined = file.all('succession').find((one) => one.principal === entry.id);
    const identity = await openBundle(domain, line, opened, joined?.signPub ?? entry.signPub);
    const { signSeed, sealSeed } = identity.content;
    keys.add(identity.wrapKey, raw(signSeed), raw(sealSeed));
    for (const grant of file.all('grant').filter((one) => one.principal === entry.id)) {
      const place = file.one('header').environments.find(({ id }) => id === grant.environment);
      if (place === undefined) continue;
      const opens = await openGrant(domain, identity, place, grant);
      const { environmentKey, catalogKey, value, block, note, carry, index, audit } = opens;
      keys.add(environmentKey, catalogKey, value, block, note, carry, index, audit);
      if (environmentKey !== null) keys.add(await sealSeedOf(domain, place, environmentKey));
      for (const [, key] of (await openCarry(domain, place, opens)).auditKeys) keys.add(raw(key));
    }
    closeIdentity(identity);
  }
  return keys;
}

/** `null` where a credential or a key is the wrong one; anything else that goes wrong is a fault of the test. */
async function tried<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UnlockError || error instanceof EncryptionError) return null;
    throw error;
  }
}

const belowEnvironment = ['catalog', 'value', 'seal', 'commit-env'] as const;
const belowCatalog = ['block', 'note', 'carry', 'index', 'audit-name', 'commit-catalog'] as const;

/** A key, and whatever could be derived from it for a place. */
async function derived(domain: Domain, keys: Keys, environment: string, epoch: number): Promise<Bytes[]> {
  const all = [...keys.all];
  if (environment === '') return all;
  for (const key of keys.all) {
    const derive = async (from: Bytes, label: string): Promise<Bytes> =>
      deriveKey(domain, from, label, environment, epoch);
    const first = await Promise.all(belowEnvironment.map(async (label) => derive(key, label)));
    const [catalog = key] = first;
    const second = [key, catalog].flatMap((from) => belowCatalog.map(async (label) => derive(from, label)));
    all.push(...first, ...(await Promise.all(second)));
  }
  return all;
}

/** What these keys open in a file, each once and in order. */
export async function openedBy(path: string, keys: Keys): Promise<string[]> {
  const file = Forgery.read(path);
  const candidates = new Map<string, Promise<Bytes[]>>();
  const opened = new Set<string>();
  for (const { what, text, aad, info, bucket, environment, epoch } of sealedIn(file)) {
    const place = `${environment} ${epoch}`;
    const known = candidates.get(place) ?? derived(file.domain, keys, environment, epoch);
    candidates.set(place, known);
    for (const key of await known) {
      const found = await tried(
        info === null ? open(key, text, aad, bucket) : hpkeOpen(key, info, aad, text),
      );
      if (found !== null) opened.add(what);
    }
  }
  return [...opened].sort();
}

/** All that is sealed in a file. */
export function everythingIn(path: string): string[] {
  return [...new Set(sealedIn(Forgery.read(path)).map(({ what }) => what))].sort();
}

export function tokenCredential(token: string): Credential {
  const parts = parseToken(token);
  if (parts === null) throw new Error('not a token');
  return { type: 'token', ...parts };
}

export async function recoveryCredential(recoveryKey: string): Promise<Credential> {
  const secret = await parseRecoveryKey(recoveryKey);
  if (secret === null) throw new Error('not a recovery key');
  return { type: 'recovery', secret };
}
