/** Changing the lock: a new passphrase for the unlocked principal. docs/format.md section 3, "slot" and "bundle". */
import { makeSlot, slotTypeOf, type Credential } from '../../access/slot.ts';
import {
  checkChosenKdf,
  defaultArgon2,
  type Argon2Parameters,
  type KdfEngine,
  type KdfParameters,
} from '../../crypto/kdf.ts';
import { encodeRecoveryKey } from '../../format/key-text.ts';
import type { Line } from '../../format/json-line.ts';
import type { SlotLine } from '../../format/lines.ts';
import { checkKeyFile, sortSlots } from '../founding.ts';
import type { WriteScope } from '../scope.ts';

export interface NewPassphrase {
  readonly credential: Extract<Credential, { type: 'passphrase' }>;
  /** Chosen parameters; `null` keeps what the present slot has, or better. */
  readonly kdf: KdfParameters | null;
  readonly engine: KdfEngine;
  /** Replace the recovery key too, as its use asks for. */
  readonly newRecoveryKey: boolean;
}

export interface PassphraseChanged {
  readonly kdf: KdfParameters;
  readonly recoveryKey: string | null;
}

const passphraseTypes: ReadonlySet<SlotLine['type']> = new Set(['passphrase', 'passphrase+keyfile']);

/**
 * Replace the principal's passphrase slots by a new one over the same bundle key. It changes the lock, not the keys: an old copy
 * of the file still opens with the old passphrase.
 * @throws UsageError for bad parameters or key files
 */
export async function changePassphrase(scope: WriteScope, wanted: NewPassphrase): Promise<PassphraseChanged> {
  const { document, authority, identity, stamp } = scope;
  const { principal, bundleKey } = identity;
  checkKeyFile(wanted.credential.keyFile);
  const slots = document.slotsOf(principal);
  const replaced = slots.filter(({ value }) => passphraseTypes.has(value.type));
  const kdf = wanted.kdf ?? strongest(replaced);
  checkChosenKdf(kdf);
  const common = { principal, engine: wanted.engine };
  const made = [
    await makeSlot(
      authority.domain,
      stamp.random,
      { ...common, credential: wanted.credential, kdf },
      bundleKey,
    ),
  ];
  let kept = slots.filter((slot) => !replaced.includes(slot));
  let recoveryKey: string | null = null;
  if (wanted.newRecoveryKey) {
    kept = kept.filter(({ value }) => value.type !== 'recovery');
    const credential: Credential = { type: 'recovery', secret: stamp.random(32) };
    made.push(
      await makeSlot(authority.domain, stamp.random, { ...common, credential, kdf: null }, bundleKey),
    );
    recoveryKey = await encodeRecoveryKey(credential.secret);
    credential.secret.fill(0);
  }
  for (const { slotKey } of made) slotKey.fill(0);
  scope.slots = sortSlots([...kept, ...made.map(({ line }) => line)]);
  scope.trace.detail = slotTypeOf(wanted.credential);
  return { kdf, recoveryKey };
}

/** Parameters for the next slot: today's default, or the present ones where they ask for more work. */
function strongest(slots: readonly Line<SlotLine>[]): KdfParameters {
  let best: Argon2Parameters = defaultArgon2;
  for (const { value } of slots) {
    const { kdf } = value;
    if (kdf.name === 'pbkdf2-hmac-sha256') return kdf;
    if (kdf.name === 'argon2id' && work(kdf) > work(best)) best = kdf;
  }
  return best;
}

const work = (kdf: Argon2Parameters): number => kdf.memoryKiB * kdf.passes;
