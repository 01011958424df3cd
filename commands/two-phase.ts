/**
 * `vault rotate` with hooks: staged, applied, checked, then current, or taken back. Whatever happens between two steps, the staged value is in
 * the vault, and `vault rotate --resume` goes on from there. docs/rotation.md.
 */
import type { RotationHook } from '../src/hooks/rotation-hook.ts';
import { getSecret } from '../src/vault/operations/get.ts';
import {
  openReplaced,
  openStaged,
  stageRotation,
  type PendingRotation,
  type StageOptions,
} from '../src/vault/operations/rotation.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { Context } from './context.ts';
import { TwoPhases, withdraw, type Rotated } from './phases.ts';
import type { TurnTaker } from './turns.ts';

export type { Rotated } from './phases.ts';

/** @throws BackendError HOOK_FAILED, with the old value still current; InterruptedError, with the new one pending */
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
