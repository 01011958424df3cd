/**
 * test/vectors/format.json: made again and compared byte for byte, and read by a second reader that shares no code with the
 * first. `node scripts/vectors.ts` writes the file; a difference is a change of the format and needs all that goes with one.
 */
import { createCipheriv, hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatVectors } from '../../scripts/vectors.ts';
import { bucketLength } from '../../src/crypto/aead.ts';
import { parseRecoveryKey, parseToken } from '../../src/format/key-text.ts';
import { bucket, open, pae, ReferenceReader } from '../support/reference-reader.ts';

interface Vectors {
  readonly pae: readonly { pieces: readonly (string | number | { hex: string })[]; encoded: string }[];
  readonly buckets: readonly (readonly [number, number])[];
  readonly seal: readonly Record<'key' | 'nonce' | 'aad' | 'message' | 'padded' | 'sealed', string>[];
  readonly keyTree: Readonly<Record<string, string>>;
  readonly digests: { vault: string; line: string; H: string; D: string };
  readonly slots: { vault: string; slots: readonly { okm: string; bundleKey: string; line: string }[] };
  readonly keyTexts: {
    readonly tokens: readonly { slot: string; secret: string; text: string }[];
    readonly recoveryKeys: readonly { secret: string; text: string }[];
  };
  readonly vault: {
    readonly passphrase: string;
    readonly recoveryKey: string;
    readonly secrets: Readonly<Record<string, readonly string[]>>;
    readonly file: readonly string[];
    readonly log: readonly string[];
  };
}

const text = readFileSync(new URL('format.json', import.meta.url), 'utf8');
const vectors = JSON.parse(text) as Vectors;
const hex = (bytes: string): Buffer => Buffer.from(bytes, 'hex');

test('made again, the vectors are the same byte for byte', async () => {
  expect(await formatVectors()).toBe(text);
});

describe('the second implementation agrees', () => {
  test.each(vectors.pae)('on PAE of $pieces', ({ pieces, encoded }) => {
    const bytes = pieces.map((piece) => (typeof piece === 'object' ? hex(piece.hex) : piece));
    expect(pae(...bytes).toString('hex')).toBe(encoded);
  });

  test.each(vectors.buckets)('on the bucket of %i bytes', (length, size) => {
    expect(bucketLength(length)).toBe(size);
    expect(bucket(length)).toBe(size);
  });

  test.each(vectors.seal)('on sealing $message', ({ key, nonce, aad, message, padded, sealed }) => {
    const cipher = createCipheriv('aes-256-gcm', hex(key), hex(nonce));
    cipher.setAAD(hex(aad));
    const body = Buffer.concat([cipher.update(hex(padded)), cipher.final(), cipher.getAuthTag()]);
    expect(nonce + body.toString('hex')).toBe(sealed);
    expect(hex(padded).readUInt32LE(0)).toBe(hex(message).length);
    expect(hex(padded).subarray(4).toString('hex')).toMatch(new RegExp(`^${message}(00)*$`));
  });

  test('on the key tree', () => {
    const tree = vectors.keyTree;
    const reader = new ReferenceReader(`{"kind":"vault","format":1,"id":"${tree['vault']}"}\n`);
    const place = [String(tree['environment']), Number(tree['epoch'])] as const;
    const environmentKey = hex(String(tree['environmentKey']));
    const below = (key: Buffer, label: string): string => reader.KD(key, label, ...place).toString('hex');
    const catalogKey = reader.KD(environmentKey, 'catalog', ...place);
    expect(tree).toMatchObject({
      KD: below(environmentKey, 'value'),
      valueKey: below(environmentKey, 'value'),
      blockKey: below(catalogKey, 'block'),
      noteKey: below(catalogKey, 'note'),
      carryKey: below(catalogKey, 'carry'),
      indexKey: below(catalogKey, 'index'),
      auditKey: below(catalogKey, 'audit-name'),
      commitEnv: reader.KD(environmentKey, 'commit-env', ...place).toString('base64url'),
      commitCatalog: reader.KD(catalogKey, 'commit-catalog', ...place).toString('base64url'),
    });
  });

  test('on H of a line', () => {
    const { line, H } = vectors.digests;
    expect(new ReferenceReader(`${line}\n`).H(Buffer.from(line))).toBe(H);
  });

  test.each(vectors.slots.slots)('on the slot $line', (vector) => {
    const line = JSON.parse(vector.line) as Record<string, string>;
    const { principal = '', id = '', type = '', kdf, salt = '', hint = '', commit, wrapped = '' } = line;
    const reader = new ReferenceReader(`{"kind":"vault","format":1,"id":"${vectors.slots.vault}"}\n`);
    const okm = hex(vector.okm);
    expect(okm.subarray(0, 32).toString('base64url')).toBe(commit);
    const where = [principal, id, type, JSON.stringify(kdf)];
    const rawSalt = Buffer.from(salt, 'base64url');
    const aad = reader.P('slot-wrap', ...where, rawSalt, hint, okm.subarray(0, 32));
    const bundleKey = open(okm.subarray(32), Buffer.from(wrapped, 'base64url'), aad);
    expect(bundleKey.toString('hex')).toBe(vector.bundleKey);
    const { secret } = (vector as unknown as { credential: { secret?: string } }).credential;
    if (secret === undefined) return;
    const derived = hkdfSync('sha256', hex(secret), rawSalt, reader.P('slot', ...where), 64);
    expect(Buffer.from(derived).toString('hex')).toBe(vector.okm);
  });
});

describe('keys as text', () => {
  test.each(vectors.keyTexts.tokens)('token $text', ({ slot, secret, text: token }) => {
    const parts = parseToken(token);
    expect(Buffer.from(parts?.slot ?? '', 'base64url').toString('hex')).toBe(slot);
    expect(Buffer.from(parts?.secret ?? []).toString('hex')).toBe(secret);
  });

  test.each(vectors.keyTexts.recoveryKeys)('recovery key $text', async ({ secret, text: key }) => {
    expect(Buffer.from((await parseRecoveryKey(key)) ?? []).toString('hex')).toBe(secret);
  });
});

describe('the second reader reads the whole vault', () => {
  const { file, log, passphrase, recoveryKey, secrets } = vectors.vault;

  test('by its passphrase', () => {
    const reader = new ReferenceReader(file.join('\n'));
    for (const [name, values] of Object.entries(secrets)) expect(reader.read({ passphrase }, name)).toEqual(values);
  });

  test('by its recovery key', async () => {
    const secret = Buffer.from((await parseRecoveryKey(recoveryKey)) ?? []);
    const reader = new ReferenceReader(file.join('\n'));
    for (const [name, values] of Object.entries(secrets)) expect(reader.read({ secret }, name)).toEqual(values);
  });

  test('and its log, whose records the snapshot anchors', () => {
    const last = new ReferenceReader(file.join('\n')).checkLog(log.join('\n'));
    expect(last).toMatch(/^[\w-]{43}$/);
    const snapshot = JSON.parse(file.at(-2) ?? '') as { logs: [string, number, string][] };
    const upToAnchor = log.slice(0, snapshot.logs[0]?.[1]);
    const anchored = new ReferenceReader(file.join('\n')).checkLog(`${upToAnchor.join('\n')}\n`);
    expect(anchored).toBe(snapshot.logs[0]?.[2]);
  });
});
