/**
 * What a write did to secrets, told by what was there before: enough to take it back by another write. Values are not in it, only the numbers
 * of their versions. docs/decisions/0014-undo.md.
 */
import { catalogEntry } from '../format/catalog.ts';
import {
  boolean,
  integer,
  list,
  longId,
  object,
  shortId,
  text,
  time,
  type Shape,
  type Shaped,
} from '../format/schema.ts';

const orNull =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value, path) =>
    value === null ? null : shape(value, path);

const step = object({
  environment: shortId,
  secret: longId,
  /** `null` where the write made the secret. */
  before: orNull(catalogEntry),
  after: catalogEntry,
  /** The current version before, 0 if there was none, and after: the same where no version was written. */
  from: integer(),
  to: integer(),
});

export const reversal = object({
  operation: text(64, 1),
  /** Of the write, and of every version that it made. */
  time,
  /** Whether the value was brought by hooks to where it is used. */
  hooks: boolean,
  /** Of an `undo`: what it took back, or brought back again. */
  undone: orNull(object({ operation: text(64, 1), redo: boolean })),
  steps: list(step, 1_000_000),
});

export type Step = Shaped<typeof step>;
export type Reversal = Shaped<typeof reversal>;

/** Operations that can be taken back. */
const reversible: ReadonlySet<string> = new Set([
  'put',
  'edit',
  'rotate',
  'rollback',
  'import',
  'rm',
  'restore',
  'mv',
  'cp',
  'undo',
  'hook-use',
]);

export function isReversible(operation: string): boolean {
  return reversible.has(operation);
}

/** What a write has done so far, as its operation tells it. */
export class StagedReversal {
  /** Whether hooks have changed something beside the vault. */
  hooks = false;
  undone: Reversal['undone'] = null;
  readonly #steps = new Map<string, Step>();

  /** Of two steps of one secret, what was before the first and is after the second counts. */
  note(added: Step): void {
    const key = `${added.environment} ${added.secret}`;
    const known = this.#steps.get(key);
    this.#steps.set(key, known === undefined ? added : { ...added, before: known.before, from: known.from });
  }

  of(operation: string, at: string): Reversal {
    const { hooks, undone } = this;
    return { operation, time: at, hooks, undone, steps: [...this.#steps.values()] };
  }
}
