/** `vault rotate --resume` and `--abandon`: the end of rotations that were interrupted. */
import { SecretNotFoundError, UsageError } from '../src/errors.ts';
import { pendingRotations, type PendingRotation } from '../src/vault/operations/rotation.ts';
import type { Vault } from '../src/vault/vault.ts';
import type { Context } from './context.ts';
import { HookChoice, type HookFlags } from './hook-choice.ts';
import { abandonRotation, resumeRotation } from './two-phase.ts';
import type { Rotated } from './rotation-steps.ts';

/** The first that fails ends it: what is in use there is to be seen to first. */
export async function endRotations(
  context: Context,
  flags: HookFlags,
  how: 'resume' | 'abandon',
  name: string | null,
): Promise<void> {
  const vault = await context.openVault();
  const choice = new HookChoice(context, vault, flags);
  const pending = await pendingHere(context, vault, name);
  const ended: Rotated[] = [];
  // Those of others only by name: their hooks may be others.
  const me = vault.authority.nameOf(vault.identity.principal);
  const endable = pending.filter(({ own }) => own);
  const [here, named] = [
    endable.filter(({ by }) => name !== null || by === me),
    endable.filter(({ by }) => name === null && by !== me),
  ];
  if (named.length > 0) context.warn(`${listOf(context, named)}: give the name to end it`);
  for (const one of here) {
    const { hook } = await choice.of(one);
    const { apply, check } = hook.steps;
    if (how === 'resume' && apply === undefined && check === undefined)
      throw new UsageError(`${listOf(context, [one])}: give the hooks again, --check at least`);
    if (how === 'resume') ended.push(await resumeRotation(context, vault, hook, one));
    else {
      await abandonRotation(context, vault, hook, one);
      ended.push({ name: one.name, environment: one.environment, version: one.version });
    }
    if (how === 'abandon' && hook.steps.undo === undefined && flags.hook !== false)
      context.warn(
        `there is no undo for ${context.shown(one.name)}: if the new value is in use somewhere, it still is`,
      );
    const what = how === 'resume' ? 'is current' : 'was withdrawn';
    context.inform(`version ${one.version} of ${context.shown(one.name)} in ${one.environment} ${what}`);
  }
  if (context.json) context.outputJson(ended);
  if (pending.length === 0) context.inform('no rotation is under way');
}

async function pendingHere(context: Context, vault: Vault, name: string | null): Promise<PendingRotation[]> {
  const environment = name === null ? (context.globals.env ?? null) : context.environment;
  const found = await vault.read('rotate-pending', async (scope) =>
    pendingRotations(scope, environment, name),
  );
  if (name !== null && found.length === 0)
    throw new SecretNotFoundError(`no rotation of ${context.shown(name)} is under way`);
  const others = found.filter(({ own }) => !own);
  if (others.length > 0)
    context.warn(`${listOf(context, others)}: they end it themselves, or an administrator does`);
  return found;
}

function listOf(context: Context, pending: readonly PendingRotation[]): string {
  return pending
    .map(
      ({ name, environment, by, since }) =>
        `${context.shown(name)} in ${environment} is being rotated by ${by} since ${since}`,
    )
    .join('; ');
}
