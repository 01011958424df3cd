/** A value that must not be found where nobody asked for it: not as it is, and not in the usual encodings. */
import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export class Canary {
  readonly value: string;
  readonly #needles: readonly Buffer[];

  /** @param value letters and digits, so that no encoding of text changes it */
  constructor(value = `canary${randomBytes(12).toString('hex')}`) {
    this.value = value;
    const bytes = Buffer.from(this.value);
    // What surrounds it shifts it within a base64 group of three: the middle of each of the three forms.
    const base64 = [0, 1, 2].flatMap((shift) => {
      const text = Buffer.concat([Buffer.alloc(shift), bytes])
        .toString('base64')
        .slice(4, -4);
      return [text, text.replaceAll('+', '-').replaceAll('/', '_')];
    });
    const hex = bytes.toString('hex');
    const forms = [this.value, this.value.toUpperCase(), hex, hex.toUpperCase(), ...base64].map((form) =>
      Buffer.from(form),
    );
    this.#needles = [...forms, Buffer.from(this.value, 'utf16le')];
  }

  isIn(bytes: Uint8Array | string): boolean {
    const hay = Buffer.from(bytes);
    return this.#needles.some((needle) => hay.includes(needle));
  }

  /** Files below a folder that hold it, in their name or in their bytes. */
  filesBelow(folder: string): string[] {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => path.join(folder, name))
      .filter((file) => this.isIn(file) || (lstatSync(file).isFile() && this.isIn(readFileSync(file))));
  }
}
