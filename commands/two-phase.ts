/**
 * `vault rotate` with hooks: staged, applied, checked, then current, or taken back. Whatever happens between two steps, the staged value is in
 * the vault, and `vault rotate --resume` goes on from there. docs/rotation.md.
 */
import { BackendError, ConcurrencyError, SecretsManagerError } from '../src/errors.ts';
import { runHook, type HookInput } from '../src/exec/hook.ts';
import {
  openReplaced,
  openStaged,
  settleRotation,
  stageRotation,
  stateOf,
  type PendingRotation,
  type StageOptions,
} from '../src/vault/operations/rotation.ts';
import type { Vault } from '../src/vault/vault.ts';
import type { Context } from './context.ts';

export interface Hooks {
  readonly apply: string | null;
  readonly check: string | null;
  readonly undo: string | null;
}

export interface Rotated {
  readonly name: string;
  readonly environment: string;
  readonly version: number;
}

/** An open vault, or a queue before one. */
export type TurnTaker = Pick<Vault, 'read' | 'write' | 'goOn'>;

type Step = keyof Hooks;
type Rotation = Pick<PendingRotation, 'name' | 'environment' | 'version'>;

/** @throws BackendError HOOK_FAILED, with the old value still current */
export async function rotateInTwoPhases(
  context: Context,
  vault: TurnTaker,
  hooks: Hooks,
  options: StageOptions,
): Promise<Rotated> {
  const staged = await vault.write('rotate-stage', async (scope) => stageRotation(scope, options));
  return withOld(vault, staged, async (old) => {
    const input = { name: staged.name, environment: staged.environment, old, value: options.value };
    return new TwoPhases(context, vault, hooks, staged, input).forward();
  });
}

/** The value that is to be replaced, on record as handed out, for as long as hooks run. */
async function withOld<T>(
  vault: TurnTaker,
  rotation: Rotation,
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
  hooks: Hooks,
  pending: PendingRotation,
  work: (phases: TwoPhases) => Promise<T>,
): Promise<T> {
  const value = await vault.read('rotate-resume', async (scope) => openStaged(scope, pending));
  const { name, environment } = pending;
  try {
    return await withOld(vault, pending, async (old) =>
      work(new TwoPhases(context, vault, hooks, pending, { name, environment, old, value: value.bytes })),
    );
  } finally {
    value.wipe();
  }
}

/** Go on with a rotation that was interrupted. @throws as `rotateInTwoPhases` */
export async function resumeRotation(
  context: Context,
  vault: TurnTaker,
  hooks: Hooks,
  pending: PendingRotation,
): Promise<Rotated> {
  return withPending(context, vault, hooks, pending, async (phases) => {
    // Applied already, perhaps: only a check can tell.
    if (hooks.check !== null && (await phases.holds('check'))) return phases.finish();
    return phases.forward();
  });
}

/** Withdraw a rotation that was interrupted, after `undo` where there is one. */
export async function abandonRotation(
  context: Context,
  vault: TurnTaker,
  hooks: Hooks,
  pending: PendingRotation,
): Promise<void> {
  if (hooks.undo === null) {
    await withdraw(vault, pending);
    return;
  }
  await withPending(context, vault, hooks, pending, async (phases) => phases.back(null));
}

async function withdraw(vault: TurnTaker, rotation: Rotation): Promise<void> {
  await vault.write('rotate-withdraw', async (scope) => settleRotation(scope, rotation, 'withdrawn'));
}

class TwoPhases {
  readonly #context: Context;
  readonly #vault: TurnTaker;
  readonly #hooks: Hooks;
  readonly #rotation: Rotation;
  readonly #input: HookInput;

  constructor(context: Context, vault: TurnTaker, hooks: Hooks, rotation: Rotation, input: HookInput) {
    this.#context = context;
    this.#vault = vault;
    this.#hooks = hooks;
    this.#rotation = rotation;
    this.#input = input;
  }

  async forward(): Promise<Rotated> {
    for (const step of ['apply', 'check'] as const) {
      const failure = await this.#run(step);
      if (failure !== null) {
        await this.back(failure);
        throw failure;
      }
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
    return { name, environment, version };
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
    if (this.#hooks[step] === null) return null;
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
    const command = this.#hooks[step];
    if (command === null) return null;
    const { name, environment, version } = this.#rotation;
    const failure = await this.#failureOf(step, command);
    try {
      await this.#vault.read(`rotate-${step}`, async (scope) => {
        await scope.trace.name(await scope.reader(environment), name, version);
        if (failure !== null) throw failure;
      });
      return null;
    } catch (error) {
      if (error === failure) return failure;
      throw error;
    }
  }

  async #failureOf(step: Step, command: string): Promise<BackendError | null> {
    const what = `${step} of ${this.#context.shown(this.#rotation.name)}`;
    try {
      const status = await runHook(
        command,
        this.#input,
        this.#context.host.env,
        this.#context.writeTo('error'),
      );
      return status === 0
        ? null
        : new BackendError(`${what} failed with status ${status}`, {}, 'HOOK_FAILED');
    } catch (cause) {
      const why = cause instanceof SecretsManagerError ? cause.message : 'it could not be started';
      return new BackendError(`${what} failed: ${why}`, { cause }, 'HOOK_FAILED');
    }
  }
}
