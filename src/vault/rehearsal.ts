/**
 * A rehearsal: a vault made, unlocked, read and changed. Run while the start-up snapshot is built, it leaves the bytecode of all of it, and
 * the crypto that it loads, in the snapshot, so that the first real command need not compile them. The vault is handed on, for
 * commands to be rehearsed on.
 *
 * It touches one folder, which the caller removes, and no clock or randomness; its keys protect nothing. Two things cannot be part of a
 * snapshot and are left out: the database engine of the lock, and Argon2id (WebAssembly), for which PBKDF2 stands in.
 */
import { join } from 'node:path';
import { utf8, type Bytes } from '../crypto/bytes.ts';
import { defaultPbkdf2 } from '../crypto/kdf.ts';
import { realFileSystem } from '../storage/file-system.ts';
import { acquireLock } from '../storage/lock.ts';
import { createVault } from './create.ts';
import { defaultEnvironments } from './founding.ts';
import { addSlot } from './operations/credentials.ts';
import { getSecret } from './operations/get.ts';
import { listInfo, listNames } from './operations/list.ts';
import { putSecret } from './operations/put.ts';
import { selectSecrets } from './operations/select.ts';
import { logPathBeside, type Place } from './place.ts';
import { Vault } from './vault.ts';

/** As text: a Date in the heap would have every start look for the time zone. */
const moment = '2020-01-01T00:00:00.000Z';

function rehearsalPlace(folder: string): Place {
  const path = join(folder, 'a.vault');
  let counter = 0;
  // Distinct, which is all that ids need here.
  const random = (length: number): Bytes => {
    counter += 1;
    return new Uint8Array(length).map(
      (_, index) => (index * 7 + (index < 2 ? counter >> (index * 8) : length)) & 0xff,
    );
  };
  return {
    fs: realFileSystem,
    path,
    audit: { type: 'file', path: logPathBeside(path) },
    stateFolder: join(folder, 'state'),
    now: () => new Date(moment),
    monotonic: () => 0,
    random,
    kdfEngine: 'native',
    context: { user: '', host: '', address: '', program: '', session: '' },
    holder: '',
    lockWaitMs: 0,
    warn: () => undefined,
    acquireLock: async (options) =>
      acquireLock(options, async () => Promise.resolve({ exec: () => undefined, close: () => undefined })),
  };
}

/** The vault, with one way in for scripts and one for people, and its secrets, whose values are empty. */
export interface RehearsalVault {
  readonly place: Place;
  readonly token: string;
  readonly passphrase: string;
  readonly names: readonly string[];
}

export async function rehearse(folder: string): Promise<RehearsalVault> {
  const place = rehearsalPlace(folder);
  const names = ['a', 'b'];
  let token = '';
  const credential = { type: 'passphrase', passphrase: 'rehearsal' } as const;
  const kdf = { ...defaultPbkdf2, iterations: 100_000 };
  await createVault(place, { credential, kdf, environments: defaultEnvironments, recovery: false });
  for (const name of names) {
    const vault = await Vault.open(place, {
      credentials: async () => Promise.resolve(credential),
      principal: null,
    });
    const value = utf8('');
    await vault.write('put', async (scope) =>
      putSecret(scope, { environment: null, name, value, operation: 'put' }),
    );
    const get = { environment: null, name, version: null, field: null, allowExpired: false };
    await vault.read('get', async (scope) => getSecret(scope, get));
    await vault.read('exec', async (scope) =>
      selectSecrets(scope, { ...get, only: [], names: [], withPrevious: false }),
    );
    const list = { environment: null, allEnvironments: false, pattern: null, removed: false, type: null };
    const filter = {
      ...list,
      tags: new Map<string, string>(),
      expiringBefore: null,
      expired: false,
      due: false,
    };
    await vault.read('ls', async (scope) => [await listNames(scope, filter), await listInfo(scope, filter)]);
    const slot = await vault.write('slot', async (scope) => addSlot(scope, { type: 'token' }, 'native'));
    token = slot.text ?? '';
    vault.close();
  }
  return { place, token, passphrase: credential.passphrase, names };
}
