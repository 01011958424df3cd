/** Somebody is removed: what they had opens nothing from then on, and an old header does not bring them back. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { showSecret } from '../../../src/vault/operations/history.ts';
import type { Place } from '../../../src/vault/place.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery, type HeadKind, type Signer } from '../../support/forgery.ts';
import { keysFrom, openedBy, tokenCredential } from '../../support/reach.ts';
import { cheapKdf, get, put, type SampleVault } from '../../support/sample-vault.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  grant,
  openPassphrase,
  openToken,
  otherMachine,
  remove,
  revoke,
  teamVault,
  verified,
} from '../../support/team.ts';

const staging = { environment: 'staging' };
const passphrase = 'another horse';

interface Team extends SampleVault {
  readonly old: string;
  readonly ci: string;
  readonly writer: string;
  readonly signer: Signer;
}

/** The signing key, as whoever has a credential can take it out of its bundle. */
async function signerOf(place: Place, token: string): Promise<Signer> {
  const vault = await openToken(place, token);
  const { principal, signing } = vault.identity;
  vault.close();
  return { principal, signing };
}

/** A vault with a token that is about to be removed, and with people who stay; an old copy is kept. */
async function team(): Promise<Team> {
  const sample = await teamVault(['staging', 'production']);
  const { place } = sample;
  const old = `${place.path}.old`;
  const tokens = await asOwner(sample, async (owner) => {
    await put(owner, 'db', 'one', staging);
    await put(owner, 'db', 'theirs not', { environment: 'production' });
    const ci = await add(owner, 'ci', { can: 'read,write,delete', env: 'staging' });
    const writer = await add(owner, 'writer', { can: 'read,write', env: 'staging,production' });
    const credential = { type: 'passphrase', passphrase } as const;
    const entrance = { type: 'passphrase', credential, kdf: cheapKdf } as const;
    await addBy(owner, 'ada', { can: 'read', env: 'staging' }, entrance);
    return { ci, writer };
  });
  await as(place, tokens.ci, async (vault) => put(vault, 'db', 'two, by ci', staging));
  copyFileSync(place.path, old);
  return { ...sample, old, ...tokens, signer: await signerOf(place, tokens.ci) };
}

describe('access rm', () => {
  test('leaves a removed token with keys that open nothing, by the crypto modules alone', async () => {
    const { place, old, ci, ...sample } = await team();
    const keys = await keysFrom(old, tokenCredential(ci), 'ci');
    expect(await openedBy(old, keys)).toContain('value staging 2');
    await asOwner({ place, ...sample }, async (owner) => {
      expect((await remove(owner, 'ci')).rekeyed).toEqual(['staging']);
      await put(owner, 'db', 'three', staging);
    });
    expect(await openedBy(place.path, keys)).toEqual([]);
    const error = await failureOf(openToken(place, ci));
    expect([error.exitCode, error.message]).toEqual([4, expect.stringContaining('revoked')]);
  });

  test('needs nobody else’s credential, and everybody else still gets in', async () => {
    const sample = await team();
    const { place } = sample;
    await asOwner(sample, async (owner) => remove(owner, 'ci'));
    const ada = await openPassphrase(place, passphrase, 'ada');
    expect(await get(ada, 'db')).toBe('two, by ci');
    expect(await verified(ada)).toBe(2);
    ada.close();
    await as(place, sample.writer, async (writer) => {
      expect(await get(writer, 'db', null)).toBe('two, by ci');
      await put(writer, 'db', 'three', staging);
    });
    await asOwner(sample, async (owner) => expect(await verified(owner)).toBe(4));
  });

  test('keeps what they wrote, in their name', async () => {
    const sample = await team();
    await asOwner(sample, async (owner) => {
      await remove(owner, 'ci');
      const { versions } = await owner.read('history', async (scope) => showSecret(scope, 'staging', 'db'));
      expect(versions.map(({ version, author }) => [version, author])).toEqual([
        [1, 'owner'],
        [2, 'ci'],
      ]);
    });
  });

  test('is not there for oneself', async () => {
    const sample = await team();
    const boss = await asOwner(sample, async (owner) => add(owner, 'boss', { can: 'admin' }));
    await as(sample.place, boss, async (vault) => {
      expect((await failureOf(remove(vault, 'boss'))).exitCode).toBe(2);
      expect((await failureOf(revoke(vault, 'boss', { can: 'admin' }))).exitCode).toBe(2);
    });
    await asOwner(sample, async (owner) => expect(await verified(owner)).toBe(3));
  });

  test.each(['ci', 'writer'] as const)('is not there for who is no administrator: %s', async (name) => {
    const sample = await team();
    await as(sample.place, sample[name], async (vault) => {
      for (const work of [
        async () => remove(vault, 'ada'),
        async () => grant(vault, name, { can: 'admin' }),
        async () => revoke(vault, 'ada', { can: 'read' }),
        async () => add(vault, 'eve', { can: 'read', env: 'staging' }),
      ])
        expect((await failureOf(work())).exitCode).toBe(5);
    });
  });
});

