/**
 * `node scripts/vectors.ts`: writes test/vectors/format.json anew. docs/format.md, by example: what goes in, what comes out.
 *
 * Everything is made from one seed and one moment, so the file is the same on every machine; the tests make it again and
 * compare it byte for byte. A difference is a change of format.
 */
import { acquireLock } from '../src/storage/lock.ts';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { lineDigest, headDigest } from '../src/access/digest.ts';
import { commitmentsOf } from '../src/access/commitment.ts';
import { environmentKeys } from '../src/access/environment-key.ts';
import { makeSlot, type Credential } from '../src/access/slot.ts';
import { bucketLength, pad, seal, type RandomSource } from '../src/crypto/aead.ts';
import { encodeBase64url, encodeHex, utf8, type Bytes } from '../src/crypto/bytes.ts';
import { deriveKey } from '../src/crypto/hash.ts';
import type { KdfParameters } from '../src/crypto/kdf.ts';
import { Domain, encodePae, type Piece } from '../src/crypto/pae.ts';
import { encodeRecoveryKey, encodeToken } from '../src/format/key-text.ts';
import { realFileSystem } from '../src/storage/file-system.ts';
import { createVault } from '../src/vault/create.ts';
import { getSecret } from '../src/vault/operations/get.ts';
import { purgeSecret, removeSecret, renameSecret } from '../src/vault/operations/move.ts';
import { putSecret } from '../src/vault/operations/put.ts';
import { logPathBeside, type Place } from '../src/vault/place.ts';
import { Vault } from '../src/vault/vault.ts';

const file = path.resolve(import.meta.dirname, '../test/vectors/format.json');
const moment = '2026-11-22T08:00:38.123Z';
const vaultId = encodeBase64url(counting(16));
const domain = new Domain(vaultId);

/** 00 01 02 … */
function counting(length: number, from = 0): Bytes {
  return Uint8Array.from({ length }, (_, index) => (from + index) & 0xff);
}

/** The same bytes for the same seed: SHA-256 of the seed and a counter, block after block. */
function seeded(seed: string): RandomSource {
  let counter = 0;
  return (length) => {
    const blocks: Buffer[] = [];
    for (let made = 0; made < length; made += 32) {
      blocks.push(createHash('sha256').update(`${seed} ${counter}`).digest());
      counter += 1;
    }
    return Uint8Array.from(Buffer.concat(blocks).subarray(0, length));
  };
}

function described(piece: Piece): string | number | { hex: string } {
  return piece instanceof Uint8Array ? { hex: encodeHex(piece) } : piece;
}

function paeVectors() {
  const lists: Piece[][] = [
    [],
    [''],
    ['', ''],
    ['a'],
    ['vault/1', 'value', 7],
    ['ab', 'c'],
    ['a', 'bc'],
    [0, 1, 2 ** 53 - 1],
    ['é', 'e\u0301', '😀'],
    [counting(3), new Uint8Array(0), 'x'],
  ];
  return lists.map((pieces) => ({ pieces: pieces.map(described), encoded: encodeHex(encodePae(pieces)) }));
}

function bucketVectors() {
  const lengths = [0, 1, 59, 60, 61, 124, 125, 252, 253, 1_020, 1_021, 32_764, 32_765, 65_532, 65_533];
  return [...lengths, 131_068, 131_069, 16 * 1024 ** 2].map((length) => [length, bucketLength(length)]);
}

async function sealVectors() {
  const cases = [
    { message: utf8(''), smallest: 64 },
    { message: utf8('s3cret'), smallest: 64 },
    { message: counting(61), smallest: 64 },
    { message: counting(200), smallest: 1_024 },
  ];
  return Promise.all(
    cases.map(async ({ message, smallest }) => {
      const key = counting(32, 0x40);
      const aad = domain.encode('note', 'example', 1);
      const nonce = counting(12, 0xa0);
      const sealed = await seal(() => nonce, key, message, aad, smallest);
      return {
        key: encodeHex(key),
        nonce: encodeHex(nonce),
        aad: encodeHex(aad),
        message: encodeHex(message),
        smallestBucket: smallest,
        padded: encodeHex(pad(message, smallest)),
        sealed: encodeHex(sealed),
      };
    }),
  );
}

async function keyTree() {
  const environment = encodeBase64url(counting(8, 0x10));
  const environmentKey = counting(32, 0x80);
  const place = { id: environment, epoch: 3 };
  const keys = await environmentKeys(domain, place, environmentKey.slice());
  return {
    vault: vaultId,
    environment,
    epoch: place.epoch,
    environmentKey: encodeHex(environmentKey),
    KD: encodeHex(await deriveKey(domain, environmentKey, 'value', environment, place.epoch)),
    valueKey: encodeHex(keys.value ?? new Uint8Array(0)),
    blockKey: encodeHex(keys.block),
    noteKey: encodeHex(keys.note),
    carryKey: encodeHex(keys.carry),
    indexKey: encodeHex(keys.index),
    auditKey: encodeHex(keys.audit),
    ...(await commitmentsOf(domain, place, environmentKey)),
  };
}

async function digests() {
  const line = `{"kind":"vault","format":1,"id":"${vaultId}"}`;
  return {
    vault: vaultId,
    line,
    H: await lineDigest(domain, utf8(line)),
    D: await headDigest(domain, utf8(`${line}\n`)),
  };
}

