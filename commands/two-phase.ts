/**
 * `vault rotate` with hooks: staged, applied, checked, then current, or taken back. Whatever happens between two steps, the staged value is in
 * the vault, and `vault rotate --resume` goes on from there. docs/rotation.md.
 */
import { BackendError, ConcurrencyError, SecretsManagerError, UsageError } from '../src/errors.ts';
import type { HookInput } from '../src/exec/hook.ts';
import { StepFailure, type RotationHook, type Step, type StepWork } from '../src/hooks/rotation-hook.ts';
import { openRetirable, retireOperation } from '../src/vault/operations/rotation-target.ts';
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
  /** Until when the value before stays in use, or `null`. */
  readonly graceUntil: Date | null;
}

/** What a rotation by hooks starts from: the version that it was decided upon. */
export type RotationStart = Omit<StageOptions, 'ifVersion'> & { readonly ifVersion: number };

/**
 * @throws UsageError before anything is staged, for a value that the hook cannot work with; BackendError HOOK_FAILED, with the old
 *   value still current
 */
export async function rotateInTwoPhases(
  context: Context,
  vault: TurnTaker,
  hook: RotationHook,
  options: RotationStart,
): Promise<Rotated> {
  if (options.graceUntil !== null && hook.keepsOld === false)
    throw new UsageError('by this hook the old value ends at once: leave out --grace');
  const now = context.now();
  const { name, value } = options;
  const old = await vault.read('rotate-old', async (scope) => openReplaced(scope, options));
  try {
    hook.validate?.(old?.bytes ?? null, value);
    // What has to be let go is noted with the version, so that nothing that happens between makes it forgotten.
    const graceUntil = options.graceUntil ?? (hook.steps.retire === undefined ? null : now);
    const staged = await vault.write('rotate-stage', async (scope) =>
      stageRotation(scope, { ...options, graceUntil }),
    );
    const { environment } = staged;
    const rotation = { ...staged, graceUntil };
    const input = { name, environment, old: old?.bytes ?? null, value };
    return await new TwoPhases(context, vault, hook, rotation, input).forward(true);
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
  const old = await vault.read('rotate-old', async (scope) => openReplaced(scope, pending));
  try {
    const graceUntil = pending.graceUntil === null ? null : new Date(pending.graceUntil);
    const input = { name, environment, old: old?.bytes ?? null, value: value.bytes };
    return await work(new TwoPhases(context, vault, hook, { ...pending, graceUntil }, input));
  } finally {
    old?.wipe();
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
    // Applied already, perhaps: only a check can tell; and what the program brings is as well run again.
    if (!hook.isReady && hook.steps.check !== undefined && (await phases.holds('check')))
      return phases.finish();
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
    if (rotation.graceUntil === null || rotation.graceUntil <= this.#context.now()) await this.retire();
    return { name, environment, version };
  }

  /** See that the present value works before an old one ends. @throws BackendError */
  async checkCurrent(): Promise<void> {
    const failure = await this.#runHook('check');
    if (failure === null) return;
    throw new BackendError(
      `${failure.message}: the present value does not work there, so the old one was not let go`,
      {
        cause: failure,
        hint: 'see to it there; `vault rotate --retire NAME` tries again',
      },
      'HOOK_FAILED',
    );
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
      {
        cause: failure,
        hint: 'see to it there, then `vault rotate --resume`, or `--abandon`; `--abandon NAME --no-hook` changes the vault only',
      },
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

/**
 * Let the value go that was current before this version, once the present one is seen to work.
 * @param early whether its grace may last still
 * @throws as `openRetirable`; BackendError where it may still be valid
 */
export async function retirePrevious(
  context: Context,
  vault: TurnTaker,
  hook: RotationHook,
  { name, environment, version }: Pick<SecretInfo, 'name' | 'environment' | 'version'>,
  early: boolean,
): Promise<void> {
  const { old, value } = await vault.read('rotate-old', async (scope) =>
    openRetirable(scope, { name, environment, version }, early),
  );
  try {
    if (Buffer.compare(old.bytes, value.bytes) === 0)
      throw new UsageError(`the old value of ${context.shown(name)} is the present one`);
    const rotation = { name, environment, version, graceUntil: null };
    const input = { name, environment, old: old.bytes, value: value.bytes };
    const phases = new TwoPhases(context, vault, hook, rotation, input);
    await phases.checkCurrent();
    await phases.retire();
  } finally {
    old.wipe();
    value.wipe();
  }
}
