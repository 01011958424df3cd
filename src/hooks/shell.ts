/** Hooks that are shell commands. */
import { InterruptedError, UsageError } from '../errors.ts';
import { runHook, type HookSurroundings } from '../exec/hook.ts';
import { hookOf, StepFailure, type RotationHook, type Step, type StepWork } from './rotation-hook.ts';

const steps: readonly Step[] = ['apply', 'check', 'undo', 'retire'];

export function shellHook(
  commands: Readonly<Partial<Record<Step, string>>>,
  surroundings: HookSurroundings,
): RotationHook {
  const work =
    (command: string): StepWork =>
    async (input) => {
      const status = await runHook(command, input, surroundings).catch((cause: unknown) => {
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