async function slotVectors() {
  const principal = encodeBase64url(counting(8, 0x20));
  const pbkdf2: KdfParameters = { name: 'pbkdf2-hmac-sha256', iterations: 100_000 };
  const argon2: KdfParameters = { name: 'argon2id', memoryKiB: 8_192, passes: 1, lanes: 1 };
  const passphrase = 'cafe\u0301 ☕';
  const keyFile = counting(64, 0x30);
  const token = encodeBase64url(counting(8, 0x70));
  const wanted: { credential: Credential; kdf: KdfParameters | null }[] = [
    { credential: { type: 'recovery', secret: counting(32, 0x50) }, kdf: null },
    { credential: { type: 'token', slot: token, secret: counting(32, 0x60) }, kdf: null },
    { credential: { type: 'passphrase', passphrase }, kdf: pbkdf2 },
    { credential: { type: 'passphrase', passphrase }, kdf: argon2 },
    { credential: { type: 'passphrase', passphrase, keyFile }, kdf: argon2 },
  ];
  const bundleKey = counting(32, 0xc0);
  const random = seeded('slots');
  const made = [];
  for (const { credential, kdf } of wanted) {
    const options = { principal, credential, kdf, engine: 'native' } as const;
    const { line, slotKey } = await makeSlot(domain, random, options, bundleKey);
    made.push({
      credential:
        credential.type === 'passphrase'
          ? { passphrase: credential.passphrase, keyFile: encodeHex(credential.keyFile ?? new Uint8Array(0)) }
          : { secret: encodeHex('secret' in credential ? credential.secret : new Uint8Array(0)) },
      bundleKey: encodeHex(bundleKey),
      okm: encodeHex(Buffer.from(line.value.commit, 'base64url')) + encodeHex(slotKey),
      line: Buffer.from(line.raw).toString(),
    });
  }
  return { vault: vaultId, slots: made };
}

async function keyTexts() {
  const secrets = [new Uint8Array(32), counting(32), new Uint8Array(32).fill(0xff)];
  const slot = counting(8, 0x90);
  return {
    tokens: secrets.map((secret) => ({
      slot: encodeHex(slot),
      secret: encodeHex(secret),
      text: encodeToken(slot, secret),
    })),
    recoveryKeys: await Promise.all(
      secrets.map(async (secret) => ({ secret: encodeHex(secret), text: await encodeRecoveryKey(secret) })),
    ),
  };
}

/**
 * A whole vault, its log and its life: made, two secrets, a second version, a rename, a removal, a purge, a wrong credential, a
 * read. Two environments, the second of them empty.
 */
async function wholeVault() {
  const folder = mkdtempSync(path.join(tmpdir(), 'vault-vectors-'));
  try {
    const vaultPath = path.join(folder, 'example.vault');
    const place: Place = {
      fs: realFileSystem,
      path: vaultPath,
      audit: { type: 'file', path: logPathBeside(vaultPath) },
      stateFolder: null,
      now: () => new Date(moment),
      monotonic: () => performance.now(),
      random: seeded('vault'),
      kdfEngine: 'native',
      context: { user: 'ada', host: 'engine', address: '', program: 'scripts/vectors.ts', session: '' },
      holder: 'scripts/vectors.ts',
      lockWaitMs: 10_000,
      acquireLock,
      warn: () => undefined,
    };
    const passphrase = 'correct horse battery staple';
    const made = await createVault(place, {
      credential: { type: 'passphrase', passphrase },
      kdf: { name: 'argon2id', memoryKiB: 8_192, passes: 1, lanes: 1 },
      environments: ['production', 'staging'],
      recovery: true,
    });
    await live(place, passphrase);
    return {
      passphrase,
      recoveryKey: made.recoveryKey,
      secrets: { 'db/password': ['first', 'second'] },
      file: readFileSync(vaultPath, 'utf8').split('\n'),
      log: readFileSync(place.audit.path, 'utf8').split('\n'),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function live(place: Place, passphrase: string): Promise<void> {
  const credentials = async (attempt: number): Promise<Credential> =>
    Promise.resolve({ type: 'passphrase', passphrase: attempt === 1 ? 'wrong' : passphrase });
  const vault = await Vault.open(place, { principal: null, credentials });
  const common = { environment: null, operation: 'put' } as const;
  const tags = new Map([['team', 'core']]);
  const metadata = { type: 'password', tags, variable: 'DB_PASSWORD' } as const;
  await vault.write('put', async (scope) =>
    putSecret(scope, { ...common, name: 'database', value: utf8('first'), metadata }),
  );
  await vault.write('put', async (scope) => putSecret(scope, { ...common, name: 'gone', value: utf8('x') }));
  await vault.write('rotate', async (scope) =>
    putSecret(scope, { ...common, name: 'database', value: utf8('second'), operation: 'rotate' }),
  );
  await vault.write('mv', async (scope) => renameSecret(scope, null, 'database', 'db/password'));
  await vault.write('rm', async (scope) => removeSecret(scope, null, 'gone'));
  await vault.write('purge', async (scope) => purgeSecret(scope, null, 'gone'));
  const wanted = { environment: null, name: 'db/password', version: null, field: null, allowExpired: false };
  await vault.read('get', async (scope) => getSecret(scope, wanted));
  vault.close();
}

/** The text of test/vectors/format.json. */
export async function formatVectors(): Promise<string> {
  const all = {
    about:
      'Made by scripts/vectors.ts. Bytes are hexadecimal; base64url where the format has it so. docs/format.md',
    pae: paeVectors(),
    buckets: bucketVectors(),
    seal: await sealVectors(),
    keyTree: await keyTree(),
    digests: await digests(),
    slots: await slotVectors(),
    keyTexts: await keyTexts(),
    vault: await wholeVault(),
  };
  return `${JSON.stringify(all, null, 1)}\n`;
}

if (import.meta.main) writeFileSync(file, await formatVectors());
