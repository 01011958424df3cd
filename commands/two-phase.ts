/**
 * `vault rotate` with hooks: staged, applied, checked, then current, or taken back. Whatever happens between two steps, the staged value is in
 * the vault, and `vault rotate --resume` goes on from there. docs/rotation.md.
 */
import { UsageError } from '../src/errors.ts';
import type { RotationHook } from '../src/hooks/rotation-hook.ts';
import { openRetirable } from '../src/vault/operations/rotation-target.ts';
import {
  openReplaced,
  openStaged,
  stageRotation,
  type PendingRotation,
  type StageOptions,
} from '../src/vault/operations/rotation.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { Context } from './context.ts';
import { RotationSteps, withdraw, type Rotated } from './rotation-steps.ts';
import type { TurnTaker } from './turns.ts';

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
  context.keeper?.check();
  const now = context.now();
  const { name, value } = options;
  const old = await vault.read('rotate-old', async (scope) => openReplaced(scope, options));
  try {
    const change = { name, old: old?.bytes ?? null, value };
    hook.validate?.(change);
    // What has to be let go is noted with the version, so that nothing that happens between makes it forgotten.
    const graceUntil = options.graceUntil ?? (hook.steps.retire === undefined ? null : now);
    const staged = await vault.write('rotate-stage', async (scope) =>
      stageRotation(scope, { ...options, graceUntil }),
    );
    const { environment } = staged;
    const rotation = { ...staged, graceUntil };
    const input = { ...change, environment };
    return await new RotationSteps(context, vault, hook, rotation, input).forward(true);
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
  work: (phases: RotationSteps, old: Uint8Array | null, value: Uint8Array) => Promise<T>,
): Promise<T> {
  const value = await vault.read('rotate-resume', async (scope) => openStaged(scope, pending));
  const { name, environment } = pending;
  const old = await vault.read('rotate-old', async (scope) => openReplaced(scope, pending));
  try {
    const graceUntil = pending.graceUntil === null ? null : new Date(pending.graceUntil);
    const input = { name, environment, old: old?.bytes ?? null, value: value.bytes };
    const phases = new RotationSteps(context, vault, hook, { ...pending, graceUntil }, input);
    return await work(phases, input.old, input.value);
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
  return withPending(context, vault, hook, pending, async (phases, old, value) => {
    // Whoever staged it may not be who goes on.
    hook.validate?.({ name: pending.name, old, value });
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
    const phases = new RotationSteps(context, vault, hook, rotation, input);
    await phases.checkCurrent();
    await phases.retire();
  } finally {
    old.wipe();
    value.wipe();
  }
}
