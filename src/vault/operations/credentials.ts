/**
 * One's own credentials: adding, changing, removing. docs/format.md section 3, "slot" and "bundle".
 *
 * Changing a passphrase changes the lock, not the keys: an old copy of the file still opens with the old one. Where a credential is
 * removed because somebody else may have it, an administrator gets new keys of every kind in the same write; anybody else leaves a mark
 * that new keys are due.
 */
import { AccessDeniedError, UsageError } from '../../errors.ts';
import {
  makeSlot,
  removedSlot,
  slotTypeOf,
  sortSlots,
  type AgeIdentity,
  type Credential,
  type PassphraseAndDevice,
} from '../../access/slot.ts';
import type { KdfEngine, KdfParameters } from '../../crypto/kdf.ts';
import { parseAgeHint } from '../../format/age-hint.ts';
import { encodeRecoveryKey } from '../../format/key-text.ts';
import type { Line } from '../../format/json-line.ts';
import { limits } from '../../format/limits.ts';
import type { SlotLine } from '../../format/lines.ts';
import { credentialProblem, isTooLittle } from '../credential-policy.ts';
import { checkKeyFile } from '../founding.ts';
import { kdfFor } from '../kdf-policy.ts';
import { makePrincipalKeys, newToken, type NewCredentialOfKeys } from '../principal-keys.ts';
import type { Scope, WriteScope } from '../scope.ts';
import { presentPins } from './access.ts';

type PassphraseCredential = Extract<Credential, { type: 'passphrase' }>;

/** What a person knows, and may have beside it. */
interface Chosen {
  readonly credential: PassphraseCredential | PassphraseAndDevice;
  /** What finds the device again. */
  readonly hint?: () => string;
}

export interface NewPassphrase extends Chosen {
  /** Chosen parameters; `null` keeps what the present slot has, or better. */
  readonly kdf: KdfParameters | null;
  readonly engine: KdfEngine;
  /** Replace the recovery key too, as its use asks for. */
  readonly newRecoveryKey: boolean;
}

const passphraseTypes: ReadonlySet<SlotLine['type']> = new Set(['passphrase', 'passphrase+keyfile']);
const isPassphrase = ({ value }: Line<SlotLine>): boolean => passphraseTypes.has(value.type);

const kdfsOf = (slots: readonly Line<SlotLine>[]): SlotLine['kdf'][] => slots.map(({ value }) => value.kdf);

function ownSlots(scope: Scope): Line<SlotLine>[] {
  return scope.document.slotsOf(scope.identity.principal);
}

function checkNew(scope: Scope, credential: Credential): void {
  if (credential.type === 'passphrase') checkKeyFile(credential.keyFile);
  if (isTooLittle(scope.authority, scope.identity.principal, slotTypeOf(credential))) {
    const hint = 'a passphrase with --key-file FILE, or with a device: `vault slot add --pkcs11 URI`';
    throw new UsageError('the policy of this vault wants two factors', { hint }, 'WEAK_VALUE');
  }
}

