/** Coming into a vault by an invitation: a one-time key, for keys of one's own making. */
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64url, type Bytes } from '../../../src/crypto/bytes.ts';
import { encodeInvitation, parseInvitation } from '../../../src/format/join-text.ts';
import { newInvitation } from '../../../src/vault/invitation.ts';
import { acceptInvitation } from '../../../src/vault/join.ts';
import { listAccess, reissuePrincipal } from '../../../src/vault/operations/access.ts';
import { listEnvironments } from '../../../src/vault/operations/environments.ts';
import { vaultStatus } from '../../../src/vault/operations/status.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import type { Place } from '../../../src/vault/place.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf, settled } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { everythingIn, keysFrom, openedBy } from '../../support/reach.ts';
import { cheapKdf, get, put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  engine,
  finish,
  grant,
  openPassphrase,
  otherMachine,
  remove,
  request,
  teamVault,
} from '../../support/team.ts';

const passphrase = 'hers alone';
const newcomer = { credential: { type: 'passphrase', passphrase } as const, kdf: cheapKdf };
const staging = { can: 'read,write', env: 'staging' };

let team: SampleVault;
/** The newcomer’s machine. */
let hers: Place;

beforeEach(async () => {
  team = await teamVault(['staging', 'production']);
  hers = otherMachine(team);
  await asOwner(team, async (owner) => put(owner, 'db', 'of staging'));
});

async function asAda<T>(work: (vault: Vault) => Promise<T>, place = hers): Promise<T> {
  const vault = await openPassphrase(place, passphrase, 'ada');
  try {
    return await work(vault);
  } finally {
    vault.close();
  }
}

const stateOf = async (name: string): Promise<string | undefined> =>
  asOwner(team, async (owner) =>
    owner.read('access-ls', async (scope) =>
      Promise.resolve(listAccess(scope).find((entry) => entry.name === name)?.state),
    ),
  );

const verified = async (): Promise<number> =>
  asOwner(team, async (owner) =>
    owner.read('verify', async (scope) => (await verifyVault(scope, owner.place)).versions),
  );

