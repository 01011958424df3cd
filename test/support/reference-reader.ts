/**
 * A second reader of the vault format, slow and plain, written from docs/format.md with node:crypto alone: nothing of src/ is
 * used. What both readers say of a file is the format; what only one says is a bug.
 */
import {
  argon2Sync,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  pbkdf2Sync,
  verify,
} from 'node:crypto';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Line = Record<string, Json>;
type Piece = string | number | Buffer;

const sha256 = (data: Buffer): Buffer => createHash('sha256').update(data).digest();
/** A member that must be text. */
function str(value: Json | undefined): string {
  if (typeof value !== 'string') throw new Error('the reference reader refuses the file: text was expected');
  return value;
}

const raw = (text: Json | undefined): Buffer => Buffer.from(str(text), 'base64url');

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`the reference reader refuses the file: ${what}`);
}

function le64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function pae(...pieces: Piece[]): Buffer {
  const bytes = pieces.map((piece) => (Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece), 'utf8')));
  return Buffer.concat([le64(bytes.length), ...bytes.flatMap((piece) => [le64(piece.length), piece])]);
}

export function bucket(length: number, smallest = 64): number {
  for (let size = smallest; size <= 65_536; size *= 2) if (size >= length + 4) return size;
  let size = 65_536;
  while (size < length + 4) size += 65_536;
  return size;
}

export function open(key: Buffer, sealed: Buffer, aad: Buffer, smallest = 64): Buffer {
  const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12));
  cipher.setAAD(aad);
  cipher.setAuthTag(sealed.subarray(-16));
  const padded = Buffer.concat([cipher.update(sealed.subarray(12, -16)), cipher.final()]);
  const length = padded.readUInt32LE(0);
  must(padded.length === bucket(length, smallest), 'wrong bucket');
  must(
    padded.subarray(4 + length).every((byte) => byte === 0),
    'padding is not zero',
  );
  return padded.subarray(4, 4 + length);
}

function holds(publicKey: Json | undefined, signature: Json | undefined, message: Buffer): boolean {
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: str(publicKey) } });
  return verify(null, message, key, raw(signature));
}

export interface ReferenceCredential {
  readonly passphrase?: string;
  /** Of a recovery key. */
  readonly secret?: Buffer;
}

export class ReferenceReader {
  readonly #lines: { raw: Buffer; value: Line }[];
  readonly #vault: string;

  constructor(file: string) {
    must(file.endsWith('\n'), 'the last line does not end');
    this.#lines = file
      .slice(0, -1)
      .split('\n')
      .map((text) => ({ raw: Buffer.from(text), value: JSON.parse(text) as Line }));
    this.#vault = str(this.#one('vault').value['id']);
  }

