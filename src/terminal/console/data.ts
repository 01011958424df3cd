/** What the console shows and asks for: plain data, and functions that somebody above knows how to carry out. */

/** One secret, ready to be shown: no text of it commands a terminal. */
export interface SecretRow {
  /** Tells it from all others. */
  readonly key: string;
  readonly name: string;
  readonly environment: string;
  readonly type: string;
  readonly version: number;
  /** Days. */
  readonly updated: string;
  readonly expires: string | null;
  readonly due: string | null;
  /** Id of the hook that rotates it. */
  readonly hook: string | null;
  readonly isOverdue: boolean;
  readonly expiry: 'expired' | 'expiring' | null;
  /** What else there is to say of it: description, tags, a rotation under way. */
  readonly remarks: readonly string[];
}

/** One audit record. */
export interface TrailRow {
  readonly sequence: number;
  readonly time: string;
  readonly by: string;
  readonly operation: string;
  readonly result: string;
  readonly failed: boolean;
  readonly environment: string;
  readonly secrets: string;
}

export interface ConsoleData {
  /** Which vault, and who looks. */
  readonly vault: string;
  readonly principal: string;
  readonly secrets: readonly SecretRow[];
  /** Keys of those that need attention, most urgent first. */
  readonly due: readonly string[];
  readonly expiring: readonly string[];
  /** What could not be shown. */
  readonly problem: string | null;
}

/** A value that was handed out. Whoever holds it wipes it. */
export interface ShownValue {
  readonly bytes: Uint8Array;
  readonly version: number;
  wipe(): void;
}

/** Each does what it says, once it is on record, or throws. One at a time. */
export interface ConsoleActions {
  /** @param asked whether the person asked for it, which is an operation of its own */
  load(asked: boolean): Promise<ConsoleData>;
  /** Of one secret, or of all; newest last. */
  trail(secret: SecretRow | null): Promise<readonly TrailRow[]>;
  reveal(secret: SecretRow): Promise<ShownValue>;
  /** @returns what to tell the person */
  copy(secret: SecretRow): Promise<string>;
  /** @returns what to tell the person */
  rotate(secret: SecretRow): Promise<string>;
  /** End what runs outside for any of these, which then fails, and let no more of it begin. Resolves when it has ended. */
  interrupt(): Promise<void>;
  /** What to tell a person of an error, or `null` for one that nobody expects. */
  explain(error: unknown): string | null;
}
