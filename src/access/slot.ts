/** A slot: one credential of a principal, wrapping the key of its bundle. docs/format.md section 3, "slot". */
import { IntegrityError, UnlockError } from '../errors.ts';
import { open, seal, type RandomSource } from '../crypto/aead.ts';
import {
  compareBytes,
  encodeBase64url,
  equalBytes,
  parseBase64url,
  utf8,
  type Bytes,
} from '../crypto/bytes.ts';
import { hkdfSha256, sha256 } from '../crypto/hash.ts';
import {
  checkStoredKdf,
  passphraseBytes,
  saltLength,
  stretch,
  type KdfEngine,
  type KdfParameters,
} from '../crypto/kdf.ts';
import { encodePae, type Domain } from '../crypto/pae.ts';
import { parseAgeHint } from '../format/age-hint.ts';
import { encodeLine, type Line } from '../format/json-line.ts';
import { slotLine, type SlotLine } from '../format/lines.ts';

export const shortIdLength = 8;
export const keyFileBounds = { least: 32, most: 1024 ** 2 } as const;

/** A random id for a slot. It never begins with `-`: people hand it to `slot rm`, which would take it for an option. */
export function newSlotId(random: RandomSource): Bytes {
  const id = random(shortIdLength);
  if (encodeBase64url(id).startsWith('-')) id[0] = (id[0] ?? 0) ^ 0x80;
  return id;
}

/** What somebody presents to unlock. Strings come from a prompt or the environment; keep them short-lived. */
export type Credential =
  | { readonly type: 'passphrase'; readonly passphrase: string; readonly keyFile?: Bytes | undefined }
  | { readonly type: 'recovery'; readonly secret: Bytes }
  | { readonly type: 'token'; readonly slot: string; readonly secret: Bytes }
  | PassphraseAndDevice
  | AgeIdentity;

/** A passphrase beside a device that signs. The device is somebody else's to talk to: it is handed in. */
export interface PassphraseAndDevice {
  readonly type: 'pkcs11';
  readonly passphrase: string;
  /** Whether the device that a slot's hint finds is there. */
  readonly present: (hint: string) => Promise<boolean>;
  /** The raw, deterministic signature of the message; owned by the caller. */
  readonly sign: (hint: string, message: Bytes) => Promise<Bytes>;
}

/** An age identity: opens the age file of a slot, or `null` if it is for somebody else. What it gives is owned by the caller. */
export interface AgeIdentity {
  readonly type: 'age';
  readonly open: (file: Bytes) => Promise<{ readonly secret: Bytes; readonly identity: string } | null>;
}

/** Which slot types a credential can open. */
export function slotTypeOf(credential: Credential): SlotLine['type'] {
  if (credential.type !== 'passphrase') return credential.type;
  return credential.keyFile === undefined ? 'passphrase' : 'passphrase+keyfile';
}

type SlotFields = Pick<SlotLine, 'principal' | 'id' | 'type' | 'kdf' | 'salt' | 'hint'>;

/** How a passphrase is stretched: `stretch` with an engine, or somebody who watches it. */
export type Stretcher = (passphrase: Bytes, salt: Bytes, kdf: KdfParameters) => Promise<Bytes>;

export const stretchWith =
  (engine: KdfEngine): Stretcher =>
  async (passphrase, salt, kdf) =>
    stretch(passphrase, salt, kdf, engine);

/** What a slot key is made of; caller wipes. The device of a `pkcs11` slot is asked before the KDF runs: it may say no. */
async function inputKey(
  domain: Domain,
  credential: Credential,
  slot: Pick<SlotFields, 'principal' | 'id' | 'kdf' | 'hint'>,
  salt: Bytes,
  stretcher: Stretcher,
): Promise<Bytes> {
  if (credential.type === 'age') return ageKey(credential, slot.hint);
  if (credential.type === 'token' || credential.type === 'recovery') return credential.secret.slice();
  const { kdf } = slot;
  if (kdf.name === 'none') throw new IntegrityError('slot: a passphrase slot without a KDF');
  const signature =
    credential.type === 'pkcs11'
      ? await credential.sign(slot.hint, domain.encode('pkcs11', slot.principal, slot.id, salt))
      : null;
  const passphrase = passphraseBytes(credential.passphrase);
  const stretched = await stretcher(passphrase, salt, kdf);
  passphrase.fill(0);
  const second = credential.type === 'pkcs11' ? signature : (credential.keyFile ?? null);
  if (second === null) return stretched;
  const both = encodePae([stretched, await sha256(second), credential.type === 'pkcs11' ? 'pkcs11' : '']);
  stretched.fill(0);
  signature?.fill(0);
  return both;
}

/** The identity goes into the key as well: a recipient is public, and anybody could make a slot that it opens. */
async function ageKey(credential: AgeIdentity, hint: string): Promise<Bytes> {
  const opened = await credential.open(parseAgeHint(hint).file);
  if (opened === null) throw new UnlockError('the age identity is not the one of this slot');
  const identity = utf8(opened.identity);
  const key = encodePae([opened.secret, await sha256(identity), 'age']);
  identity.fill(0);
  opened.secret.fill(0);
  return key;
}

async function slotKeys(
  domain: Domain,
  slot: SlotFields,
  input: Bytes,
  salt: Bytes,
): Promise<{ commit: Bytes; key: Bytes }> {
  const info = domain.encode('slot', slot.principal, slot.id, slot.type, JSON.stringify(slot.kdf));
  const okm = await hkdfSha256(input, salt, info, 64);
  const keys = { commit: okm.slice(0, 32), key: okm.slice(32) };
  okm.fill(0);
  return keys;
}

