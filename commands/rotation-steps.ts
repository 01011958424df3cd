/** The steps of one rotation by hooks, each on record: apply, check, then current; undo; retire. docs/rotation.md. */
import { BackendError, ConcurrencyError, InterruptedError, SecretsManagerError } from '../src/errors.ts';
import type { HookInput } from '../src/exec/hook.ts';
import { StepFailure, type RotationHook, type Step, type StepWork } from '../src/hooks/rotation-hook.ts';
import { retireOperation, traceStep } from '../src/vault/operations/rotation-target.ts';
import { isNewest, settleRotation, stateOf } from '../src/vault/operations/rotation.ts';
import type { Context } from './context.ts';
import type { TurnTaker } from './turns.ts';

export interface Rotated {
  readonly name: string;
  readonly environment: string;
  readonly version: number;
}

export interface Rotation extends Rotated {
  /** Until when the value before stays in use, or `null`. */
  readonly graceUntil: Date | null;
}

export async function withdraw(vault: TurnTaker, rotation: Rotated): Promise<void> {
  await vault.write('rotate-withdraw', async (scope) => settleRotation(scope, rotation, 'withdrawn'));
}

/** Each method: @throws InterruptedError where somebody ended a hook: nothing is taken back then */
export class RotationSteps {
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
      // Somebody else has ended it. What they withdrew must not stay in use, unless something else came since.
      if (state === 'withdrawn' && (await this.#isNewest())) await this.#runHook('undo');
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
    // Somebody else may have gone on meanwhile: what was old then may be in use again.
    if (this.#hook.steps.retire === undefined) return;
    if ((await this.#state()) !== 'live' || !(await this.#isNewest())) {
      const { name, version } = this.#rotation;
      throw new ConcurrencyError(
        `something came after version ${version} of ${this.#context.shown(name)}: nothing old was let go`,
      );
    }
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
    if (this.#hook.steps.undo === undefined)
      this.#context.warn(
        `there is no undo for ${this.#context.shown(this.#rotation.name)}: if version ${this.#rotation.version} is in use somewhere, it still is`,
      );
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

  async #isNewest(): Promise<boolean> {
    return this.#vault.goOn(async (scope) => isNewest(scope, this.#rotation));
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
    const failure = await this.#failureOf(step, work);
    const operation = step === 'retire' ? retireOperation : (`rotate-${step}` as const);
    try {
      await this.#vault.read(operation, async (scope) => {
        await traceStep(scope, operation, this.#rotation);
        if (failure !== null) throw failure;
      });
      return null;
    } catch (error) {
      if (error !== failure || failure instanceof InterruptedError) throw error;
      return failure;
    }
  }

  #onwards(step: Step): string {
    const { version } = this.#rotation;
    return step === 'retire'
      ? `version ${version} is current; \`vault rotate --retire NAME\` tries that again`
      : `version ${version} stays pending; \`vault rotate --resume\` goes on with it`;
  }

  async #failureOf(step: Step, work: StepWork): Promise<BackendError | InterruptedError | null> {
    const what = `${step} of ${this.#context.shown(this.#rotation.name)}`;
    try {
      await work(this.#input);
      return null;
    } catch (error) {
      if (error instanceof InterruptedError)
        return new InterruptedError(`${what} was interrupted: ${this.#onwards(step)}`);
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
