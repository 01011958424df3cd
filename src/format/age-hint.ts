/** What an `age` slot keeps in its `hint`: the recipient and the age file that holds the slot's 32 bytes. docs/format.md section 8. */
import { IntegrityError } from '../errors.ts';
import { encodeBase64url, parseBase64url, type Bytes } from '../crypto/bytes.ts';

export interface AgeHint {
  /** Begins with `age1pq1`; nothing but its letters is checked here. */
  readonly recipient: string;
  /** Bytes of the age file. */
  readonly file: Bytes;
}

export function encodeAgeHint({ recipient, file }: AgeHint): string {
  return `${recipient} ${encodeBase64url(file)}`;
}

/** @throws IntegrityError */
export function parseAgeHint(hint: string): AgeHint {
  // Bech32 (BIP 173) has letters and digits without 1, b, i and o; in lower case, as age writes recipients.
  const [, recipient, text] = /^(age1pq1[02-9ac-hj-np-z]+) ([\w-]+)$/.exec(hint) ?? [];
  const file = text === undefined ? null : parseBase64url(text);
  if (recipient === undefined || file === null) throw new IntegrityError('slot: malformed age hint');
  return { recipient, file };
}
