/** A vault of several principals in the core, each with an access token: those open in no time. */
import type { Level } from '../../src/access/rights.ts';
import { parseUtf8 } from '../../src/crypto/bytes.ts';
import { parseToken } from '../../src/format/key-text.ts';
import {
  addPrincipal,
  grantAccess,
  reissuePrincipal,
  removePrincipal,
  revokeAccess,
  type AccessChanged,
} from '../../src/vault/operations/access.ts';
import type { Entrance } from '../../src/vault/operations/entrance.ts';
import { getSecret } from '../../src/vault/operations/get.ts';
import { verifyVault } from '../../src/vault/operations/verify.ts';
import { finishRequest, makeJoinRequest } from '../../src/vault/join-request.ts';
import type { Place } from '../../src/vault/place.ts';
import { Vault } from '../../src/vault/vault.ts';
import { cheapKdf, makeVault, openWith, placeIn, type SampleVault } from './sample-vault.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const engine = 'native';

/** Levels with commas, and environments with commas; `''` with `admin`. */
export interface May {
  readonly can: string;
  readonly env?: string;
}

function wanted({ can, env = '' }: May): { levels: Level[]; environments: string[] } {
  const words = (text: string): string[] => text.split(',').filter((word) => word !== '');
  return { levels: words(can) as Level[], environments: words(env) };
}

/** A new principal that gets in by a token. @returns the token */
export async function add(
  admin: Vault,
  name: string,
  may: May,
  expires: Date | null = null,
): Promise<string> {
  return (await addBy(admin, name, may, { type: 'token' }, expires)).token ?? '';
}

export async function addBy(
  admin: Vault,
  name: string,
  may: May,
  entrance: Entrance,
  expires: Date | null = null,
): Promise<AccessChanged> {
  const options = { name, access: wanted(may), expires, entrance, engine } as const;
  return admin.write('access-add', async (scope) => addPrincipal(scope, options));
}

export async function grant(
  admin: Vault,
  name: string,
  may: May,
  expires?: Date | null,
): Promise<AccessChanged> {
  return admin.write('access-grant', async (scope) =>
    Promise.resolve(grantAccess(scope, name, wanted(may), expires)),
  );
}

export async function revoke(admin: Vault, name: string, may: May): Promise<AccessChanged> {
  return admin.write('access-revoke', async (scope) =>
    Promise.resolve(revokeAccess(scope, name, wanted(may))),
  );
}

export async function remove(admin: Vault, name: string): Promise<AccessChanged> {
  return admin.write('access-rm', async (scope) => Promise.resolve(removePrincipal(scope, name)));
}

/** New keys for somebody. @returns the new token */
export async function reissue(admin: Vault, name: string, exposed = false): Promise<string> {
  const entrance = { type: 'token' } as const;
  const { token } = await admin.write('access-reissue', async (scope) =>
    reissuePrincipal(scope, name, entrance, { engine, exposed }),
  );
  return token ?? '';
}

export async function openToken(place: Place, token: string): Promise<Vault> {
  const parts = parseToken(token);
  if (parts === null) throw new Error('not a token');
  const credentials = async () => Promise.reject(new Error('a token asks for nothing else'));
  return Vault.open(place, { principal: null, token: { type: 'token', ...parts }, credentials });
}

/** Open with a token, do one thing, close. */
export async function as<T>(place: Place, token: string, work: (vault: Vault) => Promise<T>): Promise<T> {
  const vault = await openToken(place, token);
  try {
    return await work(vault);
  } finally {
    vault.close();
  }
}

export async function openPassphrase(place: Place, passphrase: string, principal: string): Promise<Vault> {
  const credentials = async (attempt: number) =>
    Promise.resolve(attempt > 1 ? null : ({ type: 'passphrase', passphrase } as const));
  return Vault.open(place, { principal, credentials });
}

/** Another machine: the same file, a memory of its own. */
export function otherMachine({ place }: Pick<SampleVault, 'place'>): Place {
  return { ...place, stateFolder: temporaryFolder() };
}

/** Somebody at a machine of their own, who asks for access. */
export async function request(
  place: Place,
  name: string,
  passphrase: string,
): Promise<Extract<Entrance, { type: 'keys' }>> {
  const credential = { type: 'passphrase', passphrase } as const;
  const { id, signPub, sealPub } = await makeJoinRequest(place, name, async () =>
    Promise.resolve({ credential, kdf: cheapKdf }),
  );
  return { type: 'keys', id, signPub, sealPub };
}

/** Bring the credentials of an accepted request. */
export async function finish(place: Place, passphrase: string): Promise<string> {
  return finishRequest(place, async (attempt) =>
    Promise.resolve(attempt > 1 ? null : ({ type: 'passphrase', passphrase } as const)),
  );
}

export async function getIn(vault: Vault, environment: string, name: string): Promise<string> {
  const options = { environment, name, version: null, field: null, allowExpired: false };
  const { value } = await vault.read('get', async (scope) => getSecret(scope, options));
  return parseUtf8(value.bytes);
}

/** As the owner, by its recovery key. */
export async function asOwner<T>(
  { place, recoveryKey }: Pick<SampleVault, 'place' | 'recoveryKey'>,
  work: (vault: Vault) => Promise<T>,
): Promise<T> {
  const vault = await openWith(place, recoveryKey, 'owner');
  try {
    return await work(vault);
  } finally {
    vault.close();
  }
}

/** Verify the vault. @returns how many versions of secrets it has */
export async function verified(vault: Vault): Promise<number> {
  return vault.read('verify', async (scope) => (await verifyVault(scope, vault.place)).versions);
}

export async function verifiedByOwner(sample: Pick<SampleVault, 'place' | 'recoveryKey'>): Promise<number> {
  return asOwner(sample, verified);
}

/** A vault with these environments, on a machine that remembers. */
export async function teamVault(
  environments: readonly string[] = ['development', 'staging', 'production'],
  changes: Partial<Place> = {},
): Promise<SampleVault> {
  const folder = temporaryFolder();
  return makeVault(placeIn(folder, { stateFolder: `${folder}/state`, ...changes }), environments);
}

/** What a write tells the person. */
export async function told(vault: Vault, work: (vault: Vault) => Promise<unknown>): Promise<string[]> {
  const heard: string[] = [];
  const { warn } = vault.place;
  Object.assign(vault.place, { warn: (message: string) => heard.push(message) });
  try {
    await work(vault);
  } finally {
    Object.assign(vault.place, { warn });
  }
  return heard;
}
