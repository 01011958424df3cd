/**
 * A second reader of age files for one post-quantum recipient, from the specification with node:crypto alone: nothing of src/, of
 * age-encryption or of noble is used. C2SP age.md (header, payload), RFC 9180 (HPKE, base mode) over X-Wing, FIPS 203.
 */
import {
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';

const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const suite = Buffer.from('HPKE\x64\x7a\x00\x01\x00\x03', 'latin1');
const wing = Buffer.from('\\.//^\\', 'latin1');

/** Bytes of Bech32 without its checksum, which the other reader checks. */
function bytesOfBech32(text: string): Buffer {
  const lower = text.toLowerCase();
  const data = lower.slice(lower.lastIndexOf('1') + 1, -6);
  const bits = data.replaceAll(/./gu, (letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0'));
  const octets = bits.match(/.{8}/gu) ?? [];
  return Buffer.from(octets.map((octet) => Number.parseInt(octet, 2)));
}

function sha3(...parts: readonly Buffer[]): Buffer {
  return createHash('sha3-256').update(Buffer.concat(parts)).digest();
}

const privateKey = (prefix: string, raw: Buffer): KeyObject =>
  createPrivateKey({ key: Buffer.concat([Buffer.from(prefix, 'hex'), raw]), format: 'der', type: 'pkcs8' });

const x25519Public = (raw: Buffer): KeyObject =>
  createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), raw]),
    format: 'der',
    type: 'spki',
  });

/** X-Wing, section 5.4: the shared secret of 32 bytes. */
function decapsulateWing(seed: Buffer, share: Buffer): Buffer {
  const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest();
  const lattice = privateKey('3054020100300b060960864801650304040204428040', expanded.subarray(0, 64));
  const curve = privateKey('302e020100300506032b656e04220420', expanded.subarray(64));
  const theirs = share.subarray(1088);
  return sha3(
    decapsulate(lattice, share.subarray(0, 1088)),
    diffieHellman({ privateKey: curve, publicKey: x25519Public(theirs) }),
    theirs,
    createPublicKey(curve).export({ format: 'der', type: 'spki' }).subarray(-32),
    wing,
  );
}

function extract(salt: Buffer, label: string, key: Buffer): Buffer {
  const labelled = Buffer.concat([Buffer.from('HPKE-v1'), suite, Buffer.from(label), key]);
  return createHmac('sha256', salt).update(labelled).digest();
}

function expand(key: Buffer, label: string, info: Buffer, length: number): Buffer {
  // At most 32 bytes: one round of HKDF-Expand.
  const labelled = Buffer.concat([
    Buffer.from([0, length]),
    Buffer.from('HPKE-v1'),
    suite,
    Buffer.from(label),
    info,
    Buffer.from([1]),
  ]);
  return createHmac('sha256', key).update(labelled).digest().subarray(0, length);
}

function openChaCha(key: Buffer, nonce: Buffer, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  decipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
}

function fileKeyOf(seed: Buffer, share: Buffer, body: Buffer): Buffer {
  const none = Buffer.alloc(0);
  const info = Buffer.from('age-encryption.org/mlkem768x25519');
  const context = Buffer.concat([
    Buffer.from([0]),
    extract(none, 'psk_id_hash', none),
    extract(none, 'info_hash', info),
  ]);
  const secret = extract(decapsulateWing(seed, share), 'secret', none);
  return openChaCha(expand(secret, 'key', context, 32), expand(secret, 'base_nonce', context, 12), body);
}

/** The text in an age file of one chunk. @throws where it is not one that this identity opens */
export function readAgeFile(identity: string, file: Uint8Array): Buffer {
  const text = Buffer.from(file).toString('latin1');
  const header = /^age-encryption\.org\/v1\n-> mlkem768x25519 (\S+)\n(\S+)\n--- (\S+)\n/u.exec(text);
  if (header === null) throw new Error('not a file for one post-quantum recipient');
  const [whole, share = '', body = '', mac = ''] = header;
  const key = fileKeyOf(bytesOfBech32(identity), Buffer.from(share, 'base64'), Buffer.from(body, 'base64'));
  const derive = (salt: Buffer, label: string): Buffer =>
    Buffer.from(hkdfSync('sha256', key, salt, Buffer.from(label), 32));
  const macked = whole.slice(0, -1 - mac.length - 1);
  const expected = createHmac('sha256', derive(Buffer.alloc(0), 'header'))
    .update(macked, 'latin1')
    .digest();
  if (!expected.equals(Buffer.from(mac, 'base64'))) throw new Error('wrong header authentication');
  const payload = Buffer.from(file).subarray(whole.length);
  const nonce = Buffer.concat([Buffer.alloc(11), Buffer.from([1])]);
  return openChaCha(derive(payload.subarray(0, 16), 'payload'), nonce, payload.subarray(16));
}
