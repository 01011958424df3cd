/** Text that must not be found where nobody asked for it: not as it is, and not in the usual encodings. */
import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

function formsOf(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  // What surrounds it shifts it within a base64 group of three: the middle of each of the three forms.
  const base64 = [0, 1, 2].flatMap((shift) => {
    const middle = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(4, -4);
    return [middle, middle.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const hex = bytes.toString('hex');
  const forms = [text, text.toUpperCase(), hex, hex.toUpperCase(), ...base64].map((form) =>
    Buffer.from(form),
  );
  return [...forms, Buffer.from(text, 'utf16le')];
}

export class Canary {
  readonly value: string;
  readonly #needles: Buffer[];

  /** @param value letters and digits, so that no encoding of text changes it */
  constructor(value = `canary${randomBytes(12).toString('hex')}`) {
    this.value = value;
    this.#needles = formsOf(value);
  }

  /** Look for this, too: a token, a passphrase, an invitation. */
  watch(text: string): void {
    if (text.length < 12) throw new Error('too short to be told from anything else');
    this.#needles.push(...formsOf(text));
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
