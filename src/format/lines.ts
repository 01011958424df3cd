/**
 * Every line of the vault file. docs/format.md sections 2, 3 and 5; member order here is the order in the file.
 */
import { limits } from './limits.ts';
import {
  bytes,
  digest,
  integer,
  list,
  literal,
  longId,
  object,
  oneOf,
  orNone,
  shortId,
  text,
  time,
  tuple,
  variant,
  type Shape,
  type Shaped,
} from './schema.ts';
import { IntegrityError } from '../errors.ts';
import { labelProblem } from './name.ts';

const counter = integer(1);
const publicKey = bytes(32);
const signature = bytes(64);
const sealKey = orNone(bytes(1_216));
const label: Shape<string> = (value, path) => {
  const checked = text(limits.label, 1)(value, path);
  if (labelProblem(checked) !== null)
    throw new IntegrityError(`malformed vault data at ${path}: expected a name`);
  return checked;
};
const environments = list(shortId, limits.environments);
const shard = tuple(digest, integer(0, limits.file));

const seen = object({
  header: integer(),
  parts: list(
    tuple(shortId, integer(), integer(), list(tuple(shortId, integer(1)), limits.principals)),
    limits.environments,
  ),
});

/** The one that this program writes. docs/format.md section 11. */
export const currentFormat = 1;

export const vaultLine = object({ kind: literal('vault'), format: literal(currentFormat), id: longId });

export const rootLine = object({
  kind: literal('root'),
  n: integer(),
  prev: orNone(digest),
  time,
  by: shortId,
  admins: list(tuple(shortId, publicKey), limits.principals, 1),
  sig: signature,
});

export const principalEntry = object({
  id: shortId,
  name: label,
  signPub: orNone(publicKey),
  sealPub: sealKey,
  list: environments,
  read: environments,
  rotate: environments,
  write: environments,
  delete: environments,
  expires: orNone(time),
  invited: orNone(publicKey),
});

export const headerLine = object({
  kind: literal('header'),
  n: counter,
  time,
  by: shortId,
  seen,
  root: digest,
  principals: list(principalEntry, limits.principals, 1),
  retired: list(
    object({ id: shortId, name: label, signPub: publicKey, from: counter, until: counter }),
    limits.retired,
  ),
  environments: list(
    object({
      id: shortId,
      name: label,
      epoch: counter,
      commitEnv: digest,
      commitCatalog: digest,
      sealPub: sealKey,
      sealed: bytes(),
    }),
    limits.environments,
  ),
  policy: list(tuple(text(limits.label, 1), text(limits.policyValue)), limits.policyKeys),
  sig: signature,
});

export const successionLine = object({
  kind: literal('succession'),
  principal: shortId,
  time,
  signPub: publicKey,
  sealPub: sealKey,
  prev: digest,
  sig: signature,
});

export const kdf = variant<
  | Readonly<{ name: 'argon2id'; memoryKiB: number; passes: number; lanes: number }>
  | Readonly<{ name: 'pbkdf2-hmac-sha256'; iterations: number }>
  | Readonly<{ name: 'none' }>
>('name', {
  argon2id: object({
    name: literal('argon2id'),
    memoryKiB: integer(8_192, 2_097_152),
    passes: integer(1, 32),
    lanes: integer(1, 16),
  }),
  'pbkdf2-hmac-sha256': object({
    name: literal('pbkdf2-hmac-sha256'),
    iterations: integer(100_000, 10_000_000),
  }),
  none: object({ name: literal('none') }),
});

export const slotTypes = [
  'passphrase',
  'passphrase+keyfile',
  'recovery',
  'token',
  'pkcs11',
  'age',
  'removed',
] as const;

export const slotLine = object({
  kind: literal('slot'),
  principal: shortId,
  id: shortId,
  type: oneOf(...slotTypes),
  kdf,
  salt: bytes(16),
  hint: text(limits.hint),
  commit: digest,
  wrapped: bytes(),
});

export const bundleLine = object({
  kind: literal('bundle'),
  n: counter,
  time,
  by: shortId,
  slots: list(digest, limits.slots, 1),
  sealed: bytes(),
  sig: signature,
});

