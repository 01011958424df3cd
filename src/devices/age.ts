/** An age identity as a credential: what a new slot keeps of it, and how it opens one. docs/format.md sections 3 and 8; docs/decisions/0007-devices.md. */
import { openAge, recipientOf, sealToAge, type OpenedAge } from '../crypto/age.ts';
import type { RandomSource } from '../crypto/aead.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { encodeAgeHint } from '../format/age-hint.ts';

/** Opens the age file of a slot, or `null` if it is for somebody else. Caller wipes what it gives. */
export type AgeOpener = (file: Bytes) => Promise<OpenedAge | null>;

/** @param identities text of an identity file, read when it is needed */
export function ageOpener(identities: () => string): AgeOpener {
  return async (file) => openAge(identities(), file);
}

/** The hint of a new slot for the one identity of a file. @throws UnlockError if the file cannot be used */
export async function enrolAge(identities: string, random: RandomSource): Promise<string> {
  const recipient = await recipientOf(identities);
  const secret = random(32);
  const file = await sealToAge(recipient, secret);
  secret.fill(0);
  return encodeAgeHint({ recipient, file });
}
