/** `vault rotate NAME`: one secret, with its hook or without, or tried only. */
import { noHook } from '../src/hooks/rotation-hook.ts';
import { putSecret } from '../src/vault/operations/put.ts';
import { rotationTarget } from '../src/vault/operations/rotation-target.ts';
import type { SecretInfo } from '../src/vault/secret-info.ts';
import type { Vault } from '../src/vault/vault.ts';
import type { Context } from './context.ts';
import { HookChoice, type ChosenHook, type HookFlags } from './hook-choice.ts';
import { newValue, shapeOfNew, valueFromInput, type ValueFlags } from './new-value.ts';
import { isPreviousOwed, settlePrevious } from './previous.ts';
import { reportPut } from './put.ts';
import { rotateInTwoPhases } from './two-phase.ts';
import type { Rotated } from './rotation-steps.ts';

interface OneFlags extends HookFlags, ValueFlags {
  readonly ifVersion?: number;
  readonly dryRun?: boolean;
}

/** @param graceUntil until when the value before stays in use, or `null` */
export async function rotateOne(
  context: Context,
  flags: OneFlags,
  name: string,
  graceUntil: Date | null,
): Promise<void> {
  const vault = await context.openVault();
  const choice = new HookChoice(context, vault, flags);
  const target = await vault.goOn(async (scope) => rotationTarget(scope, context.environment, name));
  const chosen = target === null ? { hook: noHook, command: null } : await choice.of(target);
  const { environment } = target ?? context;
  const options = { environment, name, graceUntil, ifVersion: flags.ifVersion ?? null };
  // Nothing runs for what is only tried, nor for what is not there.
  if (target === null || flags.dryRun === true) {
    await tryOne(context, vault, flags, target, chosen, options);
    return;
  }
  const { hook } = chosen;
  const hasSteps = Object.keys(hook.steps).length > 0;
  if (hasSteps) await settlePrevious(context, vault, vault.place, hook, target);
  const value = await valueFor(context, vault, flags, target, chosen);
  try {
    if (hasSteps) {
      const ifVersion = flags.ifVersion ?? target.version;
      const start = { ...options, value, ifVersion };
      reportRotated(context, await rotateInTwoPhases(context, vault, hook, start));
    } else {
      // Of a credential the new value has been made of the present one.
      const ifVersion = options.ifVersion ?? (target.type === 'database-credential' ? target.version : null);
      const rotation = { ...options, ifVersion, value, operation: 'rotate', mustExist: true } as const;
      reportPut(context, await vault.write('rotate', async (scope) => putSecret(scope, rotation)));
    }
  } finally {
    value.fill(0);
  }
}

interface Trial {
  readonly environment: string | null;
  readonly name: string;
  readonly graceUntil: Date | null;
  readonly ifVersion: number | null;
}

/** What would be done, as far as it can be told without a command being run or a server being asked. */
async function tryOne(
  context: Context,
  vault: Vault,
  flags: OneFlags,
  target: SecretInfo | null,
  chosen: ChosenHook,
  options: Trial,
): Promise<void> {
  const { hook } = chosen;
  const hasSteps = Object.keys(hook.steps).length > 0;
  const input = target === null ? null : await valueFromInput(context, flags);
  const generated = target === null ? null : shapeOfNew(flags, target, chosen, input !== null);
  // Any value does: none is kept.
  const value = input ?? new Uint8Array(1);
  try {
    const isOwed =
      target !== null && hasSteps && (await isPreviousOwed(context, vault, vault.place, hook, target));
    const result = await vault.write('rotate', async (scope) => {
      const rotation = { operation: 'rotate', mustExist: true, pending: hasSteps } as const;
      const done = await putSecret(scope, { ...options, ...rotation, value });
      scope.discard();
      return done;
    });
    reportPut(context, result, { generated });
    const steps = (['apply', 'check'] as const).filter((step) => hook.steps[step] !== undefined);
    if (steps.length > 0 && !context.json) context.inform(`${steps.join(' and ')} would be run`);
    if (isOwed) context.inform('the value before the present one would be let go first');
  } finally {
    value.fill(0);
  }
}

async function valueFor(
  context: Context,
  vault: Vault,
  flags: ValueFlags,
  target: SecretInfo,
  chosen: ChosenHook,
): Promise<Uint8Array<ArrayBuffer>> {
  const input = await valueFromInput(context, flags);
  try {
    return await newValue(context, vault, flags, target, chosen, input);
  } finally {
    input?.fill(0);
  }
}

function reportRotated(context: Context, { name, environment, version }: Rotated): void {
  const written = { name, environment, version, created: false, revived: false };
  if (context.json) context.outputJson({ ...written, dryRun: false, generated: null });
  else context.inform(`${context.shown(name)} rotated in ${environment}, version ${version}`);
}