export const bundleContent = object({
  signSeed: bytes(32),
  sealSeed: bytes(32),
  wrapKey: bytes(32),
  vault: longId,
  principal: shortId,
  root: integer(),
  rootDigest: digest,
  floor: counter,
});

export const grantLine = object({
  kind: literal('grant'),
  principal: shortId,
  environment: shortId,
  epoch: counter,
  level: oneOf('list', 'read'),
  form: oneOf('wrap', 'seal'),
  ct: bytes(),
});

const part = { environment: shortId, epoch: counter, n: counter, time, by: shortId, seen } as const;
const shards = list(shard, 2 ** limits.bits, 1);
const bits = integer(0, limits.bits);

export const namesLine = object({ kind: literal('names'), ...part, bits, shards, sig: signature });
export const valuesLine = object({ kind: literal('values'), ...part, bits, shards, sig: signature });
export const changesLine = object({
  kind: literal('changes'),
  ...part,
  base: digest,
  digest,
  size: integer(0, limits.file),
  sig: signature,
});

export const requestLine = object({
  kind: literal('request'),
  id: shortId,
  environment: shortId,
  secret: longId,
  version: counter,
  operation: oneOf('rotate'),
  note: bytes(),
  epoch: counter,
  time,
  expires: time,
  by: shortId,
  sig: signature,
});

export const decisionLine = object({
  kind: literal('decision'),
  id: shortId,
  request: shortId,
  digest,
  verdict: oneOf('approve', 'reject'),
  time,
  by: shortId,
  sig: signature,
});

export const snapshotLine = object({
  kind: literal('snapshot'),
  n: counter,
  time,
  by: shortId,
  head: digest,
  logs: list(tuple(longId, counter, digest), limits.logs),
  sig: signature,
});

export const blockLine = object({
  kind: literal('block'),
  environment: shortId,
  epoch: counter,
  shard: integer(0, 2 ** limits.bits - 1),
  sealed: bytes(),
});

export const valueLine = object({
  kind: literal('value'),
  environment: shortId,
  epoch: counter,
  secret: longId,
  version: counter,
  state: oneOf('live', 'pending', 'withdrawn'),
  time,
  author: shortId,
  by: shortId,
  form: oneOf('sym', 'seal'),
  ct: bytes(),
  note: bytes(),
  prev: orNone(digest),
  decision: orNone(shortId),
  sig: signature,
});

export const purgedLine = object({
  kind: literal('purged'),
  environment: shortId,
  secret: longId,
  through: counter,
  digest,
  last: time,
  time,
  by: shortId,
  sig: signature,
});

export const removedLine = object({
  kind: literal('removed'),
  environment: shortId,
  secret: longId,
  time,
  by: shortId,
  sig: signature,
});

export type Seen = Shaped<typeof seen>;
export type VaultLine = Shaped<typeof vaultLine>;
export type RootLine = Shaped<typeof rootLine>;
export type PrincipalEntry = Shaped<typeof principalEntry>;
export type HeaderLine = Shaped<typeof headerLine>;
export type EnvironmentEntry = HeaderLine['environments'][number];
export type SuccessionLine = Shaped<typeof successionLine>;
export type StoredKdf = Shaped<typeof kdf>;
export type SlotLine = Shaped<typeof slotLine>;
export type BundleLine = Shaped<typeof bundleLine>;
export type BundleContent = Shaped<typeof bundleContent>;
export type GrantLine = Shaped<typeof grantLine>;
export type NamesLine = Shaped<typeof namesLine>;
export type ValuesLine = Shaped<typeof valuesLine>;
export type ChangesLine = Shaped<typeof changesLine>;
export type RequestLine = Shaped<typeof requestLine>;
export type DecisionLine = Shaped<typeof decisionLine>;
export type SnapshotLine = Shaped<typeof snapshotLine>;
export type ValueLine = Shaped<typeof valueLine>;
export type PurgedLine = Shaped<typeof purgedLine>;
export type RemovedLine = Shaped<typeof removedLine>;
