/** What brings a new value to where it is used: shell commands, or a hook that the program brings. docs/rotation.md. */
import type { Bytes } from '../crypto/bytes.ts';
import { BackendError } from '../errors.ts';
import type { HookInput } from '../exec/hook.ts';

/**
 * `apply` makes the new value (`value`) work; `check` sees whether it does; `undo` goes back to `old`; `retire` lets `old` go, once the new one
 * is current. Each bears being run again, also where it was interrupted.
 */
export type Step = 'apply' | 'check' | 'undo' | 'retire';

/** @throws StepFailure; UsageError, SecretNotFoundError, AccessDeniedError before anything was changed */
export type StepWork = (input: HookInput) => Promise<void>;

/** Of a value, of the secret of this name. */
export type ProposedChange = Pick<HookInput, 'name' | 'old' | 'value'>;

export interface RotationHook {
  readonly steps: Readonly<Partial<Record<Step, StepWork>>>;
  /**
   * The value that comes after the present one (borrowed), of a new password; caller wipes. `null`: a new value is made like any other.
   * @throws UsageError, SecretNotFoundError for a present value that it cannot work with
   */
  readonly next: ((present: Bytes, password: Bytes) => Bytes) | null;
  /** What can be said against a new value (borrowed, as the old one), before it is staged. @throws UsageError, SecretNotFoundError */
  readonly validate: ((change: ProposedChange) => void) | null;
  /** Names of other secrets, of the same environment, whose present values it needs. */
  readonly uses: readonly string[];
  /** Whether the old value goes on working once the new one does; `null` where that is not known. */
  readonly keepsOld: boolean | null;
  /** Whether it comes with the program: `apply` is then run again rather than believed to have run. */
  readonly isReady: boolean;
}

/** Values of other secrets that a hook needs, by their names in the same environment; read on the record. Caller wipes. */
export type SecretSource = (name: string) => Promise<Bytes>;

/** One with these steps, of which nothing else is known. */
export function hookOf(steps: RotationHook['steps'], uses: readonly string[] = []): RotationHook {
  return { steps, uses, next: null, validate: null, keepsOld: null, isReady: false };
}

export const noHook: RotationHook = hookOf({});

/** Why a step failed: a message that continues "apply of NAME", and quotes no value, so nothing that a server said. */
export class StepFailure extends BackendError {
  /** Whether it is certain that nothing was changed where the value is used. */
  readonly isUntouched: boolean;

  constructor(
    why: string,
    details: { readonly cause?: unknown; readonly hint?: string; readonly isUntouched?: boolean } = {},
  ) {
    const { isUntouched = false, ...rest } = details;
    super(why, rest, 'HOOK_FAILED');
    this.isUntouched = isUntouched;
  }
}

/** The server did not take the credential. */
export class LoginRefused extends StepFailure {
  constructor(cause?: unknown) {
    super('failed: the login was refused', { cause, isUntouched: true });
  }
}
