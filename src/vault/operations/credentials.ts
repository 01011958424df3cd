/**
 * One's own credentials: adding, changing, listing. docs/format.md section 3, "slot" and "bundle".
 *
 * Changing a passphrase changes the lock, not the keys: an old copy of the file still opens with the old one.
 */
import { UsageError } from '../../errors.ts';
import { slotTypeOf, sortSlots, type AgeIdentity, type PassphraseAndDevice } from '../../access/slot.ts';
import type { KdfEngine, KdfParameters } from '../../crypto/kdf.ts';
import { parseAgeHint } from '../../format/age-hint.ts';
import type { Line } from '../../format/json-line.ts';
import { limits } from '../../format/limits.ts';
import type { SlotLine } from '../../format/lines.ts';
import { credentialProblem } from '../credential-policy.ts';
import { kdfFor } from '../kdf-policy.ts';
import { newToken } from '../principal-keys.ts';
import type { Scope, WriteScope } from '../scope.ts';

import {
  checkNew,
  isPassphrase,
  kdfsOf,
  named,
  ownSlots,
  passphraseTypes,
  recoverySlot,
  slotOver,
  type Chosen,
  type PassphraseCredential,
  type RenewedKeys,
} from './own-slots.ts';

export interface NewPassphrase extends Chosen {
  /** Chosen parameters; `null` keeps what the present slot has, or better. */
  readonly kdf: KdfParameters | null;
  readonly engine: KdfEngine;
  /** Replace the recovery key too, as its use asks for. */
  readonly newRecoveryKey: boolean;
}

/**
 * Replace the principal's passphrase slots by a new one over the same bundle key; with a device, the slot in use: other devices are not
 * there to sign. @throws UsageError for bad parameters or key files
 */
export async function changePassphrase(scope: WriteScope, wanted: NewPassphrase): Promise<RenewedKeys> {
  const { credential } = wanted;
  checkNew(scope, credential);
  const slots = ownSlots(scope);
  const replaced = slots.filter(
    (slot) =>
      (credential.type === 'pkcs11' ? slot.value.id === scope.identity.slot : isPassphrase(slot)) ||
      (wanted.newRecoveryKey && slot.value.type === 'recovery'),
  );
  const kdf = kdfFor(scope.policy, wanted.kdf, kdfsOf(replaced));
  const made = [await slotOver(scope, wanted, kdf, wanted.engine)];
  const kept = slots.filter((slot) => !replaced.includes(slot));
  let recoveryKey: string | null = null;
  if (wanted.newRecoveryKey) {
    const recovery = await recoverySlot(scope, wanted.engine);
    made.push(recovery.line);
    recoveryKey = recovery.text;
  }
  scope.slots = sortSlots([...kept, ...made]);
  scope.trace.detail = slotTypeOf(credential);
  return { renewed: false, removed: named(replaced), recoveryKey, rekeyed: [] };
}

export interface SlotInfo {
  readonly id: string;
  readonly type: SlotLine['type'];
  readonly kdf: SlotLine['kdf'];
  /** The one that opened the vault just now. */
  readonly inUse: boolean;
  /** When a passphrase was set, or a credential removed; `null` where nobody wrote it down. */
  readonly since: string | null;
  /** What finds the device: its URI; of an age identity the recipient. */
  readonly device: string | null;
}

export function listSlots(scope: Scope): SlotInfo[] {
  return ownSlots(scope).map(({ value }) => {
    const { id, type, kdf, hint } = value;
    const dated = passphraseTypes.has(type) || type === 'removed';
    return {
      id,
      type,
      kdf,
      inUse: id === scope.identity.slot,
      since: dated && hint !== '' ? hint : null,
      device: dated || hint === '' ? null : type === 'age' ? parseAgeHint(hint).recipient : hint,
    };
  });
}

export interface AddedSlot {
  readonly id: string;
  readonly type: SlotLine['type'];
  /** A token or recovery key: shown once. */
  readonly text: string | null;
}

export type NewCredential =
  | {
      readonly type: 'given';
      readonly credential: PassphraseCredential;
      readonly kdf: KdfParameters | null;
      readonly hint?: undefined;
    }
  | {
      readonly type: 'device';
      readonly credential: PassphraseAndDevice | AgeIdentity;
      readonly kdf: KdfParameters | null;
      /** What finds the device again; asked once it has been used. */
      readonly hint: () => string;
    }
  | { readonly type: 'token' }
  | { readonly type: 'recovery' };

/** One more credential over the same keys. */
export async function addSlot(
  scope: WriteScope,
  wanted: NewCredential,
  engine: KdfEngine,
): Promise<AddedSlot> {
  const problem = credentialProblem(scope.document, scope.authority, scope.identity, scope.now);
  // Who is to bring a second factor, or a new passphrase, does not get in by the side door.
  if (problem !== null && wanted.type !== 'given' && wanted.type !== 'device') throw problem;
  const slots = ownSlots(scope);
  if (slots.length >= limits.slots)
    throw new UsageError(`a principal has at most ${limits.slots} credentials`);
  let text: string | null = null;
  let line: Line<SlotLine>;
  if (wanted.type === 'given' || wanted.type === 'device') {
    const { credential } = wanted;
    checkNew(scope, credential);
    const kdf = credential.type === 'age' ? null : kdfFor(scope.policy, wanted.kdf, kdfsOf(slots));
    line = await slotOver(scope, wanted, kdf, engine);
  } else if (wanted.type === 'token') {
    const token = newToken(scope.stamp.random);
    line = await slotOver(scope, token, null, engine);
    text = token.text;
    token.credential.secret.fill(0);
  } else {
    const recovery = await recoverySlot(scope, engine);
    ({ line, text } = recovery);
  }
  scope.slots = sortSlots([...slots, line]);
  scope.trace.detail = `slot add ${line.value.type} ${line.value.id}`;
  return { id: line.value.id, type: line.value.type, text };
}
