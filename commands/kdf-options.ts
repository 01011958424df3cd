/** The options of `init` and `passwd` that choose the key derivation function. */
import { Option, type Command } from 'commander';
import { UsageError } from '../src/errors.ts';
import { chooseKdf, type KdfChoice } from '../src/vault/operations/kdf-choice.ts';
import type { Context } from './context.ts';
import { wholeNumber } from './command.ts';

export interface KdfOptions {
  readonly kdf?: 'argon2id' | 'pbkdf2';
  readonly memory?: number;
  readonly passes?: number;
  readonly lanes?: number;
  readonly iterations?: number;
  readonly calibrate?: number;
}

export function addKdfOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--kdf <function>', 'how the passphrase is stretched (default: argon2id)').choices([
        'argon2id',
        'pbkdf2',
      ]),
    )
    .option('--memory <mib>', 'Argon2id memory in MiB (default: 64)', wholeNumber(1, 1_000_000))
    .option('--passes <n>', 'Argon2id passes (default: 3)', wholeNumber(1, 1_000_000))
    .option('--lanes <n>', 'Argon2id lanes (default: 1)', wholeNumber(1, 1_000_000))
    .option('--iterations <n>', 'PBKDF2 iterations (default: 600000)', wholeNumber(1, 1_000_000_000))
    .option(
      '--calibrate <ms>',
      'choose the cost so that unlocking takes about this long here',
      wholeNumber(10, 60_000),
    );
}

export function choosesKdf({ kdf, memory, passes, lanes, iterations, calibrate }: KdfOptions): boolean {
  return [kdf, memory, passes, lanes, iterations, calibrate].some((option) => option !== undefined);
}

/** The chosen parameters, or `null` if none of the options was given. */
export async function kdfFrom(
  context: Context,
  options: KdfOptions,
): Promise<KdfChoice['parameters'] | null> {
  const { kdf, memory, passes, lanes, iterations, calibrate } = options;
  if (!choosesKdf(options)) return null;
  const pbkdf2 = kdf === 'pbkdf2';
  if (pbkdf2 && (memory ?? passes ?? lanes) !== undefined)
    throw new UsageError('PBKDF2 has iterations; no memory, passes or lanes');
  if (!pbkdf2 && iterations !== undefined) throw new UsageError('--iterations belongs to --kdf pbkdf2');
  const choice = await chooseKdf({
    function: pbkdf2 ? 'pbkdf2' : 'argon2id',
    memoryKiB: memory === undefined ? undefined : memory * 1_024,
    passes,
    lanes,
    iterations,
    calibrateMs: calibrate,
    engine: context.settings.kdfEngine,
    monotonic: () => performance.now(),
  });
  if (choice.warning !== null) context.warn(choice.warning);
  return choice.parameters;
}
