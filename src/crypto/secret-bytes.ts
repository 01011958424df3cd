/**
 * A secret as a type: owned, wiped, and redacted wherever it could be shown by accident.
 *
 * Ownership: the constructor takes the buffer over (it does not copy); whoever holds the `SecretBytes` wipes it.
 * Known limit: JavaScript engines may copy buffers and strings; wiping removes the copy that we own.
 */
import { wipe, type Bytes } from './bytes.ts';

const shown = '[secret]';

export class SecretBytes {
  #bytes: Bytes;
  #wiped = false;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  /** The bytes themselves, borrowed: do not keep them beyond the life of this object. @throws Error once wiped. */
  get bytes(): Bytes {
    if (this.#wiped) throw new Error('secret was wiped');
    return this.#bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  wipe(): void {
    wipe(this.#bytes);
    this.#wiped = true;
  }

  [Symbol.dispose](): void {
    this.wipe();
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return shown;
  }
}