describe('an invitation', () => {
  async function invite(expires: Date | null = null): Promise<string> {
    return asOwner(team, async (owner) => {
      const { entrance, text } = await newInvitation(systemRandom, owner.authority);
      await addBy(owner, 'ada', staging, entrance, expires);
      return text;
    });
  }

  const parsed = (text: string) => {
    const invitation = parseInvitation(text);
    if (invitation === null) throw new Error('not an invitation');
    return invitation;
  };

  const accept = async (text: string, place = hers): Promise<string> =>
    acceptInvitation(place, parsed(text), async () => Promise.resolve(newcomer));

  test('is taken up with keys that nobody else has; the next change by an administrator completes it', async () => {
    const text = await invite();
    expect(await stateOf('ada')).toBe('invited');
    expect(await verified()).toBe(1);
    expect(await accept(text)).toBe('ada');
    expect(await stateOf('ada')).toBe('joined');
    expect(await verified()).toBe(1);
    const seed: Bytes = parsed(text).seed;
    expect(everythingIn(team.place.path)).not.toContain('grant ada staging');
    await asOwner(team, async (owner) => put(owner, 'unrelated', 'x', { environment: 'production' }));
    expect(await stateOf('ada')).toBe('active');
    expect(Forgery.read(team.place.path).all('succession')).toEqual([]);
    expect(await asAda(async (ada) => get(ada, 'db'))).toBe('of staging');
    expect(await asAda(async (ada) => put(ada, 'db', 'by ada'))).toMatchObject({ version: 2 });
    expect(await verified()).toBe(3);
    // Who made the invitation, or found it later, reads nothing with it.
    const keys = await keysFrom(team.place.path, { type: 'recovery', secret: seed }, 'ada');
    expect(await openedBy(team.place.path, keys)).toEqual([]);
  });

  test('before it is complete gives nothing, and nothing crashes', async () => {
    await accept(await invite());
    await asAda(async (ada) => {
      for (const work of [
        async () => get(ada, 'db'),
        async () => put(ada, 'db', 'x'),
        async () => put(ada, 'new', 'x'),
        async () => grant(ada, 'ada', { can: 'admin' }),
      ])
        expect(await failureOf(work())).toMatchObject({ exitCode: 5 });
      const status = await ada.read('status', async (scope) => vaultStatus(scope, ada.place));
      expect(status.environments.map(({ secrets }) => secrets)).toEqual([null, null]);
      const report = await ada.read('verify', async (scope) => verifyVault(scope, ada.place));
      expect(report.sealed).toEqual(['staging', 'production']);
      const listed = await ada.read('env-ls', async (scope) => listEnvironments(scope));
      expect(listed.map(({ level }) => level)).toEqual([null, null]);
    });
    const keys = await keysFrom(team.place.path, newcomer.credential, 'ada');
    expect(await openedBy(team.place.path, keys)).toEqual(['bundle ada', 'slot ada passphrase']);
  });

  test.each(['at once', 'after it is complete'] as const)('used twice is refused: %s', async (when) => {
    const text = await invite();
    await accept(text);
    if (when !== 'at once') await asOwner(team, async (owner) => put(owner, 'db', 'x'));
    const before = readFileSync(team.place.path);
    expect(await failureOf(accept(text, otherMachine(team)))).toMatchObject({ exitCode: 4 });
    expect(readFileSync(team.place.path)).toEqual(before);
  });

  test('used by two at once lets one in', async () => {
    const text = await invite();
    const outcomes = await Promise.all([settled(accept(text)), settled(accept(text, otherMachine(team)))]);
    expect(outcomes.filter((outcome) => outcome === 'ada')).toHaveLength(1);
    expect(await verified()).toBe(1);
  });

  test('withdrawn by access rm is refused', async () => {
    const text = await invite();
    await asOwner(team, async (owner) => remove(owner, 'ada'));
    expect(await failureOf(accept(text))).toMatchObject({ exitCode: 4 });
  });

  test('that has expired is refused', async () => {
    const text = await invite(new Date(Date.now() + 60_000));
    const later = { ...hers, now: () => new Date(Date.now() + 120_000) };
    expect(await failureOf(accept(text, later))).toMatchObject({ exitCode: 4 });
    expect(await accept(text)).toBe('ada');
  });

  test('of another vault, or with another key, is refused', async () => {
    const text = await invite();
    const other = await teamVault(['staging']);
    expect(await failureOf(accept(text, otherMachine(other)))).toMatchObject({ exitCode: 4 });
    const { principal, pin } = parsed(text);
    const forged = encodeInvitation({ principal, pin, seed: systemRandom(32) });
    expect(await failureOf(accept(forged))).toMatchObject({ exitCode: 4 });
  });

  test.each(['a key of its own', 'its own signing key, for both'] as const)(
    'taken up by somebody else’s forgery is refused by everybody: %s',
    async (how) => {
      const text = await invite();
      const ci = await asOwner(team, async (owner) => add(owner, 'ci', { can: 'list', env: 'production' }));
      const forger = await as(team.place, ci, async ({ identity: { principal, signing } }) =>
        Promise.resolve({ principal, signing }),
      );
      // As it would be with the invitation, but for the signature.
      const before = readFileSync(team.place.path);
      await accept(text);
      const forgery = Forgery.read(team.place.path);
      const succession = forgery.one('succession');
      if (how !== 'a key of its own') succession.signPub = encodeBase64url(forger.signing.publicKey);
      await forgery.signWith(succession, forger.signing);
      if (how !== 'a key of its own') {
        const bundle = forgery.one('bundle', succession.principal);
        await forgery.signWith(bundle, forger.signing);
      }
      await forgery.write(team.place.path, forger);
      const place = { ...team.place, stateFolder: null };
      const error = await failureOf(asOwner({ ...team, place }, async (owner) => get(owner, 'db')));
      expect([error.exitCode, error.message]).toEqual([7, expect.stringContaining('succession')]);
      writeFileSync(team.place.path, before);
    },
  );

  test('mistyped or cut is refused by its checksum', async () => {
    const text = await invite();
    const swapped = text.replace(/(.)(.)(.{5})$/u, (_, a: string, b: string, rest: string) =>
      a === b ? `x${b}${rest}` : `${b}${a}${rest}`,
    );
    for (const wrong of [text.slice(0, -1), `${text}0`, swapped, text.replace(/.{8}$/u, '00000000')])
      expect(await failureOf(() => parseInvitation(wrong)), wrong).toMatchObject({ exitCode: 4 });
    expect(parseInvitation('vlt1_x')).toBeNull();
  });
});

