/** A vault for tests of the library: made by the core, opened by its facade with what an embedding program has. */
import type { Bytes } from '../../src/crypto/bytes.ts';
import { utf8 } from '../../src/crypto/bytes.ts';
import type { SecretType } from '../../src/format/secret-type.ts';
import { Vault, type OpenOptions } from '../../src/index.ts';
import { addSlot } from '../../src/vault/operations/credentials.ts';
import type { Metadata } from '../../src/vault/operations/metadata.ts';
import { putSecret } from '../../src/vault/operations/put.ts';
import type { Place } from '../../src/vault/place.ts';
import { makeVault, placeIn, withVault, type SampleVault } from './sample-vault.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface LibraryVault extends SampleVault {
  /** The owner's. */
  readonly token: string;
}

export async function libraryVault(changes: Partial<Place> = {}): Promise<LibraryVault> {
  const sample = await makeVault(placeIn(temporaryFolder(), changes));
  const slot = await withVault(sample, async (vault) =>
    vault.write('slot-add', async (scope) => addSlot(scope, { type: 'token' }, 'native')),
  );
  return { ...sample, token: slot.text ?? '' };
}

/** Open with the token, without memory, and close when the block ends. */
export async function openLibrary(
  { place, token }: Pick<LibraryVault, 'place' | 'token'>,
  more: Partial<OpenOptions> = {},
): Promise<Vault> {
  return Vault.open({ path: place.path, token, stateFolder: null, ...more });
}

/** Store something as its owner would. */
export async function store(
  sample: SampleVault,
  name: string,
  value: string | Bytes,
  more: Metadata & { readonly environment?: string } = {},
): Promise<void> {
  const { environment = null, ...metadata } = more;
  const bytes = typeof value === 'string' ? utf8(value) : value;
  await withVault(sample, async (vault) =>
    vault.write('put', async (scope) =>
      putSecret(scope, { environment, name, value: bytes, operation: 'put', metadata }),
    ),
  );
}

export async function storeJson(
  sample: SampleVault,
  name: string,
  value: unknown,
  type: SecretType,
): Promise<void> {
  await store(sample, name, JSON.stringify(value), { type });
}