  P(label: string, ...pieces: Piece[]): Buffer {
    return pae('vault/1', label, this.#vault, ...pieces);
  }

  H(line: Buffer): string {
    return sha256(this.P('line', line)).toString('base64url');
  }

  KD(key: Buffer, label: string, ...pieces: Piece[]): Buffer {
    return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), this.P(label, ...pieces), 32));
  }

  #all(kind: string): { raw: Buffer; value: Line }[] {
    return this.#lines.filter(({ value }) => value['kind'] === kind);
  }

  #one(kind: string): { raw: Buffer; value: Line } {
    const [line] = this.#all(kind);
    must(line !== undefined, `no ${kind} line`);
    return line;
  }

  #checkSignature(line: { raw: Buffer; value: Line }, publicKey: Json | undefined): void {
    const text = line.raw.toString();
    const covered = Buffer.from(text.slice(0, text.lastIndexOf(',"sig":"')));
    const kind = str(line.value['kind']);
    must(holds(publicKey, line.value['sig'], this.P('sig', covered)), `signature of the ${kind}`);
  }

  /** Every value of a secret, oldest first, of the first environment; for vaults with one principal. */
  read(credential: ReferenceCredential, name: string): string[] {
    const header = this.#one('header').value;
    const [owner] = header['principals'] as Line[];
    const [environment] = header['environments'] as Line[];
    must(owner !== undefined && environment !== undefined, 'nobody or nowhere');
    const headEnd = this.#lines.findIndex(({ value }) => value['kind'] === 'block');
    const head = Buffer.concat(
      this.#lines.slice(0, headEnd).flatMap((line) => [line.raw, Buffer.from('\n')]),
    );
    const digest = sha256(this.P('head', head)).toString('base64url');
    must(this.#one('snapshot').value['head'] === digest, 'head digest');
    const signed = ['root', 'header', 'bundle', 'names', 'values', 'value', 'purged', 'snapshot'];
    for (const kind of signed) {
      for (const line of this.#all(kind)) this.#checkSignature(line, owner['signPub']);
    }
    must(header['root'] === this.H(this.#one('root').raw), 'the header names another root');
    const [id, epoch] = [str(environment['id']), Number(environment['epoch'])];
    const environmentKey = this.#environmentKey(credential, str(owner['id']), owner['signPub'], environment);
    const catalogKey = this.KD(environmentKey, 'catalog', id, epoch);
    const secret = this.#find(catalogKey, id, epoch, name);
    const valueKey = this.KD(environmentKey, 'value', id, epoch);
    return this.#versions(valueKey, id, epoch, secret);
  }

  #environmentKey(
    credential: ReferenceCredential,
    owner: string,
    signPub: Json | undefined,
    environment: Line,
  ): Buffer {
    const slots = this.#all('slot');
    const bundle = this.#one('bundle').value;
    must(JSON.stringify(bundle['slots']) === JSON.stringify(slots.map((slot) => this.H(slot.raw))), 'slots');
    const type = credential.secret === undefined ? 'passphrase' : 'recovery';
    const slot = slots.find(({ value }) => value['type'] === type)?.value;
    must(slot !== undefined, 'no slot');
    const { kdf, salt, hint, commit } = slot;
    const kdfText = JSON.stringify(kdf);
    const ikm = credential.secret ?? stretched(credential.passphrase ?? '', raw(salt), kdf as Line);
    const where = [owner, str(slot['id']), type, kdfText];
    const okm = Buffer.from(hkdfSync('sha256', ikm, raw(salt), this.P('slot', ...where), 64));
    must(okm.subarray(0, 32).equals(raw(commit)), 'wrong credential');
    const slotData = this.P('slot-wrap', ...where, raw(salt), str(hint), raw(commit));
    const bundleKey = open(okm.subarray(32), raw(slot['wrapped']), slotData);
    const bundleData = this.P('bundle', owner, Number(bundle['n']));
    const content = JSON.parse(open(bundleKey, raw(bundle['sealed']), bundleData, 1_024).toString()) as Line;
    must(content['vault'] === this.#vault && content['principal'] === owner, 'bundle of somebody else');
    must(publicKeyOf(raw(content['signSeed'])) === signPub, 'another signing key');
    const [id, epoch] = [str(environment['id']), Number(environment['epoch'])];
    const grant = this.#one('grant').value;
    const aad = this.P('grant', owner, id, epoch, str(grant['level']));
    const key = open(raw(content['wrapKey']), raw(grant['ct']), aad);
    must(this.KD(key, 'commit-env', id, epoch).equals(raw(environment['commitEnv'])), 'commitment');
    return key;
  }

  #find(catalogKey: Buffer, id: string, epoch: number, name: string): string {
    const names = this.#one('names').value;
    const bits = Number(names['bits']);
    const indexKey = this.KD(catalogKey, 'index', id, epoch);
    const hash = createHmac('sha256', indexKey).update(name).digest();
    const shard = hash.readUInt16BE(0) >>> (16 - bits);
    const block = this.#all('block').filter(({ value }) => value['environment'] === id)[shard];
    must(block !== undefined, 'no block');
    this.#checkShard(names, 'names', shard, [block.raw]);
    const aad = this.P('block', id, epoch, bits, shard);
    const text = open(this.KD(catalogKey, 'block', id, epoch), raw(block.value['sealed']), aad);
    const { entries } = JSON.parse(text.toString()) as { entries: Line[] };
    const entry = entries.find((found) => found['name'] === name);
    must(entry !== undefined, 'no such secret');
    return str(entry['secret']);
  }

  #versions(valueKey: Buffer, id: string, epoch: number, secret: string): string[] {
    const values = this.#one('values').value;
    const all = [...this.#all('value'), ...this.#all('purged')].filter(
      ({ value }) => value['environment'] === id,
    );
    all.sort((a, b) => this.#lines.indexOf(a) - this.#lines.indexOf(b));
    this.#checkShard(
      values,
      'values',
      0,
      all.map((line) => line.raw),
    );
    let prev = '';
    return all
      .filter(({ value }) => value['secret'] === secret)
      .map((line, index) => {
        const { version, ct } = line.value;
        must(version === index + 1 && line.value['prev'] === prev, 'versions are no chain');
        prev = this.H(line.raw);
        const plain = open(valueKey, raw(ct), this.P('value', id, epoch, secret, version));
        const value = plain.subarray(32);
        must(sha256(value).equals(plain.subarray(0, 32)), 'checksum');
        return value.toString();
      });
  }

  #checkShard(part: Line, space: string, shard: number, lines: readonly Buffer[]): void {
    const bytes = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
    const [digest, size] = (part['shards'] as Json[][])[shard] ?? [];
    const found = sha256(this.P('shard', space, str(part['environment']), shard, bytes));
    must(size === bytes.length && digest === found.toString('base64url'), `shard ${shard} of ${space}`);
  }

  /** Check a log of the one principal: encoding, sequence, chain, signatures. The digest of its last record. */
  checkLog(log: string): string {
    const [owner] = this.#one('header').value['principals'] as Line[];
    let prev = '';
    log
      .slice(0, -1)
      .split('\n')
      .forEach((text, index) => {
        const value = JSON.parse(text) as Line;
        must(JSON.stringify(value) === text, 'a record has a second spelling');
        must(value['seq'] === index + 1 && value['prev'] === prev, 'records are no chain');
        if ('sig' in value) {
          const covered = Buffer.from(text.slice(0, text.lastIndexOf(',"sig":"')));
          must(holds(owner?.['signPub'], value['sig'], this.P('audit', covered)), 'signature of a record');
        }
        prev = sha256(this.P('record', Buffer.from(text))).toString('base64url');
      });
    return prev;
  }
}

function stretched(passphrase: string, salt: Buffer, kdf: Line): Buffer {
  const message = Buffer.from(passphrase.normalize('NFC'));
  if (kdf['name'] === 'pbkdf2-hmac-sha256') {
    return pbkdf2Sync(message, salt, Number(kdf['iterations']), 32, 'sha256');
  }
  const { memoryKiB, passes, lanes } = kdf;
  const options = { memory: Number(memoryKiB), passes: Number(passes), parallelism: Number(lanes) };
  return argon2Sync('argon2id', { message, nonce: salt, tagLength: 32, ...options });
}

function publicKeyOf(seed: Buffer): string {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '';
}
