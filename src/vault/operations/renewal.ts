/**
 * Credentials that somebody else may have, and so are to open nothing from now on. An administrator gets new keys of every kind in the
 * same write; anybody else leaves a mark that new keys are due.
 */
import { AccessDeniedError, UsageError } from '../../errors.ts';
import { removedSlot, sortSlots } from '../../access/slot.ts';
import type { KdfEngine, KdfParameters } from '../../crypto/kdf.ts';
import { encodeRecoveryKey } from '../../format/key-text.ts';
import type { Line } from '../../format/json-line.ts';
import { limits } from '../../format/limits.ts';
import type { SlotLine } from '../../format/lines.ts';
import { kdfFor } from '../kdf-policy.ts';
import { makePrincipalKeys, presentPins, type NewCredentialOfKeys } from '../principal-keys.ts';
import type { WriteScope } from '../scope.ts';

import { changePassphrase, type NewPassphrase } from './credentials.ts';
import { checkNew, kdfsOf, named, ownSlots, type Chosen, type RenewedKeys } from './own-slots.ts';

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
    const credential = { type: 'recovery', secret: stamp.random(32) } as const;
    recoveryKey = await encodeRecoveryKey(credential.secret);
    credentials.push({ credential, kdf: null });
  }
  const { slotKey } = identity;
  const keeps = wanted.passphrase === null && inUse !== undefined && slotKey !== null;
  if (!keeps && wanted.passphrase === null)
    throw new UsageError('unlock with the credential that is to stay');
  const { keys, identity: next } = await makePrincipalKeys(authority.domain, stamp.random, {
    principal: identity.principal,
    pins: presentPins(authority),
    time: stamp.time,
    n: (document.bundleOf(identity.principal)?.value.n ?? 0) + 1,
    credentials,
    ...(keeps ? { kept: { slot: inUse.value, slotKey } } : {}),
    engine: wanted.engine,
  });
  for (const { credential } of credentials) if (credential.type === 'recovery') credential.secret.fill(0);
  access.replaceKeys(identity.principal, keys, wanted.exposed, next);
  const stays = keeps ? inUse : null;
  const gone = present.filter((slot) => slot !== stays && slot.value.type !== 'removed');
  const names = access.rekeyed.map((id) => access.environments.find((one) => one.id === id)?.name ?? id);
  return { renewed: true, removed: named(gone), recoveryKey, rekeyed: names };
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
