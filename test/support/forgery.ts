/**
 * A vault file taken apart and put together again by somebody who holds keys and keeps to no rule: what a hostile insider, or
 * a hostile place of storage, can make. Nothing is checked here; the product's checks are what the tests are about.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { identityOf, makeBundle, type Identity } from '../../src/access/bundle.ts';
import { wrapGrant } from '../../src/access/grant.ts';
import { makeSlot } from '../../src/access/slot.ts';
import { concatBytes, encodeBase64url, utf8, type Bytes } from '../../src/crypto/bytes.ts';
import { deriveKey } from '../../src/crypto/hash.ts';
import { Domain } from '../../src/crypto/pae.ts';
import { sign, type SigningKey } from '../../src/crypto/signature.ts';
import type * as lines from '../../src/format/lines.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { systemRandom } from './sample-vault.ts';

export type Open<T> = T extends readonly unknown[] | object ? { -readonly [K in keyof T]: Open<T[K]> } : T;

export interface HeadLines {
  vault: lines.VaultLine;
  root: lines.RootLine;
  header: lines.HeaderLine;
  succession: lines.SuccessionLine;
  slot: lines.SlotLine;
  bundle: lines.BundleLine;
  grant: lines.GrantLine;
  names: lines.NamesLine;
  values: lines.ValuesLine;
  changes: lines.ChangesLine;
}

export type HeadKind = keyof HeadLines;
export type HeadLine = Open<HeadLines[HeadKind]>;

export interface Signer {
  readonly principal: string;
  readonly signing: SigningKey;
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64url');

function parts(head: readonly HeadLine[]): Open<lines.NamesLine | lines.ValuesLine | lines.ChangesLine>[] {
  return head.filter((line) => line.kind === 'names' || line.kind === 'values' || line.kind === 'changes');
}

export class Forgery {
  readonly head: HeadLine[];
  /** Body lines of every names, values and changes line of the head, one string a shard. */
  readonly shards: Map<HeadLine, string[]>;
  snapshot: Open<lines.SnapshotLine>;

  private constructor(head: HeadLine[], shards: Map<HeadLine, string[]>, snapshot: Open<lines.SnapshotLine>) {
    this.head = head;
    this.shards = shards;
    this.snapshot = snapshot;
  }

  static read(path: string): Forgery {
    const text = readFileSync(path, 'utf8');
    const all = text.split('\n').slice(0, -1);
    const isBody = (line: string): boolean => /^\{"kind":"(block|value|purged|removed|snapshot)"/.test(line);
    const head = all.slice(0, all.findIndex(isBody)).map((line) => JSON.parse(line) as HeadLine);
    const shards = new Map<HeadLine, string[]>();
    const body = Buffer.from(
      all
        .slice(head.length)
        .map((line) => `${line}\n`)
        .join(''),
    );
    let offset = 0;
    const take = (size: number): string => body.toString('utf8', offset, (offset += size));
    // In the file all names shards of an environment come before its values shards: the order of the lines.
    for (const part of parts(head)) {
      const sizes = part.kind === 'changes' ? [part.size] : part.shards.map(([, size]) => size);
      shards.set(part, sizes.map(take));
    }
    return new Forgery(head, shards, JSON.parse(all.at(-1) ?? '') as Open<lines.SnapshotLine>);
  }

  get domain(): Domain {
    return new Domain(this.one('vault').id);
  }

  all<K extends HeadKind>(kind: K): Open<HeadLines[K]>[] {
    return this.head.filter((line) => line.kind === kind) as Open<HeadLines[K]>[];
  }

  /** The first line of a kind, of a principal or environment where one is given. */
  one<K extends HeadKind>(kind: K, of?: string): Open<HeadLines[K]> {
    const found = this.all(kind).find(
      (line) => of === undefined || (Object.values(line) as unknown[]).includes(of),
    );
    if (found === undefined) throw new Error(`no ${kind} line`);
    return found;
  }

  environment(name: string): string {
    const found = this.one('header').environments.find((entry) => entry.name === name);
    if (found === undefined) throw new Error(`no environment ${name}`);
    return found.id;
  }

  /** Insert a line after the last one of these kinds. */
  insert(line: HeadLine, ...after: HeadKind[]): void {
    const at = this.head.findLastIndex((present) => after.includes(present.kind));
    this.head.splice(at + 1, 0, line);
  }

  remove(line: HeadLine): void {
    this.head.splice(this.head.indexOf(line), 1);
    this.shards.delete(line);
  }

  lineDigest(line: object): string {
    return digest(this.domain.encode('line', utf8(JSON.stringify(line))));
  }

  /** Sign a line anew; `by` becomes the signer. */
  async sign<T extends { by: string; sig: string }>(line: T, signer: Signer): Promise<T> {
    line.by = signer.principal;
    return this.signWith(line, signer.signing);
  }

  /** Sign with a key, whoever the line says it is by. */
  async signWith<T extends { sig: string }>(line: T, key: SigningKey): Promise<T> {
    const unsigned = JSON.stringify({ ...line, sig: undefined }).slice(0, -1);
    line.sig = encodeBase64url(await sign(key, this.domain.encode('sig', utf8(unsigned))));
    return line;
  }

  /** Make digests and sizes of a part those of its shards, and sign it. */
  async signPart(
    part: Open<lines.NamesLine | lines.ValuesLine | lines.ChangesLine>,
    signer: Signer,
  ): Promise<void> {
    const shards = this.shards.get(part) ?? [];
    const of = (where: string | number, shard: string): [string, number] => {
      const bytes = utf8(shard);
      return [digest(this.domain.encode('shard', part.kind, part.environment, where, bytes)), bytes.length];
    };
    if (part.kind === 'changes') [part.digest, part.size] = of(signer.principal, shards.join(''));
    else part.shards = shards.map((shard, number) => of(number, shard));
    await this.sign(part, signer);
  }

  /** A new header by this signer, numbered and pinned to what is there. */
  async signHeader(signer: Signer): Promise<void> {
    const header = this.one('header');
    header.n += 1;
    await this.sign(header, signer);
  }

  headBytes(): Bytes {
    return utf8(this.head.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  /** The whole file under a new snapshot by this signer. */
  async bytes(signer: Signer, key: SigningKey = signer.signing): Promise<Bytes> {
    const head = this.headBytes();
    this.snapshot.n += 1;
    this.snapshot.by = signer.principal;
    this.snapshot.head = digest(this.domain.encode('head', head));
    await this.signWith(this.snapshot, key);
    const body = parts(this.head).flatMap((part) => this.shards.get(part) ?? []);
    return concatBytes(head, ...body.map(utf8), utf8(`${JSON.stringify(this.snapshot)}\n`));
  }

  async write(path: string, signer: Signer): Promise<void> {
    writeFileSync(path, await this.bytes(signer));
  }
}

export interface Rights {
  readonly name: string;
  readonly list?: readonly string[];
  readonly read?: readonly string[];
  readonly rotate?: readonly string[];
  readonly write?: readonly string[];
  readonly delete?: readonly string[];
  readonly expires?: string;
}

export interface Insider extends Signer {
  readonly identity: Identity;
  /** The 32 bytes of a recovery key that unlocks this principal. */
  readonly secret: Bytes;
}

/**
 * Add a principal by the vault's administrator, as a well-made vault has it: header, slot, bundle, grants. The file is left to
 * be written by the caller.
 * @param rights environments by name
 */
export async function addPrincipal(forgery: Forgery, admin: Vault, rights: Rights): Promise<Insider> {
  const { domain } = forgery;
  const header = forgery.one('header');
  const ids = (names: readonly string[] = []): string[] => names.map((name) => forgery.environment(name));
  const principal = encodeBase64url(systemRandom(8));
  const fresh = (): string => encodeBase64url(systemRandom(32));
  const root = forgery.one('root');
  const bundleKey = systemRandom(32);
  const identity = await identityOf(
    {
      signSeed: fresh(),
      sealSeed: fresh(),
      wrapKey: fresh(),
      vault: domain.vaultId,
      principal,
      root: root.n,
      rootDigest: forgery.lineDigest(root),
      floor: header.n,
    },
    bundleKey,
    '',
  );
  header.principals.push({
    id: principal,
    name: rights.name,
    signPub: encodeBase64url(identity.signing.publicKey),
    sealPub: '',
    list: ids(rights.list),
    read: ids(rights.read),
    rotate: ids(rights.rotate),
    write: ids(rights.write),
    delete: ids(rights.delete),
    expires: rights.expires ?? '',
    invited: '',
  });
  await forgery.signHeader(admin.identity);
  const secret = systemRandom(32);
  const credential = { type: 'recovery', secret } as const;
  const wanted = { principal, credential, kdf: null, engine: 'native' } as const;
  const slot = (await makeSlot(domain, systemRandom, wanted, bundleKey)).line;
  const bundle = await makeBundle(domain, systemRandom, identity, [slot], { n: 1, time: header.time });
  forgery.insert(structuredClone(slot.value), 'slot');
  forgery.insert(structuredClone(bundle.value), 'bundle');
  for (const entry of header.environments) {
    const level = ids(rights.read).includes(entry.id) ? 'read' : 'list';
    if (level === 'list' && !ids(rights.list).includes(entry.id)) continue;
    const key = await environmentKeyOf(admin, entry.name);
    const granted = level === 'read' ? key : await deriveKey(domain, key, 'catalog', entry.id, entry.epoch);
    const grant = await wrapGrant(domain, systemRandom, identity, entry, level, granted);
    forgery.insert(structuredClone(grant.value), 'grant');
  }
  return { principal, signing: identity.signing, identity, secret };
}

/** The environment key, from somebody who can open it. */
async function environmentKeyOf(vault: Vault, name: string): Promise<Bytes> {
  return vault.read('get', async (scope) => {
    const { environmentKey } = (await scope.reader(name)).keys;
    if (environmentKey === null) throw new Error('no environment key');
    return environmentKey.slice();
  });
}
