/** A vault under `doctor`, with a clock that tests set. */
import { utf8 } from '../../src/crypto/bytes.ts';
import type { FindingId } from '../../src/vault/health/finding-kinds.ts';
import { examineVault, type DoctorOptions, type Examination } from '../../src/vault/operations/doctor.ts';
import { putSecret, type PutOptions } from '../../src/vault/operations/put.ts';
import { setPolicy } from '../../src/vault/operations/policy.ts';
import { settleRotation, stageRotation } from '../../src/vault/operations/rotation.ts';
import type { Place } from '../../src/vault/place.ts';
import type { Vault } from '../../src/vault/vault.ts';
import type { SampleVault } from './sample-vault.ts';
import { asOwner, teamVault } from './team.ts';

export const day = 86_400_000;
export const begun = Date.parse('2026-11-25T08:00:00.000Z');
/** Values that nobody finds weak; each is another. */
export const strong = (index: number): string => `kV7-pQ2_xZ9.${index}~mW4tR8bN`;

export class ExaminedVault {
  readonly sample: SampleVault;
  readonly #clock: { now: number };

  private constructor(sample: SampleVault, clock: { now: number }) {
    this.sample = sample;
    this.#clock = clock;
  }

  /** With `development`, `staging` and `production`, or others, and nothing in them. */
  static async make(environments?: readonly string[]): Promise<ExaminedVault> {
    const clock = { now: begun };
    const now = (): Date => new Date(clock.now);
    return new ExaminedVault(await teamVault(environments, { now }), clock);
  }

  get place(): Place {
    return this.sample.place;
  }

  /** Days since the vault was made. */
  set day(days: number) {
    this.#clock.now = begun + days * day;
  }

  async owner<T>(work: (vault: Vault) => Promise<T>): Promise<T> {
    return asOwner(this.sample, work);
  }

  async put(
    name: string,
    value: string | Uint8Array<ArrayBuffer>,
    metadata: NonNullable<PutOptions['metadata']> = {},
    environment = 'development',
    operation: PutOptions['operation'] = 'put',
  ): Promise<void> {
    const bytes = typeof value === 'string' ? utf8(value) : value;
    await this.owner(async (vault) =>
      vault.write(operation, async (scope) =>
        putSecret(scope, { environment, name, value: bytes, operation, metadata }),
      ),
    );
  }

  async policy(key: string, value: string): Promise<void> {
    await this.owner(async (vault) =>
      vault.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, key, value))),
    );
  }

  /** Begin a rotation. @returns what takes it back */
  async stage(name: string): Promise<() => Promise<void>> {
    const value = utf8(strong(99));
    const options = { environment: 'development', name, value, ifVersion: null, graceUntil: null };
    const staged = await this.owner(async (vault) =>
      vault.write('rotate-stage', async (scope) => stageRotation(scope, options)),
    );
    return async () =>
      this.owner(async (vault) =>
        vault.write('rotate-withdraw', async (scope) => settleRotation(scope, staged, 'withdrawn')),
      );
  }

  async examine(options: Partial<DoctorOptions> = {}, place = this.place): Promise<Examination> {
    return this.owner(async (vault) => examine(vault, options, place));
  }

  /** Names by what was found; what is found of every vault of these tests is not told. */
  async found(options: Partial<DoctorOptions> = {}): Promise<Partial<Record<FindingId, readonly string[]>>> {
    return foundIn(await this.examine(options));
  }
}

export async function examine(
  vault: Vault,
  options: Partial<DoctorOptions> = {},
  place = vault.place,
): Promise<Examination> {
  return vault.read('doctor', async (scope) =>
    examineVault(scope, place, {
      environment: null,
      known: vault.rememberedLog,
      passphraseInEnvironment: false,
      credentialFiles: [],
      isAccepted: async () => Promise.resolve(true),
      ...options,
    }),
  );
}

/** The passphrase of these vaults is stretched as little as the format allows. */
const always: ReadonlySet<FindingId> = new Set(['kdf-weak']);

export function foundIn({ findings }: Examination): Partial<Record<FindingId, readonly string[]>> {
  const found: Partial<Record<FindingId, string[]>> = {};
  for (const { id, names } of findings) if (!always.has(id)) found[id] = [...(found[id] ?? []), ...names];
  return found;
}
