/**
 * `vault rotate` with hooks: staged, applied, checked, then current, or taken back. Whatever happens between two steps, the staged value is in
 * the vault, and `vault rotate --resume` goes on from there. docs/rotation.md.
 */
import { BackendError, ConcurrencyError, SecretsManagerError } from '../src/errors.ts';
import type { HookInput } from '../src/exec/hook.ts';
import { StepFailure, type RotationHook, type Step, type StepWork } from '../src/hooks/rotation-hook.ts';
import { getSecret } from '../src/vault/operations/get.ts';
import { retireOperation } from '../src/vault/operations/rotation-target.ts';
import {
  openReplaced,
  openStaged,
  settleRotation,
  stageRotation,
  stateOf,
  type PendingRotation,
  type StageOptions,
} from '../src/vault/operations/rotation.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { Context } from './context.ts';
import type { TurnTaker } from './turns.ts';

export interface Rotated {
  readonly name: string;
  readonly environment: string;
  readonly version: number;
}

interface Rotation extends Rotated {
  /** Whether the value before stays in use for some time. */
  readonly hasGrace: boolean;
}

/** @throws BackendError HOOK_FAILED, with the old value still current */
export async function rotateInTwoPhases(
  context: Context,
  vault: TurnTaker,
  hook: RotationHook,
  options: StageOptions,
): Promise<Rotated> {
  const staged = await vault.write('rotate-stage', async (scope) => stageRotation(scope, options));
  return withOld(vault, staged, async (old) => {
    const input = { name: staged.name, environment: staged.environment, old, value: options.value };
    const rotation = { ...staged, hasGrace: options.graceUntil !== null };
    return new TwoPhases(context, vault, hook, rotation, input).forward(true);
  });
}

/** The value that is to be replaced, on record as handed out, for as long as hooks run. */
async function withOld<T>(
  vault: TurnTaker,
  rotation: Rotated,
  work: (old: Uint8Array | null) => Promise<T>,
): Promise<T> {
  const old = await vault.read('rotate-old', async (scope) => openReplaced(scope, rotation));
  try {
    return await work(old?.bytes ?? null);
  } finally {
    old?.wipe();
  }
}

/** Both values of a rotation that was interrupted. */
async function withPending<T>(
  context: Context,
  vault: TurnTaker,
  hook: RotationHook,
  pending: PendingRotation,
  work: (phases: TwoPhases) => Promise<T>,
): Promise<T> {
  const value = await vault.read('rotate-resume', async (scope) => openStaged(scope, pending));
  const { name, environment } = pending;
  try {
    return await withOld(vault, pending, async (old) =>
      work(
        new TwoPhases(
          context,
          vault,
          hook,
          { ...pending, hasGrace: pending.graceUntil !== null },
          { name, environment, old, value: value.bytes },
        ),
      ),
    );
  } finally {
    value.wipe();
  }
}

/** Go on with a rotation that was interrupted. @throws as `rotateInTwoPhases` */
export async function resumeRotation(
  context: Context,
  vault: TurnTaker,
  hook: RotationHook,
  pending: PendingRotation,
): Promise<Rotated> {
  return withPending(context, vault, hook, pending, async (phases) => {
    // Applied already, perhaps: only a check can tell.
    if (hook.steps.check !== undefined && (await phases.holds('check'))) return phases.finish();
    return phases.forward(false);
  });
}

/** Withdraw a rotation that was interrupted, after `undo` where there is one. */
export async function abandonRotation(
  context: Context,
  vault: TurnTaker,
  hook: RotationHook,
  pending: PendingRotation,
): Promise<void> {
  if (hook.steps.undo === undefined) {
    await withdraw(vault, pending);
    return;
  }
  await withPending(context, vault, hook, pending, async (phases) => phases.back(null));
}

async function withdraw(vault: TurnTaker, rotation: Rotated): Promise<void> {
  await vault.write('rotate-withdraw', async (scope) => settleRotation(scope, rotation, 'withdrawn'));
}

class TwoPhases {
  readonly #context: Context;
  readonly #vault: TurnTaker;
  readonly #hook: RotationHook;
  readonly #rotation: Rotation;
  readonly #input: HookInput;

  constructor(context: Context, vault: TurnTaker, hook: RotationHook, rotation: Rotation, input: HookInput) {
    this.#context = context;
    this.#vault = vault;
    this.#hook = hook;
    this.#rotation = rotation;
    this.#input = input;
  }

