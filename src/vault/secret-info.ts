import type { SecretType } from '../format/secret-type.ts';

/** Metadata of one secret and of one of its versions; never the value. Times are ISO 8601 in UTC, to the millisecond. */
export interface SecretInfo {
  readonly name: string;
  readonly environment: string;
  readonly type: SecretType;
  /** The version that was asked for; without that, the current one. */
  readonly version: number;
  /** When the secret was made. */
  readonly created: string;
  /** When this version was written. */
  readonly updated: string;
  /** When this version expires, or `null`. */
  readonly expires: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly description: string;
  /** Environment variable that it becomes, where that is not made of its name. */
  readonly variable: string | null;
  /** How often it has been rotated. */
  readonly rotations: number;
  /** Until when the value before this version stays in use, or `null`. */
  readonly graceUntil: string | null;
  /** After how many seconds it should be rotated, by its own interval; `null` where the policy says it, or for never. */
  readonly rotateEverySeconds: number | null;
  /** Id of the stored hook that rotates it, or `null`. */
  readonly hook: string | null;
  /** When it was removed, or `null`. */
  readonly removed: string | null;
}
