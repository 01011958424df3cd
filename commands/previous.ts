/** The value before the current one, while it is in use: nothing new comes before it was let go. */
import { ConcurrencyError } from '../src/errors.ts';
import type { RotationHook } from '../src/hooks/rotation-hook.ts';
import { retiredAmong } from '../src/vault/operations/rotation-target.ts';
import type { Place } from '../src/vault/place.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { Context } from './context.ts';
import type { TurnTaker } from './turns.ts';
import { retirePrevious } from './two-phase.ts';

/**
 * Whether the value before is to be let go before a rotation: of two old values only one could be let go later.
 * @throws ConcurrencyError while its grace lasts
 */
export async function isPreviousOwed(
  context: Context,
  vault: TurnTaker,
  place: Place,
  hook: RotationHook,
  target: SecretInfo,
): Promise<boolean> {
  const { graceUntil, name, environment } = target;
  if (hook.steps.retire === undefined || graceUntil === null) return false;
  const [isRetired, isOver] = await vault.goOn(async (scope) => [
    (await retiredAmong(scope, place, [target])).size > 0,
    graceUntil <= scope.now.toISOString(),
  ]);
  if (!isRetired && !isOver)
    throw new ConcurrencyError(
      `the value before that of ${context.shown(name)} in ${environment} is in use until ${graceUntil}`,
      { hint: 'wait, or let it go first: `vault rotate --retire NAME`' },
    );
  return !isRetired;
}

/** Before a rotation. @throws as `isPreviousOwed`; as `retirePrevious` */
export async function settlePrevious(
  context: Context,
  vault: TurnTaker,
  place: Place,
  hook: RotationHook,
  target: SecretInfo,
): Promise<void> {
  if (await isPreviousOwed(context, vault, place, hook, target))
    await retirePrevious(context, vault, hook, target, false);
}
