/** Slots have no signature of their own: their principal's bundle lists their digests. docs/format.md section 3, "bundle". */
import { IntegrityError, UnlockError } from '../errors.ts';
import type { VaultDocument } from '../format/document.ts';
import type { Line } from '../format/json-line.ts';
import type { BundleLine, SlotLine } from '../format/lines.ts';
import type { Domain } from '../crypto/pae.ts';
import { lineDigest } from './digest.ts';

/** What is needed of an `Authority`. */
interface SignatureCheck {
  readonly domain: Domain;
  readonly checkSigned: (line: Line<BundleLine>, environment: null) => Promise<void>;
}

/** The slots of a principal, bound to its signed bundle. @throws IntegrityError */
export async function boundSlots(
  document: VaultDocument,
  authority: SignatureCheck,
  principal: string,
): Promise<Line<SlotLine>[]> {
  const bundle = document.bundleOf(principal);
  if (bundle === null)
    throw new UnlockError('this principal has not joined yet', { hint: 'finish with `vault join`' });
  await authority.checkSigned(bundle, null);
  const slots = document.slotsOf(principal);
  const digests = await Promise.all(slots.map((slot) => lineDigest(authority.domain, slot.raw)));
  const { slots: listed } = bundle.value;
  if (digests.length !== listed.length || digests.some((digest, index) => digest !== listed[index])) {
    throw new IntegrityError('the slots are not those that their principal signed');
  }
  return slots;
}
