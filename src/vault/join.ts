/**
 * How people come into a vault that is there. docs/format.md sections 3 ("succession", `invited`) and 8.
 *
 * By request: the newcomer makes its keys and hands over the public ones; an administrator lists them; the newcomer brings its
 * credentials. By invitation: an administrator lists the public half of a one-time key; who has the other half names keys of its own.
 * Either way nobody else ever has the newcomer's private keys.
 */
import { ConcurrencyError, UnlockError } from '../errors.ts';
import type { Authority } from '../access/authority.ts';
import type { Identity } from '../access/bundle.ts';
import type { Credential } from '../access/slot.ts';
import type { KdfParameters } from '../crypto/kdf.ts';
import type { Line } from '../format/json-line.ts';
import type { SlotLine, SuccessionLine } from '../format/lines.ts';
import { readPolicy } from '../lifecycle/policy.ts';
import { checkKeyFile } from './founding.ts';
import { kdfFor } from './kdf-policy.ts';
import type { Place } from './place.ts';
import { makePrincipalKeys, presentPins, type PrincipalKeys } from './principal-keys.ts';
import type { Vault } from './vault.ts';

export interface Newcomer {
  readonly credential: Extract<Credential, { type: 'passphrase' }>;
  /** `null` for what the policy of the vault has by default. */
  readonly kdf: KdfParameters | null;
}

/** Keys of every kind for a newcomer, behind a passphrase of theirs. */
export async function makeOwnKeys(
  place: Place,
  authority: Authority,
  principal: string,
  { credential, kdf }: Newcomer,
): Promise<{ keys: PrincipalKeys; identity: Identity }> {
  checkKeyFile(credential.keyFile);
  return makePrincipalKeys(authority.domain, place.random, {
    principal,
    pins: presentPins(authority),
    time: place.now().toISOString(),
    n: 1,
    credentials: [{ credential, kdf: kdfFor(readPolicy(authority.header.policy), kdf) }],
    engine: place.kdfEngine,
  });
}

export interface Arrival {
  readonly slots: readonly Line<SlotLine>[];
  readonly succession: Line<SuccessionLine> | null;
}

/** Write what a newcomer brings. @returns the principal's name */
export async function publish(vault: Vault, arrival: Arrival): Promise<string> {
  return vault.write('join', async (scope) => {
    scope.slots = arrival.slots;
    scope.succession = arrival.succession;
    const own = scope.authority.principal(scope.identity.principal);
    if (own === null) throw new UnlockError('you were removed meanwhile');
    if (scope.document.bundleOf(own.id) !== null)
      throw new ConcurrencyError('somebody has joined with this already');
    // What an administrator sealed is opened once, so that it is wrapped under the own key from now on.
    if (arrival.succession === null) for (const entry of scope.accessible()) await scope.readerOf(entry);
    return own.name;
  });
}