const invitationFor = async (id: string): ReturnType<typeof newInvitation> =>
  asOwner(team, async (owner) => newInvitation(systemRandom, owner.authority, id));

describe('a reissue by invitation', () => {
  async function reissued(): Promise<string> {
    const entrance = await request(hers, 'ada', passphrase);
    await asOwner(team, async (owner) => addBy(owner, 'ada', staging, entrance));
    await finish(hers, passphrase);
    const { entrance: invited, text } = await invitationFor(entrance.id);
    await asOwner(team, async (owner) =>
      owner.write('access-reissue', async (scope) =>
        reissuePrincipal(scope, 'ada', invited, { engine, exposed: false }),
      ),
    );
    return text;
  }

  const accept = async (text: string): Promise<string> => {
    const parsed = parseInvitation(text);
    if (parsed === null) throw new Error('not an invitation');
    return acceptInvitation(hers, parsed, async () => Promise.resolve(newcomer));
  };

  test('brings the same principal back with keys of its own making, on the machine that it had', async () => {
    const text = await reissued();
    expect(await failureOf(asAda(async (ada) => get(ada, 'db')))).toMatchObject({ exitCode: 4 });
    expect(await accept(text)).toBe('ada');
    await asOwner(team, async (owner) => put(owner, 'db', 'two'));
    expect(await asAda(async (ada) => get(ada, 'db'))).toBe('two');
    expect(await verified()).toBe(2);
  });

  test('also on another machine that she used before', async () => {
    const second = otherMachine(team);
    const entrance = await request(hers, 'ada', passphrase);
    await asOwner(team, async (owner) => addBy(owner, 'ada', staging, entrance));
    await finish(hers, passphrase);
    await asOwner(team, async (owner) => put(owner, 'db', 'two'));
    await asAda(async (ada) => put(ada, 'db', 'three'));
    await asAda(async (ada) => get(ada, 'db'), second);
    const { entrance: invited, text } = await invitationFor(entrance.id);
    await asOwner(team, async (owner) =>
      owner.write('access-reissue', async (scope) =>
        reissuePrincipal(scope, 'ada', invited, { engine, exposed: false }),
      ),
    );
    await accept(text);
    await asOwner(team, async (owner) => put(owner, 'db', 'four'));
    expect(await asAda(async (ada) => get(ada, 'db'), second)).toBe('four');
  });

  test('is not there for an administrator', async () => {
    const entrance = await request(hers, 'ada', passphrase);
    await asOwner(team, async (owner) => addBy(owner, 'ada', { can: 'admin' }, entrance));
    const { entrance: invited } = await invitationFor(entrance.id);
    await asOwner(team, async (owner) => {
      const work = owner.write('access-reissue', async (scope) =>
        reissuePrincipal(scope, 'ada', invited, { engine, exposed: false }),
      );
      expect(await failureOf(work)).toMatchObject({ exitCode: 2 });
    });
    expect(await verified()).toBe(1);
  });
});
