import { UsageError } from '../errors.ts';
import { readText } from '../lifecycle/field.ts';
import type { SecretInfo } from '../vault/secret-info.ts';

/** Stands for a value where an object is printed. */
export const redacted = '[secret]';

/** What Node calls to print an object. */
export const inspected = Symbol.for('nodejs.util.inspect.custom');

/** A value that was read, and what is known of it. Whoever holds it wipes it; printed, inspected or made JSON it shows no value. */
export class Secret {
  readonly info: SecretInfo;
  #value: Uint8Array<ArrayBuffer> | null;

  /** @param value taken over */
  constructor(info: SecretInfo, value: Uint8Array<ArrayBuffer>) {
    this.info = info;
    this.#value = value;
  }

  /** The bytes themselves, borrowed: zeros once this is wiped. @throws UsageError afterwards */
  get value(): Uint8Array<ArrayBuffer> {
    if (this.#value === null) throw new UsageError('the value was wiped');
    return this.#value;
  }

  /** The value as text. A string cannot be wiped. @throws UsageError if it is not UTF-8, or was wiped */
  text(): string {
    return readText(this.value);
  }

  /** Overwrite the bytes with zeros. */
  wipe(): void {
    this.#value?.fill(0);
    this.#value = null;
  }

  [Symbol.dispose](): void {
    this.wipe();
  }

  toString(): string {
    return redacted;
  }

  toJSON(): { readonly info: SecretInfo; readonly value: string } {
    return { info: this.info, value: redacted };
  }

  [inspected](): unknown {
    return this.toJSON();
  }
}
