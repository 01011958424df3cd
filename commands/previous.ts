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
 * Before a rotation: of two old values only one could be let go later, so the one that is there goes first.
 * @throws ConcurrencyError while its grace lasts; as `retirePrevious`
 */
export async function settlePrevious(
  context: Context,
  vault: TurnTaker,
  place: Place,
  hook: RotationHook,
  target: SecretInfo,
): Promise<void> {
  const { graceUntil, name, environment } = target;
  if (hook.steps.retire === undefined || graceUntil === null) return;
  const [isRetired, isOver] = await vault.goOn(async (scope) => [
    (await retiredAmong(scope, place, [target])).size > 0,
    graceUntil <= scope.now.toISOString(),
  ]);
  if (isRetired) return;
  if (!isOver)
    throw new ConcurrencyError(
      `the value before that of ${context.shown(name)} in ${environment} is in use until ${graceUntil}`,
      { hint: 'wait, or let it go first: `vault rotate --retire NAME`' },
    );
  await retirePrevious(context, vault, hook, target, false);
}