/** Lines of these kinds as the old file has them, in the new one. */
function putBack(place: Place, old: string, kinds: readonly HeadKind[]): Forgery {
  const before = Forgery.read(old);
  const now = Forgery.read(place.path);
  for (const line of now.head.filter(({ kind }) => kinds.includes(kind))) now.remove(line);
  const order: readonly HeadKind[] = ['vault', 'root', 'header', 'slot', 'bundle', 'grant', 'names'];
  for (const kind of kinds) {
    const at = order.indexOf(kind);
    for (const line of before.all(kind)) now.insert(line, ...order.slice(0, at + 1));
  }
  return now;
}

describe('an old header that is put back by who was removed', () => {
  const credentials = ['slot', 'bundle', 'grant'] as const;

  test.each([
    ['alone', ['header']],
    ['with the old slots, bundles and grants', ['header', ...credentials]],
  ] as const)('%s is refused, with memory and without it', async (_, kinds) => {
    const sample = await team();
    await asOwner(sample, async (owner) => remove(owner, 'ci'));
    await putBack(sample.place, sample.old, kinds).write(sample.place.path, sample.signer);
    for (const place of [sample.place, otherMachine(sample), { ...sample.place, stateFolder: null }]) {
      const error = await failureOf(asOwner({ ...sample, place }, async (owner) => get(owner, 'db')));
      expect(error.exitCode).toBe(7);
    }
  });

  test('with the whole old file, under a snapshot with a high number, is refused by who has seen more', async () => {
    const sample = await team();
    const { place } = sample;
    const ada = otherMachine(sample);
    await asOwner(sample, async (owner) => remove(owner, 'ci'));
    const seen = await openPassphrase(ada, passphrase, 'ada');
    await get(seen, 'db');
    seen.close();
    copyFileSync(sample.old, place.path);
    const forgery = Forgery.read(place.path);
    forgery.snapshot.n += 1_000;
    await forgery.write(place.path, sample.signer);
    const opens = [
      async () => asOwner(sample, async (owner) => get(owner, 'db')),
      async () => openPassphrase(ada, passphrase, 'ada'),
    ];
    for (const open of opens) {
      const error = await failureOf(open());
      expect([error.exitCode, error.code]).toEqual([7, 'ROLLBACK']);
    }
  });

  test('with the whole old file but one’s own bundle is refused without memory', async () => {
    const sample = await team();
    await asOwner(sample, async (owner) => remove(owner, 'ci'));
    const newer = Forgery.read(sample.place.path);
    const forgery = Forgery.read(sample.old);
    const owner = newer.one('root').by;
    Object.assign(forgery.one('bundle', owner), newer.one('bundle', owner));
    forgery.snapshot.time = newer.snapshot.time;
    await forgery.write(sample.place.path, sample.signer);
    const place = { ...sample.place, stateFolder: null };
    const error = await failureOf(asOwner({ ...sample, place }, async (vault) => get(vault, 'db')));
    expect([error.exitCode, error.code]).toEqual([7, 'ROLLBACK']);
  });

  test('into which it wrote something new is refused', async () => {
    const sample = await team();
    await asOwner(sample, async (owner) => remove(owner, 'ci'));
    const after = readFileSync(sample.place.path);
    copyFileSync(sample.old, sample.place.path);
    const elsewhere = otherMachine(sample);
    await as(elsewhere, sample.ci, async (vault) => {
      for (const text of ['a', 'b', 'c', 'd']) await put(vault, 'db', text, staging);
    });
    const error = await failureOf(asOwner(sample, async (owner) => get(owner, 'db')));
    expect([error.exitCode, error.code]).toEqual([7, 'ROLLBACK']);
    writeFileSync(sample.place.path, after);
    expect(await asOwner(sample, async (owner) => get(owner, 'db'))).toBe('two, by ci');
  });
});
