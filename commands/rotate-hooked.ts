/** Many secrets with hooks: each is rotated by itself, several at a time. */
import type { SecretInfo } from '../src/vault/secret-info.ts';
import { inParallel } from '../src/vault/in-parallel.ts';
import type { Place } from '../src/vault/place.ts';
import type { Context } from './context.ts';
import type { ChosenHook, HookFlags } from './hook-choice.ts';
import { newValue, type ValueFlags } from './new-value.ts';
import { settlePrevious } from './previous.ts';
import { failed, type Result } from './rotate-report.ts';
import { oneAtATime, type TurnTaker, type Turns } from './turns.ts';
import { rotateInTwoPhases } from './two-phase.ts';

export interface HookedOptions {
  /** How many at a time. */
  readonly jobs: number;
  /** Hooks and sources of values, the same for all. */
  readonly flags: HookFlags & ValueFlags;
  /** Until when values before stay in use. */
  readonly graceUntil: Date | null;
}

export interface Ready {
  readonly secret: SecretInfo;
  readonly chosen: ChosenHook;
}

/** With hooks each is rotated by itself; hooks of several run at a time, and the vault is written by one of them at a time. */
export async function oneByOne(
  context: Context,
  place: Place,
  turns: TurnTaker,
  secrets: readonly Ready[],
  options: HookedOptions,
): Promise<Result[]> {
  if (secrets.length === 0) return [];
  const progress = context.progress();
  const results: Result[] = [];
  // Commands for values may ask at the terminal: not two of them at a time.
  const making = oneAtATime();
  for (const layer of usersFirst(secrets))
    await inParallel(layer, options.jobs, async (one) => {
      results.push(await rotateOne(context, place, turns, making, one, options));
      progress.show(`rotated ${results.length} of ${secrets.length}`);
    });
  progress.end();
  const order = new Map(secrets.map(({ secret }, index) => [keyOf(secret), index]));
  const rank = (result: Result): number => order.get(keyOf(result)) ?? 0;
  return results.sort((a, b) => rank(a) - rank(b));
}

const keyOf = ({ environment, name }: Pick<Result, 'environment' | 'name'>): string =>
  `${environment}\n${name}`;

/**
 * Those whose values hooks of others need come after those others: until one is current, the vault has what its server no longer takes.
 * Where some need each other, they are rotated as they come.
 */
function usersFirst<T extends Ready>(secrets: readonly T[]): T[][] {
  const layers: T[][] = [];
  let left = secrets;
  while (left.length > 0) {
    const needed = new Set(
      left.flatMap(({ secret: { name, environment }, chosen }) =>
        chosen.hook.uses.filter((used) => used !== name).map((used) => keyOf({ environment, name: used })),
      ),
    );
    const { first = [], later = [] } = Object.groupBy(left, ({ secret }) =>
      needed.has(keyOf(secret)) ? 'later' : 'first',
    );
    layers.push(first.length === 0 ? later : first);
    left = first.length === 0 ? [] : later;
  }
  return layers;
}

async function rotateOne(
  context: Context,
  place: Place,
  turns: TurnTaker,
  making: Turns,
  { secret, chosen }: Ready,
  options: HookedOptions,
): Promise<Result> {
  const { name, environment, version: ifVersion } = secret;
  let value: Uint8Array<ArrayBuffer> | null = null;
  try {
    await settlePrevious(context, turns, place, chosen.hook, secret);
    value = await making(async () => newValue(context, turns, options.flags, secret, chosen, null));
    const { version } = await rotateInTwoPhases(context, turns, chosen.hook, {
      name,
      environment,
      value,
      ifVersion,
      graceUntil: options.graceUntil,
    });
    return { name, environment, version, code: null, reason: null };
  } catch (error) {
    return failed(secret, error);
  } finally {
    value?.fill(0);
  }
}
