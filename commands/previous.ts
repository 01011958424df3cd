/** The value before the current one, while it is in use. */
import { ConcurrencyError } from '../src/errors.ts';
import { retiredAmong } from '../src/vault/operations/rotation-target.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { Vault } from '../src/vault/vault.ts';
import type { ChosenHook } from './hook-choice.ts';

/** What is handed out as the value before is not ended while it is. @throws ConcurrencyError */
export async function checkPrevious(
  vault: Pick<Vault, 'goOn' | 'place'>,
  { hook }: ChosenHook,
  target: SecretInfo,
): Promise<void> {
  const { graceUntil, name, environment } = target;
  if (!hook.endsPrevious || graceUntil === null) return;
  const isOver = await vault.goOn(
    async (scope) =>
      graceUntil <= scope.now.toISOString() || (await retiredAmong(scope, vault.place, [target])).size > 0,
  );
  if (isOver) return;
  throw new ConcurrencyError(
    `the value before that of ${JSON.stringify(name)} in ${environment} is in use until ${graceUntil}, and this rotation would end it`,
    { hint: 'wait, or let it go first: `vault rotate --retire NAME`' },
  );
}
