/** Small vaults that open fast: the recovery key needs no stretching. */
import { acquireLock } from '../../src/storage/lock.ts';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { RandomSource } from '../../src/crypto/aead.ts';
import { parseUtf8, utf8, type Bytes } from '../../src/crypto/bytes.ts';
import type { KdfParameters } from '../../src/crypto/kdf.ts';
import { parseRecoveryKey } from '../../src/format/key-text.ts';
import { realFileSystem } from '../../src/storage/file-system.ts';
import { createVault } from '../../src/vault/create.ts';
import { ownerName } from '../../src/vault/founding.ts';
import { getSecret } from '../../src/vault/operations/get.ts';
import { putSecret, type PutOptions, type PutResult } from '../../src/vault/operations/put.ts';
import type { VersionWanted } from '../../src/vault/operations/secret.ts';
import { logPathBeside, type Place } from '../../src/vault/place.ts';
import { Vault } from '../../src/vault/vault.ts';

/** The least work that the format allows. */
export const cheapKdf: KdfParameters = { name: 'pbkdf2-hmac-sha256', iterations: 100_000 };
export const samplePassphrase = 'correct horse battery staple';
const sampleEnvironments = ['development', 'production'] as const;

export const systemRandom: RandomSource = (length) => Uint8Array.from(randomBytes(length));

/** A place in a folder: no memory unless a state folder is given, the system's clock and randomness. */
export function placeIn(folder: string, changes: Partial<Place> = {}): Place {
  const file = changes.path ?? path.join(folder, 'team.vault');
  return {
    fs: realFileSystem,
    path: file,
    audit: { type: 'file', path: logPathBeside(file) },
    stateFolder: null,
    now: () => new Date(),
    monotonic: () => performance.now(),
    random: systemRandom,
    kdfEngine: 'native',
    context: { user: 'ada', host: 'engine', address: '', program: 'test', session: '' },
    holder: 'a test',
    lockWaitMs: 30_000,
    acquireLock,
    warn: () => undefined,
    ...changes,
  };
}

export interface SampleVault {
  readonly place: Place;
  readonly vaultId: string;
  readonly recoveryKey: string;
}

export async function makeVault(
  place: Place,
  environments: readonly string[] = sampleEnvironments,
): Promise<SampleVault> {
  const credential = { type: 'passphrase', passphrase: samplePassphrase } as const;
  const made = await createVault(place, { credential, kdf: cheapKdf, environments, recovery: true });
  if (made.recoveryKey === null) throw new Error('a recovery key was asked for');
  return { place, vaultId: made.vaultId, recoveryKey: made.recoveryKey };
}

/** Unlock with a recovery key, as the principal of that name. */
export async function openWith(
  place: Place,
  recoveryKey: string,
  principal: string | null = null,
): Promise<Vault> {
  const secret = await parseRecoveryKey(recoveryKey);
  if (secret === null) throw new Error('not a recovery key');
  return openWithSecret(place, secret, principal);
}

/** Unlock with the 32 bytes of a recovery key (borrowed). */
export async function openWithSecret(place: Place, secret: Bytes, principal: string | null): Promise<Vault> {
  const credentials = async (attempt: number) =>
    Promise.resolve(attempt > 1 ? null : ({ type: 'recovery', secret: secret.slice() } as const));
  return Vault.open(place, { principal, credentials });
}

export async function open({ place, recoveryKey }: SampleVault): Promise<Vault> {
  return openWith(place, recoveryKey, ownerName);
}

export async function put(
  vault: Vault,
  name: string,
  value: string,
  more: Partial<PutOptions> = {},
): Promise<PutResult> {
  const options = { environment: null, name, value: utf8(value), operation: 'put', ...more } as const;
  return vault.write('put', async (scope) => putSecret(scope, options));
}

export async function get(vault: Vault, name: string, version: VersionWanted = null): Promise<string> {
  const options = { environment: null, name, version, field: null, allowExpired: false };
  const { value } = await vault.read('get', async (scope) => getSecret(scope, options));
  return parseUtf8(value.bytes);
}

/** Open, do one thing, close. */
export async function withVault<T>(sample: SampleVault, work: (vault: Vault) => Promise<T>): Promise<T> {
  const vault = await open(sample);
  try {
    return await work(vault);
  } finally {
    vault.close();
  }
}