  /** @param isFirst whether nothing was applied before: what failed before it changed anything needs no undoing then */
  async forward(isFirst: boolean): Promise<Rotated> {
    for (const step of ['apply', 'check'] as const) {
      const failure = await this.#run(step);
      if (failure === null) continue;
      const isUntouched =
        isFirst && step === 'apply' && failure.cause instanceof StepFailure && failure.cause.isUntouched;
      if (isUntouched) await withdraw(this.#vault, this.#rotation);
      else await this.back(failure);
      throw failure;
    }
    return this.finish();
  }

  async finish(): Promise<Rotated> {
    const rotation = this.#rotation;
    const { name, environment, version } = rotation;
    try {
      await this.#vault.write('rotate', async (scope) => settleRotation(scope, rotation, 'live'));
    } catch (error) {
      const state = error instanceof ConcurrencyError ? await this.#state() : 'pending';
      // Somebody else has ended it. What they withdrew must not stay in use.
      if (state === 'withdrawn') await this.#runHook('undo');
      if (state !== 'live') throw error;
    }
    if (!rotation.hasGrace) await this.retire();
    return { name, environment, version };
  }

  /** Let the old value go. @throws BackendError where it may still be valid */
  async retire(): Promise<void> {
    const failure = await this.#runHook('retire');
    if (failure === null) return;
    const { name, version } = this.#rotation;
    throw new BackendError(
      `version ${version} of ${this.#context.shown(name)} is current; ${failure.message}: the old value may still be valid there`,
      { cause: failure, hint: '`vault rotate --retire NAME` tries that again' },
      'HOOK_FAILED',
    );
  }

  async holds(step: Step): Promise<boolean> {
    return (await this.#run(step)) === null;
  }

  /** @param because what failed before, for the error if this fails, too: then the staged version stays */
  async back(because: BackendError | null): Promise<void> {
    const failure = await this.#run('undo');
    if (failure === null) {
      await withdraw(this.#vault, this.#rotation);
      return;
    }
    const { name, version } = this.#rotation;
    const what = because === null ? '' : `${because.message}; `;
    throw new BackendError(
      `${what}${failure.message}: which value is in use there is not known; version ${version} of ${this.#context.shown(name)} stays pending`,
      { cause: failure, hint: 'see to it there, then `vault rotate --resume`, or `vault rotate --abandon`' },
      'HOOK_FAILED',
    );
  }

  async #state(): Promise<'live' | 'pending' | 'withdrawn' | 'gone'> {
    return this.#vault.goOn(async (scope) => stateOf(scope, this.#rotation));
  }

  /** Run a hook, unless somebody else has ended the rotation. Nothing to run is a success. @throws ConcurrencyError */
  async #run(step: Step): Promise<BackendError | null> {
    if (this.#hook.steps[step] === undefined) return null;
    if ((await this.#state()) !== 'pending') {
      const { name, version } = this.#rotation;
      throw new ConcurrencyError(
        `version ${version} of ${this.#context.shown(name)} is not pending any more: somebody else has ended it`,
      );
    }
    return this.#runHook(step);
  }

  /** Run a hook and put on record how it went. */
  async #runHook(step: Step): Promise<BackendError | null> {
    const work = this.#hook.steps[step];
    if (work === undefined) return null;
    const { name, environment, version } = this.#rotation;
    const failure = await this.#failureOf(step, work);
    try {
      await this.#vault.read(step === 'retire' ? retireOperation : `rotate-${step}`, async (scope) => {
        await scope.trace.name(await scope.reader(environment), name, version);
        if (failure !== null) throw failure;
      });
      return null;
    } catch (error) {
      if (error === failure) return failure;
      throw error;
    }
  }

  async #failureOf(step: Step, work: StepWork): Promise<BackendError | null> {
    const what = `${step} of ${this.#context.shown(this.#rotation.name)}`;
    try {
      await work(this.#input);
      return null;
    } catch (error) {
      const cause = error instanceof StepFailure ? error : unexpected(error);
      const { hint } = cause;
      return new BackendError(
        `${what} ${cause.message}`,
        { cause, ...(cause === error ? {} : { hint }) },
        'HOOK_FAILED',
      );
    }
  }
}

/** An error of ours is one of what a step was given, found before it did anything. */
function unexpected(error: unknown): StepFailure {
  if (!(error instanceof SecretsManagerError))
    return new StepFailure('failed: it stopped by an error of its own', { cause: error });
  return new StepFailure(`failed: ${error.message}`, { cause: error, hint: error.hint, isUntouched: true });
}

/** Let the value go that was current before this version. @throws SecretNotFoundError where there is none; BackendError */
export async function retirePrevious(
  context: Context,
  vault: TurnTaker,
  hook: RotationHook,
  { name, environment, version }: Pick<SecretInfo, 'name' | 'environment' | 'version'>,
): Promise<void> {
  const wanted = { environment, name, field: null, allowExpired: true } as const;
  const previous = await vault.read('rotate-old', async (scope) =>
    getSecret(scope, { ...wanted, version: 'previous' }),
  );
  try {
    const current = await vault.read('rotate-use', async (scope) => getSecret(scope, { ...wanted, version }));
    try {
      const [old, value] = [previous.value.bytes, current.value.bytes];
      const rotation = { name, environment, version, hasGrace: false };
      await new TwoPhases(context, vault, hook, rotation, { name, environment, old, value }).retire();
    } finally {
      current.value.wipe();
    }
  } finally {
    previous.value.wipe();
  }
}
