/** Hooks that are shell commands. */
import { InterruptedError, UsageError } from '../errors.ts';
import type { ChildKeeper } from '../exec/child-keeper.ts';
import type { Write } from '../exec/child-stdio.ts';
import { runHook } from '../exec/hook.ts';
import { hookOf, StepFailure, type RotationHook, type Step, type StepWork } from './rotation-hook.ts';

const steps: readonly Step[] = ['apply', 'check', 'undo', 'retire'];

/**
 * @param ours our environment; they get none of our credentials
 * @param report takes what they print, masked
 * @param keeper ends them in time; `null` where they may share our terminal
 */
export function shellHook(
  commands: Readonly<Partial<Record<Step, string>>>,
  ours: Readonly<Record<string, string | undefined>>,
  report: Write,
  keeper: ChildKeeper | null,
): RotationHook {
  const work =
    (command: string): StepWork =>
    async (input) => {
      const status = await runHook(command, input, ours, report, keeper).catch((cause: unknown) => {
        if (cause instanceof InterruptedError) throw cause;
        const why = cause instanceof UsageError ? cause.message : 'it could not be started';
        throw new StepFailure(`failed: ${why}`, { cause, isUntouched: true });
      });
      if (status !== 0) throw new StepFailure(`failed with status ${status}`);
    };
  const found = steps.flatMap((step) => {
    const command = commands[step];
    return command === undefined ? [] : [[step, work(command)] as const];
  });
  return hookOf(Object.fromEntries(found));
}
