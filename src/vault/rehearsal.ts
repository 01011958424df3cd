/**
 * A rehearsal: a vault made, unlocked, read and changed in memory. Run while the start-up snapshot is built, it leaves the bytecode of
 * all of it, and the crypto that it loads, in the snapshot, so that the first real command need not compile them.
 *
 * It touches no file, clock or process, keeps nothing, and its keys protect nothing.
 */
import { Authority, headDigest } from '../access/authority.ts';
import { makeRecord, nameHash, parseRecord, recordDigest } from '../audit/record.ts';
import { joinLines, buildFile, makeSnapshot, nextBundle, seenOf, writeTime } from './build.ts';
import { VaultDocument, type ByteSource } from '../format/document.ts';
import { concatBytes, encodeBase64url, utf8, type Bytes } from '../crypto/bytes.ts';
import { defaultPbkdf2 } from '../crypto/kdf.ts';
import { defaultEnvironments, draftVault } from './create.ts';
import { partsOf } from './memory.ts';
import { getSecret } from './operations/get.ts';
import { listInfo } from './operations/list.ts';
import { putSecret } from './operations/put.ts';
import { selectSecrets } from './operations/select.ts';
import { WriteScope } from './scope.ts';
import { unlock } from './unlock.ts';

const moment = new Date('2020-01-01T00:00:00.000Z');

function random(length: number): Bytes {
  return new Uint8Array(length).map((_, index) => (index * 7 + length) & 0xff);
}

function sourceOf(bytes: Bytes): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

let counter = 0;

/** Random enough to be distinct, which ids must be. */
function distinct(length: number): Bytes {
  counter += 1;
  const bytes = random(length);
  bytes[0] = counter & 0xff;
  bytes[1] = counter >> 8;
  return bytes;
}

export async function rehearse(): Promise<void> {
  const ports = { random: distinct, now: () => moment, kdfEngine: 'native' } as const;
  // PBKDF2 stands in for Argon2id, whose WebAssembly cannot be part of a snapshot.
  const credential = { type: 'passphrase', passphrase: 'rehearsal' } as const;
  const kdf = { ...defaultPbkdf2, iterations: 100_000 };
  const drafted = await draftVault(ports, { credential, kdf, environments: defaultEnvironments, recovery: true });
  const log = { path: '', id: encodeBase64url(distinct(16)), seq: 1, digest: encodeBase64url(distinct(32)) };
  const { domain, identity, head, body, recoverySecret } = drafted;
  if (recoverySecret === null) return;
  const digest = await headDigest(domain, head);
  const snapshot = await makeSnapshot(domain, identity, null, { time: moment.toISOString(), head: digest, log });
  let file = concatBytes(head, ...body, joinLines([snapshot.raw]));
  for (const secret of ['a', 'b']) file = await rehearseOnce(file, recoverySecret.slice(), secret, log);
}

async function rehearseOnce(
  bytes: Bytes,
  secret: Bytes,
  name: string,
  log: { path: string; id: string; seq: number; digest: string },
): Promise<Bytes> {
  const document = new VaultDocument(sourceOf(bytes));
  const authority = await Authority.of(document);
  await partsOf(document, authority, null);
  const identity = await unlock(document, authority, { type: 'recovery', secret }, null, 'native', moment);
  const time = writeTime(document, moment);
  const stamp = { time, seen: seenOf(document), identity, random: distinct };
  const scope = new WriteScope(document, authority, identity, moment, stamp);
  if (name !== 'a') {
    await getSecret(scope, { environment: null, name: 'a', version: null, field: null, allowExpired: false });
    await selectSecrets(scope, { environment: null, only: [], names: [], allowExpired: false });
    const options = { environment: null, allEnvironments: false, pattern: null, removed: false, type: null };
    await listInfo(scope, { ...options, tags: new Map<string, string>(), expiringBefore: null, expired: false, due: false });
  }
  await putSecret(scope, { environment: null, name, value: utf8('value'), operation: 'put' });
  const draft = await scope.draft(null);
  const environments = new Map([[draft.reader.id, await draft.build()]]);
  const credentials = await nextBundle(document, authority, distinct, identity, time, null);
  const built = await buildFile(document, authority, { environments, credentials });
  const snapshot = await makeSnapshot(authority.domain, identity, document.snapshot.value, { time, head: built.headDigest, log });
  await rehearseRecord(scope, draft.reader.keys.audit, log.id);
  return concatBytes(built.head, ...built.body, joinLines([snapshot.raw]));
}

async function rehearseRecord(scope: WriteScope, auditKey: Bytes, log: string): Promise<void> {
  const { authority, identity, stamp } = scope;
  const empty = { user: '', host: '', address: '', program: '', session: '' };
  const hash = await nameHash(auditKey, 'a');
  const record = await makeRecord(authority.domain, identity.signing, {
    log,
    seq: 1,
    time: stamp.time,
    op: 'get',
    ok: true,
    code: '',
    principal: identity.principal,
    environment: '',
    secrets: [[scope.entry(null).id, hash, 1]],
    context: empty,
    source: 'file',
    detail: '',
    header: 1,
    from: '',
    to: '',
    prev: '',
  });
  parseRecord(record.raw);
  await recordDigest(authority.domain, record.raw);
}
