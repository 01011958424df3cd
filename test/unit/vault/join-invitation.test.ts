/** Coming into a vault by an invitation: a one-time key, for keys of one's own making. */
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64url, type Bytes } from '../../../src/crypto/bytes.ts';
import { encodeInvitation, parseInvitation } from '../../../src/format/join-text.ts';
import { newInvitation } from '../../../src/vault/invitation.ts';
import { reissuePrincipal } from '../../../src/vault/operations/access.ts';
import { listEnvironments } from '../../../src/vault/operations/environments.ts';
import { vaultStatus } from '../../../src/vault/operations/status.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import type { Place } from '../../../src/vault/place.ts';
import { failureOf, settled } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { everythingIn, keysFrom, openedBy } from '../../support/reach.ts';
import { get, put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import {
  accept,
  asAda,
  invite,
  newcomer,
  parsedInvitation,
  passphrase,
  stateOf,
  teamAndNewcomer,
} from '../../support/newcomer.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  engine,
  finish,
  grant,
  otherMachine,
  remove,
  request,
  teamVault,
  verifiedByOwner,
} from '../../support/team.ts';

const staging = { can: 'read,write', env: 'staging' };

let team: SampleVault;
/** The newcomer’s machine. */
let hers: Place;

beforeEach(async () => {
  ({ team, hers } = await teamAndNewcomer('of staging'));
});

describe('an invitation', () => {
  const invited = async (expires: Date | null = null): Promise<string> =>
    asOwner(team, async (owner) => invite(owner, 'ada', staging, expires));

  test('is taken up with keys that nobody else has; the next change by an administrator completes it', async () => {
    const text = await invited();
    expect(await stateOf(team, 'ada')).toBe('invited');
    expect(await verifiedByOwner(team)).toBe(1);
    expect(await accept(hers, text)).toBe('ada');
    expect(await stateOf(team, 'ada')).toBe('joined');
    expect(await verifiedByOwner(team)).toBe(1);
    const seed: Bytes = parsedInvitation(text).seed;
    expect(everythingIn(team.place.path)).not.toContain('grant ada staging');
    await asOwner(team, async (owner) => put(owner, 'unrelated', 'x', { environment: 'production' }));
    expect(await stateOf(team, 'ada')).toBe('active');
    expect(Forgery.read(team.place.path).all('succession')).toEqual([]);
    expect(await asAda(hers, async (ada) => get(ada, 'db'))).toBe('of staging');
    expect(await asAda(hers, async (ada) => put(ada, 'db', 'by ada'))).toMatchObject({ version: 2 });
    expect(await verifiedByOwner(team)).toBe(3);
    // Who made the invitation, or found it later, reads nothing with it.
    const keys = await keysFrom(team.place.path, { type: 'recovery', secret: seed }, 'ada');
    expect(await openedBy(team.place.path, keys)).toEqual([]);
  });

  test('before it is complete gives nothing, and nothing crashes', async () => {
    await accept(hers, await invited());
    await asAda(hers, async (ada) => {
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
    const text = await invited();
    await accept(hers, text);
    if (when !== 'at once') await asOwner(team, async (owner) => put(owner, 'db', 'x'));
    const before = readFileSync(team.place.path);
    expect(await failureOf(accept(otherMachine(team), text))).toMatchObject({ exitCode: 4 });
    expect(readFileSync(team.place.path)).toEqual(before);
  });

  test('used by two at once lets one in', async () => {
    const text = await invited();
    const outcomes = await Promise.all([
      settled(accept(hers, text)),
      settled(accept(otherMachine(team), text)),
    ]);
    expect(outcomes.filter((outcome) => outcome === 'ada')).toHaveLength(1);
    expect(await verifiedByOwner(team)).toBe(1);
  });

  test('withdrawn by access rm is refused', async () => {
    const text = await invited();
    await asOwner(team, async (owner) => remove(owner, 'ada'));
    expect(await failureOf(accept(hers, text))).toMatchObject({ exitCode: 4 });
  });

  test('that has expired is refused', async () => {
    const text = await invited(new Date(Date.now() + 60_000));
    const later = { ...hers, now: () => new Date(Date.now() + 120_000) };
    expect(await failureOf(accept(later, text))).toMatchObject({ exitCode: 4 });
    expect(await accept(hers, text)).toBe('ada');
  });

  test('of another vault, or with another key, is refused', async () => {
    const text = await invited();
    const other = await teamVault(['staging']);
    expect(await failureOf(accept(otherMachine(other), text))).toMatchObject({ exitCode: 4 });
    const { principal, pin } = parsedInvitation(text);
    const forged = encodeInvitation({ principal, pin, seed: systemRandom(32) });
    expect(await failureOf(accept(hers, forged))).toMatchObject({ exitCode: 4 });
  });

  test.each(['a key of its own', 'its own signing key, for both'] as const)(
    'taken up by somebody else’s forgery is refused by everybody: %s',
    async (how) => {
      const text = await invited();
      const ci = await asOwner(team, async (owner) => add(owner, 'ci', { can: 'list', env: 'production' }));
      const forger = await as(team.place, ci, async ({ identity: { principal, signing } }) =>
        Promise.resolve({ principal, signing }),
      );
      // As it would be with the invitation, but for the signature.
      const before = readFileSync(team.place.path);
      await accept(hers, text);
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
    const text = await invited();
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

  test('brings the same principal back with keys of its own making, on the machine that it had', async () => {
    const text = await reissued();
    expect(await failureOf(asAda(hers, async (ada) => get(ada, 'db')))).toMatchObject({ exitCode: 4 });
    expect(await accept(hers, text)).toBe('ada');
    await asOwner(team, async (owner) => put(owner, 'db', 'two'));
    expect(await asAda(hers, async (ada) => get(ada, 'db'))).toBe('two');
    expect(await verifiedByOwner(team)).toBe(2);
  });

  test('also on another machine that she used before', async () => {
    const second = otherMachine(team);
    const entrance = await request(hers, 'ada', passphrase);
    await asOwner(team, async (owner) => addBy(owner, 'ada', staging, entrance));
    await finish(hers, passphrase);
    await asOwner(team, async (owner) => put(owner, 'db', 'two'));
    await asAda(hers, async (ada) => put(ada, 'db', 'three'));
    await asAda(second, async (ada) => get(ada, 'db'));
    const { entrance: invited, text } = await invitationFor(entrance.id);
    await asOwner(team, async (owner) =>
      owner.write('access-reissue', async (scope) =>
        reissuePrincipal(scope, 'ada', invited, { engine, exposed: false }),
      ),
    );
    await accept(hers, text);
    await asOwner(team, async (owner) => put(owner, 'db', 'four'));
    expect(await asAda(second, async (ada) => get(ada, 'db'))).toBe('four');
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
    expect(await verifiedByOwner(team)).toBe(1);
  });
});
