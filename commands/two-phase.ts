/**
 * `vault rotate` with hooks: staged, applied, checked, then current, or taken back. Whatever happens between two steps, the staged value is in
 * the vault, and `vault rotate --resume` goes on from there. docs/rotation.md.
 */
import { BackendError } from '../src/errors.ts';
import { runHook, type HookInput } from '../src/exec/hook.ts';
import {
  openStaged,
  settleRotation,
  stageRotation,
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
export type TurnTaker = Pick<Vault, 'read' | 'write'>;

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
  const input = {
    name: staged.name,
    environment: staged.environment,
    old: staged.old?.bytes ?? null,
    value: options.value,
  };
  try {
    return await new TwoPhases(context, vault, hooks, staged, input).forward();
  } finally {
    staged.old?.wipe();
  }
}

/** Go on with a rotation that was interrupted. @throws as `rotateInTwoPhases` */
export async function resumeRotation(
  context: Context,
  vault: TurnTaker,
  hooks: Hooks,
  pending: PendingRotation,
): Promise<Rotated> {
  const { value, old } = await vault.read('rotate-resume', async (scope) => openStaged(scope, pending));
  const { name, environment } = pending;
  try {
    const input = { name, environment, old: old?.bytes ?? null, value: value.bytes };
    const phases = new TwoPhases(context, vault, hooks, pending, input);
    // Applied already, perhaps: only a check can tell.
    if (hooks.check !== null && (await phases.holds('check'))) return await phases.finish();
    return await phases.forward();
  } finally {
    value.wipe();
    old?.wipe();
  }
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
  const { value, old } = await vault.read('rotate-resume', async (scope) => openStaged(scope, pending));
  const { name, environment } = pending;
  try {
    const input = { name, environment, old: old?.bytes ?? null, value: value.bytes };
    await new TwoPhases(context, vault, hooks, pending, input).back(null);
  } finally {
    value.wipe();
    old?.wipe();
  }
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
    await this.#vault.write('rotate', async (scope) => settleRotation(scope, rotation, 'live'));
    const { name, environment, version } = rotation;
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

  /** Run a hook and put on record how it went. Nothing to run is a success. */
  async #run(step: Step): Promise<BackendError | null> {
    const command = this.#hooks[step];
    if (command === null) return null;
    const { name, environment, version } = this.#rotation;
    const status = await runHook(
      command,
      this.#input,
      this.#context.host.env,
      this.#context.writeTo('error'),
    );
    try {
      await this.#vault.read(`rotate-${step}`, async (scope) => {
        await scope.trace.name(await scope.reader(environment), name, version);
        if (status !== 0)
          throw new BackendError(
            `${step} of ${this.#context.shown(name)} failed with status ${status}`,
            {},
            'HOOK_FAILED',
          );
      });
      return null;
    } catch (error) {
      if (error instanceof BackendError && error.code === 'HOOK_FAILED') return error;
      throw error;
    }
  }
}
