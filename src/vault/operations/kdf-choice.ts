/** Choosing KDF parameters: given, default, or measured on this machine. */
import {
  argon2id,
  checkChosenKdf,
  defaultArgon2,
  defaultPbkdf2,
  stretchPbkdf2,
  weakKdfWarning,
  type KdfEngine,
  type KdfParameters,
} from '../../crypto/kdf.ts';
import { utf8 } from '../../crypto/bytes.ts';

export const defaultKdf: KdfParameters = defaultArgon2;

export interface KdfWish {
  readonly function: 'argon2id' | 'pbkdf2';
  readonly memoryKiB: number | undefined;
  readonly passes: number | undefined;
  readonly lanes: number | undefined;
  readonly iterations: number | undefined;
  /** Target time of one unlock. */
  readonly calibrateMs: number | undefined;
  readonly engine: KdfEngine;
  readonly monotonic: () => number;
}

export interface KdfChoice {
  readonly parameters: KdfParameters;
  readonly warning: string | null;
}

const calibrationSalt = new Uint8Array(16);

/** @throws UsageError outside the bounds */
export async function chooseKdf(wish: KdfWish): Promise<KdfChoice> {
  const parameters = wish.calibrateMs === undefined ? given(wish) : await measured(wish, wish.calibrateMs);
  checkChosenKdf(parameters);
  return { parameters, warning: weakKdfWarning(parameters) };
}

function given(wish: KdfWish): KdfParameters {
  if (wish.function === 'pbkdf2')
    return { ...defaultPbkdf2, iterations: wish.iterations ?? defaultPbkdf2.iterations };
  return {
    name: 'argon2id',
    memoryKiB: wish.memoryKiB ?? defaultArgon2.memoryKiB,
    passes: wish.passes ?? defaultArgon2.passes,
    lanes: wish.lanes ?? defaultArgon2.lanes,
  };
}

/** One timed run of a known cost, scaled; never below the defaults. */
async function measured(wish: KdfWish, targetMs: number): Promise<KdfParameters> {
  const start = given(wish);
  const time = async (work: () => Promise<unknown>): Promise<number> => {
    const begun = wish.monotonic();
    await work();
    return Math.max(0.01, wish.monotonic() - begun);
  };
  if (start.name === 'pbkdf2-hmac-sha256') {
    const ms = await time(async () => stretchPbkdf2(utf8('calibration'), calibrationSalt, 100_000));
    const iterations = Math.round((100_000 * targetMs) / ms / 1_000) * 1_000;
    return { ...start, iterations: Math.min(10_000_000, Math.max(start.iterations, iterations)) };
  }
  const ms = await time(async () => argon2id(utf8('calibration'), calibrationSalt, start, wish.engine, 32));
  const factor = Math.max(1, targetMs / ms);
  // Memory is what costs an attacker most: it grows first, passes after it.
  const memoryKiB = Math.min(1_048_576, Math.floor((start.memoryKiB * factor) / 1_024) * 1_024);
  const rest = Math.max(1, (start.memoryKiB * factor) / memoryKiB);
  return { ...start, memoryKiB, passes: Math.min(32, Math.floor(start.passes * rest)) };
}
