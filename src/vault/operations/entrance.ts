/** How a principal gets in: the keys and the credential that it starts with, or starts with again. */
import { UsageError } from '../../errors.ts';
import type { Credential } from '../../access/slot.ts';
import type { KdfEngine, KdfParameters } from '../../crypto/kdf.ts';
import type { AccessDraft } from '../access-draft.ts';
import { checkKeyFile } from '../founding.ts';
import { kdfFor } from '../kdf-policy.ts';
import { makePrincipalKeys, newToken, presentPins, type PrincipalKeys } from '../principal-keys.ts';
import type { WriteScope } from '../scope.ts';

/** How a new principal gets in. */
export type Entrance =
  | { readonly type: 'token' }
  | {
      readonly type: 'passphrase';
      readonly credential: Extract<Credential, { type: 'passphrase' }>;
      /** `null` for what the policy has by default. */
      readonly kdf: KdfParameters | null;
    }
  | { readonly type: 'keys'; readonly id: string; readonly signPub: string; readonly sealPub: string }
  | { readonly type: 'invitation'; readonly id: string; readonly publicKey: string };

/** @returns the keys, and the text of a token that was made with them */
export async function makeKeys(
  scope: WriteScope,
  id: string,
  entrance: Entrance,
  engine: KdfEngine,
): Promise<{ keys: PrincipalKeys; token?: string }> {
  if (entrance.type === 'keys') {
    const { signPub, sealPub } = entrance;
    return { keys: { signPub, sealPub, invited: signPub, slots: [], bundle: null, wrapKey: null } };
  }
  if (entrance.type === 'invitation') {
    const invited = entrance.publicKey;
    return { keys: { signPub: '', sealPub: '', invited, slots: [], bundle: null, wrapKey: null } };
  }
  const { authority, stamp, document } = scope;
  const token = entrance.type === 'token' ? newToken(stamp.random) : null;
  if (entrance.type === 'passphrase') {
    checkKeyFile(entrance.credential.keyFile);
  }
  const first =
    entrance.type === 'passphrase'
      ? { credential: entrance.credential, kdf: kdfFor(scope.policy, entrance.kdf) }
      : token === null
        ? null
        : { credential: token.credential, kdf: null };
  if (first === null) throw new UsageError('say how they get in');
  const n = (document.bundleOf(id)?.value.n ?? 0) + 1;
  const { keys } = await makePrincipalKeys(authority.domain, stamp.random, {
    principal: id,
    pins: presentPins(authority),
    time: stamp.time,
    n,
    credentials: [first],
    engine,
  });
  token?.credential.secret.fill(0);
  return token === null ? { keys } : { keys, token: token.text };
}

/** Ids and keys are used once: what was taken away comes back with keys that somebody else may have. */
export function checkNewKeys(
  scope: WriteScope,
  access: AccessDraft,
  id: string | null,
  entrance: Entrance,
): void {
  const signPub = entrance.type === 'keys' ? entrance.signPub : null;
  const used = [...access.principals, ...scope.authority.header.retired];
  if (used.some((entry) => entry.id === id || entry.signPub === signPub))
    throw new UsageError('these keys are, or were, in this vault already', {
      hint: 'new ones are made with `vault join --request`',
    });
}