async function recoverySlot(
  scope: WriteScope,
  engine: KdfEngine,
): Promise<{ credential: Credential; line: Line<SlotLine>; text: string }> {
  const { authority, identity, stamp } = scope;
  const credential: Credential = { type: 'recovery', secret: stamp.random(32) };
  const wanted = { principal: identity.principal, credential, kdf: null, engine };
  const { line, slotKey } = await makeSlot(authority.domain, stamp.random, wanted, identity.bundleKey);
  slotKey.fill(0);
  return { credential, line, text: await encodeRecoveryKey(credential.secret) };
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

async function slotOver(
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

export interface RenewedKeys {
  /** Whether all keys are new. Else the lock alone is; if that was not all that was wanted, new keys are due. */
  readonly renewed: boolean;
  /** Credentials of one's own that are gone. */
  readonly removed: readonly { readonly id: string; readonly type: SlotLine['type'] }[];
  readonly recoveryKey: string | null;
  readonly rekeyed: readonly string[];
}

export interface Renewal {
  /** A new passphrase in place of the present credential; `null` keeps the one that opened the vault. */
  readonly passphrase: (Chosen & { readonly kdf: KdfParameters | null }) | null;
  readonly recovery: boolean;
  /** Whether somebody else may have read what this principal can. */
  readonly exposed: boolean;
  readonly engine: KdfEngine;
}

/**
 * Keys of every kind for the unlocked administrator, wrapped only for credentials that are there now: nothing that an old copy of the
 * file gives away opens a later one. Every other credential of the administrator goes.
 */
async function renewOwnKeys(scope: WriteScope, wanted: Renewal): Promise<RenewedKeys> {
  const { authority, document, identity, stamp } = scope;
  const access = scope.administration();
  const present = ownSlots(scope);
  const inUse = present.find(({ value }) => value.id === identity.slot);
  const credentials: NewCredentialOfKeys[] = [];
  if (wanted.passphrase !== null) {
    checkNew(scope, wanted.passphrase.credential);
    const kdf = kdfFor(scope.policy, wanted.passphrase.kdf, kdfsOf(present));
    credentials.push({ ...wanted.passphrase, kdf });
  }
  let recoveryKey: string | null = null;
  if (wanted.recovery) {
    const credential: Credential = { type: 'recovery', secret: stamp.random(32) };
    recoveryKey = await encodeRecoveryKey(credential.secret);
    credentials.push({ credential, kdf: null });
  }
  const { slotKey } = identity;
  const keeps = wanted.passphrase === null && inUse !== undefined && slotKey !== null;
  if (!keeps && wanted.passphrase === null)
    throw new UsageError('unlock with the credential that is to stay');
  const { keys, identity: next } = await makePrincipalKeys(authority.domain, stamp.random, {
    principal: identity.principal,
    pins: presentPins(scope),
    time: stamp.time,
    n: (document.bundleOf(identity.principal)?.value.n ?? 0) + 1,
    credentials,
    ...(keeps ? { kept: { slot: inUse.value, slotKey } } : {}),
    engine: wanted.engine,
  });
  access.replaceKeys(identity.principal, keys, wanted.exposed, next);
  const stays = keeps ? inUse : null;
  const gone = present.filter((slot) => slot !== stays && slot.value.type !== 'removed');
  const names = access.rekeyed.map((id) => access.environments.find((one) => one.id === id)?.name ?? id);
  return { renewed: true, removed: named(gone), recoveryKey, rekeyed: names };
}

function named(slots: readonly Line<SlotLine>[]): RenewedKeys['removed'] {
  return slots.map(({ value }) => ({ id: value.id, type: value.type }));
}

/** Own slots without these; marks that new keys are due stand in their place. */
function leaveMarks(scope: WriteScope, gone: readonly Line<SlotLine>[]): Line<SlotLine>[] {
  const kept = ownSlots(scope).filter(({ value }) => !gone.some((slot) => slot.value.id === value.id));
  return [...kept, ...gone.map(({ value }) => removedSlot(value, scope.stamp.time))];
}

/**
 * Remove a credential. @throws UsageError for one that is not there or is in use; AccessDeniedError for the last one
 */
export async function removeSlot(
  scope: WriteScope,
  id: string,
  wanted: Omit<Renewal, 'passphrase' | 'exposed'>,
): Promise<RenewedKeys> {
  const usable = ownSlots(scope).filter(({ value }) => value.type !== 'removed');
  const chosen = usable.find(({ value }) => value.id === id);
  if (chosen === undefined) {
    throw new UsageError(`you have no credential ${id}`, { hint: '`vault slot ls` lists them' });
  }
  if (usable.length === 1)
    throw new AccessDeniedError('this is your last way in', {
      hint: 'add another one first: `vault slot add`',
    });
  if (id === scope.identity.slot) {
    const hint = 'unlock with the one that is to stay';
    throw new UsageError('this is the credential that you have just used', { hint });
  }
  scope.trace.detail = `slot rm ${chosen.value.type} ${id}`;
  if (scope.authority.isAdmin(scope.identity.principal))
    return renewOwnKeys(scope, { ...wanted, exposed: false, passphrase: null });
  scope.slots = sortSlots(leaveMarks(scope, [chosen]));
  return { renewed: false, removed: named([chosen]), recoveryKey: null, rekeyed: [] };
}

/** A new passphrase because somebody may know the old one. */
export async function replaceCompromised(scope: WriteScope, wanted: NewPassphrase): Promise<RenewedKeys> {
  scope.trace.detail = 'compromised';
  if (scope.authority.isAdmin(scope.identity.principal)) {
    const { newRecoveryKey: recovery, engine } = wanted;
    return renewOwnKeys(scope, { passphrase: wanted, recovery, exposed: true, engine });
  }
  const before = ownSlots(scope);
  const done = await changePassphrase(scope, { ...wanted, newRecoveryKey: false });
  const has = (all: readonly { readonly id: string }[], { value }: Line<SlotLine>): boolean =>
    all.some(({ id }) => id === value.id);
  const gone = before.filter((slot) => has(done.removed, slot));
  const fresh = (scope.slots ?? []).filter((slot) => !has(named(before), slot));
  const slots = [...leaveMarks(scope, gone), ...fresh];
  if (slots.length > limits.slots) {
    const hint = 'an administrator makes new ones: `vault access reissue`';
    throw new AccessDeniedError('your keys have been due to be replaced too often', { hint });
  }
  scope.slots = sortSlots(slots);
  scope.trace.detail = 'compromised';
  return done;
}
