/** One's own slots: what is there, what may be put there, and making it. */
import { UsageError } from '../../errors.ts';
import { makeSlot, slotTypeOf, type Credential, type PassphraseAndDevice } from '../../access/slot.ts';
import type { KdfEngine, KdfParameters } from '../../crypto/kdf.ts';
import { encodeRecoveryKey } from '../../format/key-text.ts';
import type { Line } from '../../format/json-line.ts';
import type { SlotLine } from '../../format/lines.ts';
import { isTooLittle } from '../credential-policy.ts';
import { checkKeyFile } from '../founding.ts';
import type { Scope, WriteScope } from '../scope.ts';

export type PassphraseCredential = Extract<Credential, { type: 'passphrase' }>;

/** What a person knows, and may have beside it. */
export interface Chosen {
  readonly credential: PassphraseCredential | PassphraseAndDevice;
  /** What finds the device again. */
  readonly hint?: () => string;
}

export interface RenewedKeys {
  /** Whether all keys are new. Else the lock alone is; if that was not all that was wanted, new keys are due. */
  readonly renewed: boolean;
  /** Credentials of one's own that are gone. */
  readonly removed: readonly { readonly id: string; readonly type: SlotLine['type'] }[];
  readonly recoveryKey: string | null;
  readonly rekeyed: readonly string[];
}

export const passphraseTypes: ReadonlySet<SlotLine['type']> = new Set(['passphrase', 'passphrase+keyfile']);
export const isPassphrase = ({ value }: Line<SlotLine>): boolean => passphraseTypes.has(value.type);

export const kdfsOf = (slots: readonly Line<SlotLine>[]): SlotLine['kdf'][] =>
  slots.map(({ value }) => value.kdf);

export function ownSlots(scope: Scope): Line<SlotLine>[] {
  return scope.document.slotsOf(scope.identity.principal);
}

export function checkNew(scope: Scope, credential: Credential): void {
  if (credential.type === 'passphrase') checkKeyFile(credential.keyFile);
  if (isTooLittle(scope.authority, scope.identity.principal, slotTypeOf(credential))) {
    const hint = 'a passphrase with --key-file FILE, or with a device: `vault slot add --pkcs11 URI`';
    throw new UsageError('the policy of this vault wants two factors', { hint }, 'WEAK_VALUE');
  }
}

/** A new recovery key over the same keys; its text is shown once. */
export async function recoverySlot(
  scope: WriteScope,
  engine: KdfEngine,
): Promise<{ line: Line<SlotLine>; text: string }> {
  const { authority, identity, stamp } = scope;
  const credential = { type: 'recovery', secret: stamp.random(32) } as const;
  const wanted = { principal: identity.principal, credential, kdf: null, engine };
  const { line, slotKey } = await makeSlot(authority.domain, stamp.random, wanted, identity.bundleKey);
  slotKey.fill(0);
  const text = await encodeRecoveryKey(credential.secret);
  credential.secret.fill(0);
  return { line, text };
}

/** A slot for one more credential over the keys in use. */
export async function slotOver(
  scope: WriteScope,
  { credential, hint }: { readonly credential: Credential; readonly hint?: (() => string) | undefined },
  kdf: KdfParameters | null,
  engine: KdfEngine,
): Promise<Line<SlotLine>> {
  const { authority, identity, stamp } = scope;
  const { time, random } = stamp;
  const common = { principal: identity.principal, credential, kdf, engine, time };
  const wanted = hint === undefined ? common : { ...common, hint };
  const { line, slotKey } = await makeSlot(authority.domain, random, wanted, identity.bundleKey);
  slotKey.fill(0);
  return line;
}

export function named(slots: readonly Line<SlotLine>[]): RenewedKeys['removed'] {
  return slots.map(({ value }) => ({ id: value.id, type: value.type }));
}
