/** Somebody who comes into a vault of `team.ts` with keys of their own making, by a request or an invitation. */
import { parseInvitation, type Invitation } from '../../src/format/join-text.ts';
import { newInvitation } from '../../src/vault/invitation.ts';
import { acceptInvitation } from '../../src/vault/join-invitation.ts';
import { listAccess } from '../../src/vault/operations/access-list.ts';
import type { Place } from '../../src/vault/place.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { cheapKdf, put, systemRandom, type SampleVault } from './sample-vault.ts';
import { addBy, asOwner, openPassphrase, otherMachine, teamVault, type May } from './team.ts';

export const passphrase = 'hers alone';
export const newcomer = { credential: { type: 'passphrase', passphrase } as const, kdf: cheapKdf };

/** A vault with the secret `db` in staging, and the newcomer’s machine, which remembers nothing of it. */
export async function teamAndNewcomer(db: string): Promise<{ team: SampleVault; hers: Place }> {
  const team = await teamVault(['staging', 'production']);
  await asOwner(team, async (owner) => put(owner, 'db', db));
  return { team, hers: otherMachine(team) };
}

/** Add somebody by an invitation. @returns its text */
export async function invite(
  admin: Vault,
  name: string,
  may: May,
  expires: Date | null = null,
): Promise<string> {
  const { entrance, text } = await newInvitation(systemRandom, admin.authority);
  await addBy(admin, name, may, entrance, expires);
  return text;
}

export function parsedInvitation(text: string): Invitation {
  const invitation = parseInvitation(text);
  if (invitation === null) throw new Error('not an invitation');
  return invitation;
}

/** Take an invitation up as the newcomer; `meanwhile` happens while the passphrase is typed. */
export async function accept(
  place: Place,
  text: string,
  meanwhile: () => Promise<unknown> = async () => Promise.resolve(),
): Promise<string> {
  return acceptInvitation(place, parsedInvitation(text), async () => {
    await meanwhile();
    return newcomer;
  });
}

/** Open as `ada` with the newcomer’s passphrase, do one thing, close. */
export async function asAda<T>(place: Place, work: (ada: Vault) => Promise<T>): Promise<T> {
  const ada = await openPassphrase(place, passphrase, 'ada');
  try {
    return await work(ada);
  } finally {
    ada.close();
  }
}

/** How far somebody has come in, as the owner sees it. */
export async function stateOf(sample: SampleVault, name: string): Promise<string | undefined> {
  return asOwner(sample, async (owner) =>
    owner.read('access-ls', async (scope) =>
      Promise.resolve(listAccess(scope).find((entry) => entry.name === name)?.state),
    ),
  );
}
