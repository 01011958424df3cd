/**
 * What a new vault is made of: one principal `owner` with everything, its slots, the environments. docs/format.md; pure but for the
 * ports that it is given.
 */
import { UsageError } from '../errors.ts';
import { lineDigest } from '../access/digest.ts';
import { identityOf, makeBundle, type Identity } from '../access/bundle.ts';
import { closeEnvironmentKeys } from '../access/environment-key.ts';
import { signLine } from '../access/signing.ts';
import { keyFileBounds, makeSlot, shortIdLength, sortSlots, type Credential } from '../access/slot.ts';
import { encodeBase64url, type Bytes } from '../crypto/bytes.ts';
import { checkChosenKdf, type KdfParameters } from '../crypto/kdf.ts';
import { Domain } from '../crypto/pae.ts';
import { encodeLine, type Line } from '../format/json-line.ts';
import {
  headerLine,
  rootLine,
  vaultLine,
  type EnvironmentEntry,
  type HeaderLine,
  type RootLine,
  type SlotLine,
} from '../format/lines.ts';
import { newLabelProblem } from '../format/name.ts';
import { joinLines } from './build.ts';
import { makeEnvironment, type MadeEnvironment } from './new-environment.ts';
import type { Place } from './place.ts';
import { newBundleContent, type Pins } from './principal-keys.ts';

export const defaultEnvironments = ['development', 'staging', 'production', 'testing'] as const;
export const ownerName = 'owner';

export interface NewVault {
  readonly credential: Extract<Credential, { type: 'passphrase' }>;
  readonly kdf: KdfParameters;
  readonly environments: readonly string[];
  /** Whether a recovery key is made; its text comes back, once. */
  readonly recovery: boolean;
  /** Handed the recovery key before the vault is in place: a vault that exists has its key kept. */
  readonly keepRecoveryKey?: (key: string) => void;
}

interface Founding {
  readonly place: FoundingPorts;
  readonly domain: Domain;
  readonly identity: Identity;
  readonly time: string;
}

const firstSeen = { header: 0, parts: [] };

/** What a new vault is made of, before anything is written. */
export interface DraftedVault {
  readonly domain: Domain;
  readonly identity: Identity;
  readonly head: Bytes;
  readonly body: readonly Bytes[];
  /** Owned by the caller. */
  readonly recoverySecret: Bytes | null;
}

export type FoundingPorts = Pick<Place, 'random' | 'now' | 'kdfEngine'>;

/** Keys, lines and bytes of a new vault, all but its snapshot. Touches nothing outside. */
export async function draftVault(place: FoundingPorts, wanted: NewVault): Promise<DraftedVault> {
  const vaultId = encodeBase64url(place.random(16));
  const domain = new Domain(vaultId);
  const principal = encodeBase64url(place.random(shortIdLength));
  const bundleKey = place.random(32);
  const time = place.now().toISOString();

  const content = newBundleContent(place.random, vaultId, principal, unpinned);
  const founding: Founding = { place, domain, time, identity: await identityOf(content, bundleKey, '') };
  const root = await makeRoot(founding);
  const rootDigest = await lineDigest(domain, root.raw);
  const identity: Identity = { ...founding.identity, content: { ...content, rootDigest } };

  // One after the other: the same randomness makes the same vault, which vectors rely on.
  const stamp = { time, seen: firstSeen, identity: founding.identity, random: place.random };
  const environments: MadeEnvironment[] = [];
  for (const name of wanted.environments) {
    const made = await makeEnvironment(domain, stamp, name);
    closeEnvironmentKeys(made.keys);
    environments.push(made);
  }
  const header = await makeHeader(
    founding,
    rootDigest,
    environments.map(({ entry }) => entry),
  );
  const recoverySecret = wanted.recovery ? place.random(32) : null;
  const slots = await makeSlots(founding, wanted, recoverySecret);
  const bundle = await makeBundle(domain, place.random, identity, slots, { n: 1, time });
  const vault = encodeLine({ kind: 'vault', format: 1, id: vaultId }, vaultLine, 'vault');
  const head = joinLines([
    ...[vault, root, header, ...slots, bundle, ...environments.map(({ grant }) => grant)].map(
      (line) => line.raw,
    ),
    ...environments.flatMap(({ built }) => [built.names.raw, built.values.raw]),
  ]);
  const body = environments.flatMap(({ built }) => built.blocks.flatMap((bytes) => bytes ?? []));
  return { domain, identity, head, body, recoverySecret };
}

export function checkWanted(wanted: NewVault): void {
  checkChosenKdf(wanted.kdf);
  checkKeyFile(wanted.credential.keyFile);
  if (wanted.environments.length === 0) throw new UsageError('a vault needs at least one environment');
  if (new Set(wanted.environments).size !== wanted.environments.length)
    throw new UsageError('an environment is named twice');
  for (const name of wanted.environments) {
    const problem = newLabelProblem(name);
    if (problem !== null) throw new UsageError(`this cannot name an environment: ${problem}`);
  }
}

/** @throws UsageError for a key file that is too short to be a key, or too long to be one */
export function checkKeyFile(keyFile: Bytes | undefined): void {
  if (keyFile === undefined) return;
  if (keyFile.length < keyFileBounds.least || keyFile.length > keyFileBounds.most) {
    throw new UsageError(`a key file has 32 bytes to 1 MiB, this one ${keyFile.length}`, {}, 'WEAK_VALUE');
  }
}

const unpinned: Pins = { root: 0, rootDigest: encodeBase64url(new Uint8Array(32)), floor: 1 };

async function makeRoot({ domain, identity, time }: Founding): Promise<Line<RootLine>> {
  const admins: [string, string][] = [[identity.principal, encodeBase64url(identity.signing.publicKey)]];
  const value = { kind: 'root', n: 0, prev: '', time, by: identity.principal, admins } as const;
  return signLine<RootLine>(domain, identity.signing, value, rootLine, 'root');
}

async function makeHeader(
  { domain, identity, time }: Founding,
  root: string,
  environments: EnvironmentEntry[],
): Promise<Line<HeaderLine>> {
  const owner = {
    id: identity.principal,
    name: ownerName,
    signPub: encodeBase64url(identity.signing.publicKey),
    sealPub: '',
    list: [],
    read: [],
    rotate: [],
    write: [],
    delete: [],
    expires: '',
    invited: '',
  };
  const value = {
    kind: 'header',
    n: 1,
    time,
    by: identity.principal,
    seen: firstSeen,
    root,
    principals: [owner],
    retired: [],
    environments,
    policy: [],
  } as const;
  return signLine<HeaderLine>(
    domain,
    identity.signing,
    { ...value, principals: [owner], retired: [], policy: [] },
    headerLine,
    'header',
  );
}

async function makeSlots(
  { place, domain, identity, time }: Founding,
  wanted: NewVault,
  recoverySecret: Bytes | null,
): Promise<Line<SlotLine>[]> {
  const common = { principal: identity.principal, engine: place.kdfEngine, time };
  const made = [
    await makeSlot(
      domain,
      place.random,
      { ...common, credential: wanted.credential, kdf: wanted.kdf },
      identity.bundleKey,
    ),
  ];
  if (recoverySecret !== null) {
    const credential: Credential = { type: 'recovery', secret: recoverySecret };
    made.push(await makeSlot(domain, place.random, { ...common, credential, kdf: null }, identity.bundleKey));
  }
  for (const { slotKey } of made) slotKey.fill(0);
  return sortSlots(made.map(({ line }) => line));
}