function wrapData(domain: Domain, slot: SlotFields, salt: Bytes, commit: Bytes): Bytes {
  const { principal, id, type, kdf, hint } = slot;
  return domain.encode('slot-wrap', principal, id, type, JSON.stringify(kdf), salt, hint, commit);
}

function rawOf(text: string, what: string): Bytes {
  const bytes = parseBase64url(text);
  if (bytes === null) throw new IntegrityError(`slot: malformed ${what}`);
  return bytes;
}

/** The bundle key (caller wipes) under a slot key. @throws EncryptionError if it was changed. */
export async function unwrapBundleKey(domain: Domain, slot: SlotLine, slotKey: Bytes): Promise<Bytes> {
  const aad = wrapData(domain, slot, rawOf(slot.salt, 'salt'), rawOf(slot.commit, 'commitment'));
  return open(slotKey, rawOf(slot.wrapped, 'key'), aad);
}

/**
 * The slot key (caller wipes) if the credential is this slot's.
 * @throws UnlockError if the commitment differs; IntegrityError for KDF parameters outside the bounds, before any work.
 */
export async function openSlot(
  domain: Domain,
  slot: SlotLine,
  credential: Credential,
  stretcher: Stretcher,
): Promise<Bytes> {
  const stretches = credential.type === 'passphrase' || credential.type === 'pkcs11';
  if ((slot.kdf.name === 'none') === stretches) {
    throw new IntegrityError('slot: its KDF is not one of its type');
  }
  if (slot.kdf.name !== 'none') checkStoredKdf(slot.kdf);

  // Nobody has an empty passphrase: it is a wrong one, not a mistake in the command.
  if (stretches && credential.passphrase === '') throw new UnlockError('wrong passphrase');
  const salt = rawOf(slot.salt, 'salt');
  const input = await inputKey(domain, credential, slot, salt, stretcher);
  const { commit, key } = await slotKeys(domain, slot, input, salt);
  input.fill(0);
  if (!equalBytes(commit, rawOf(slot.commit, 'commitment'))) {
    key.fill(0);
    throw new UnlockError(`wrong ${wrong[credential.type]}`);
  }
  return key;
}

const wrong: Readonly<Record<Credential['type'], string>> = {
  passphrase: 'passphrase',
  pkcs11: 'passphrase, or another device',
  recovery: 'recovery key',
  token: 'token',
  age: 'age identity',
};

export interface NewSlot {
  readonly principal: string;
  readonly credential: Credential;
  /** For a passphrase; `null` for random keys. */
  readonly kdf: KdfParameters | null;
  readonly engine: KdfEngine;
  /** Kept with a passphrase, so that its age can be told. */
  readonly time?: string;
  /** What finds the device, asked once the device has been used. */
  readonly hint?: () => string;
}

/** Make a slot over a bundle key (borrowed). The slot key comes back too: the bundle keeps it. */
export async function makeSlot(
  domain: Domain,
  random: RandomSource,
  wanted: NewSlot,
  bundleKey: Bytes,
): Promise<{ line: Line<SlotLine>; slotKey: Bytes }> {
  const { credential } = wanted;
  const salt = random(saltLength);
  const given: SlotFields = {
    principal: wanted.principal,
    id: credential.type === 'token' ? credential.slot : encodeBase64url(newSlotId(random)),
    type: slotTypeOf(credential),
    kdf: wanted.kdf ?? { name: 'none' },
    salt: encodeBase64url(salt),
    hint: credential.type === 'passphrase' ? (wanted.time ?? '') : (wanted.hint?.() ?? ''),
  };
  const input = await inputKey(domain, credential, given, salt, stretchWith(wanted.engine));
  const fields = { ...given, hint: wanted.hint?.() ?? given.hint };
  const { commit, key } = await slotKeys(domain, fields, input, salt);
  input.fill(0);
  return {
    line: await wrapSlot(domain, random, { ...fields, commit: encodeBase64url(commit) }, key, bundleKey),
    slotKey: key,
  };
}

/** Wrap a bundle key under an existing slot's key: a new slot line for the same credential. */
export async function wrapSlot(
  domain: Domain,
  random: RandomSource,
  slot: SlotFields & Pick<SlotLine, 'commit'>,
  slotKey: Bytes,
  bundleKey: Bytes,
): Promise<Line<SlotLine>> {
  const { principal, id, type, kdf, salt, hint, commit } = slot;
  const aad = wrapData(domain, slot, rawOf(salt, 'salt'), rawOf(commit, 'commitment'));
  const wrapped = encodeBase64url(await seal(random, slotKey, bundleKey, aad));
  const value: SlotLine = { kind: 'slot', principal, id, type, kdf, salt, hint, commit, wrapped };
  return encodeLine(value, slotLine, 'slot');
}

/** Slots of one principal in file order: by id. */
export function sortSlots(slots: readonly Line<SlotLine>[]): Line<SlotLine>[] {
  return [...slots].sort((a, b) => compareBytes(rawOf(a.value.id, 'id'), rawOf(b.value.id, 'id')));
}

/**
 * What stays in the place of a credential that was removed while its principal's keys stayed the same: it opens nothing, and says since
 * when new keys are due.
 */
export function removedSlot({ principal, id }: SlotLine, time: string): Line<SlotLine> {
  const nothing = (length: number): string => encodeBase64url(new Uint8Array(length));
  return encodeLine<SlotLine>(
    {
      kind: 'slot',
      principal,
      id,
      type: 'removed',
      kdf: { name: 'none' },
      salt: nothing(saltLength),
      hint: time,
      commit: nothing(32),
      wrapped: '',
    },
    slotLine,
    'slot',
  );
}
