/**
 * Files that the holder of a token makes, who may do everything in staging and nothing in production: whatever numbers it gives its parts,
 * and whoever it says they are by, others refuse them. authority.test.ts has the shapes of single lines; here it is who and how high.
 */
import { copyFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sealGrant } from '../../../src/access/grant.ts';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import type { SecretsManagerError } from '../../../src/errors.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import type { Place } from '../../../src/vault/place.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery, type Signer } from '../../support/forgery.ts';
import { placeIn, put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { add, as, asOwner, getIn, openToken, teamVault } from '../../support/team.ts';

const most = Number.MAX_SAFE_INTEGER;
/** From the number that a part has to the one that the forger gives it. */
const counters = {
  'the lowest number': () => 1,
  'a lower number': (n: number) => n - 1,
  'the same number': (n: number) => n,
  'the next number': (n: number) => n + 1,
  'the highest number': () => most,
} as const;

let base: SampleVault;
let ci: Signer;
let token: string;
let owner: string;

beforeAll(async () => {
  base = await teamVault(['staging', 'production']);
  token = await asOwner(base, async (vault) => {
    for (const environment of ['staging', 'production'])
      for (const text of ['one', 'two', 'three']) await put(vault, 'db', text, { environment });
    owner = vault.identity.principal;
    await add(vault, 'reader', { can: 'read', env: 'staging,production' });
    return add(vault, 'ci', { can: 'read,rotate,write,delete', env: 'staging' });
  });
  await as(base.place, token, async (vault) => {
    ci = { principal: vault.identity.principal, signing: vault.identity.signing };
    await put(vault, 'db', 'by ci', { environment: 'staging' });
  });
  await asOwner(base, async (vault) => put(vault, 'db', 'last', { environment: 'staging' }));
});

let forgery: Forgery;

beforeEach(() => {
  forgery = Forgery.read(base.place.path);
});

/** How the forged file fares with the owner: on a machine without memory, and on one that has seen the true one. */
async function outcomes(by: Signer = ci): Promise<SecretsManagerError[]> {
  const folder = temporaryFolder();
  const place: Place = placeIn(folder);
  await forgery.write(place.path, by);
  const remembering = { ...place, path: base.place.path, stateFolder: base.place.stateFolder };
  const kept = `${folder}/true`;
  copyFileSync(base.place.path, kept);
  copyFileSync(place.path, base.place.path);
  try {
    const open = async (at: Place): Promise<unknown> =>
      asOwner({ ...base, place: at }, async (vault) => [
        await getIn(vault, 'staging', 'db'),
        await getIn(vault, 'production', 'db'),
      ]);
    return [await failureOf(open(place)), await failureOf(open(remembering))];
  } finally {
    copyFileSync(kept, base.place.path);
  }
}

async function expectRefused(by?: Signer): Promise<void> {
  for (const error of await outcomes(by)) expect(error.exitCode).toBe(7);
}

const names = ['its own name', 'the name of the owner'] as const;

/** Sign with the token’s key, whoever the line is said to be by. */
async function signAs<T extends { by: string; sig: string }>(
  whose: (typeof names)[number],
  line: T,
): Promise<T> {
  line.by = whose === 'its own name' ? ci.principal : owner;
  return forgery.signWith(line, ci.signing);
}

describe.each(Object.keys(counters) as (keyof typeof counters)[])('with %s', (which) => {
  const numbered = (n: number): number => counters[which](n);

  test.each(names)('a header in %s, that makes it an administrator of sorts', async (whose) => {
    const header = forgery.one('header');
    const entry = header.principals.find(({ id }) => id === ci.principal);
    entry?.read.push(forgery.environment('production'));
    header.n = numbered(header.n);
    await signAs(whose, header);
    await expectRefused();
  });

  test.each(names.flatMap((whose) => (['names', 'values'] as const).map((kind) => ({ whose, kind }))))(
    '$kind of production in $whose',
    async ({ whose, kind }) => {
      const part = forgery.one(kind, forgery.environment('production'));
      part.n = numbered(part.n);
      await signAs(whose, part);
      await expectRefused();
    },
  );

  test.each(['names', 'values'] as const)('%s of staging in the name of the owner', async (kind) => {
    const part = forgery.one(kind, forgery.environment('staging'));
    part.n = numbered(part.n);
    await signAs('the name of the owner', part);
    await expectRefused();
  });

  test.each(names)('changes of production in %s', async (whose) => {
    const values = forgery.one('values', forgery.environment('production'));
    const { environment, epoch, time, seen } = values;
    const by = whose === 'its own name' ? ci.principal : owner;
    const part = { kind: 'changes' as const, environment, epoch, n: numbered(2), time, by, seen };
    const line = { ...part, base: forgery.lineDigest(values), digest: '', size: 0, sig: '' };
    forgery.head.splice(forgery.head.indexOf(values) + 1, 0, line);
    forgery.shards.set(line, ['']);
    await forgery.signPart(line, { principal: by, signing: ci.signing });
    await expectRefused();
  });

  test('a bundle of the owner, over its slots', async () => {
    const bundle = forgery.one('bundle', owner);
    bundle.n = numbered(bundle.n);
    await signAs('the name of the owner', bundle);
    await expectRefused();
  });

  test('a snapshot in the name of the owner', async () => {
    forgery.snapshot.n = numbered(forgery.snapshot.n) - 1;
    await expectRefused({ principal: owner, signing: ci.signing });
  });
});

describe('numbers that fall', () => {
  test.each(['names', 'values'] as const)(
    '%s of staging, which it may write: who has seen more refuses',
    async (kind) => {
      const part = forgery.one(kind, forgery.environment('staging'));
      part.n = 1;
      part.seen = { header: 0, parts: [] };
      await forgery.sign(part, ci);
      const [, remembering] = await failures();
      expect(remembering).toMatchObject({ exitCode: 7, code: 'ROLLBACK' });
    },
  );

  test('a snapshot: who has seen more refuses', async () => {
    forgery.snapshot.n = 1;
    const [, remembering] = await failures();
    expect(remembering).toMatchObject({ exitCode: 7, code: 'ROLLBACK' });
  });

  /** Without memory these are as good as true ones. */
  async function failures(): Promise<(SecretsManagerError | null)[]> {
    const folder = temporaryFolder();
    copyFileSync(base.place.path, `${folder}/true`);
    await forgery.write(base.place.path, ci);
    try {
      return [null, await failureOf(asOwner(base, async (vault) => getIn(vault, 'staging', 'db')))];
    } finally {
      copyFileSync(`${folder}/true`, base.place.path);
    }
  }
});

describe('grants, which nobody signs', () => {
  const grantOf = (environment: string) =>
    forgery
      .all('grant')
      .find((line) => line.principal === owner && line.environment === forgery.environment(environment));

  test.each(['noise', 'another environment', 'another epoch', 'nothing'] as const)(
    'of the owner, in whose place there is %s',
    async (what) => {
      const grant = grantOf('production');
      if (grant === undefined) throw new Error('no grant');
      if (what === 'noise') grant.ct = encodeBase64url(systemRandom(96));
      if (what === 'another environment') grant.ct = grantOf('staging')?.ct ?? '';
      if (what === 'another epoch') grant.epoch += 1;
      if (what === 'nothing') forgery.remove(grant);
      await expectRefused();
    },
  );

  test('one to the owner, rightly sealed, of a key that the token’s holder knows', async () => {
    const header = forgery.one('header');
    const entry = header.environments.find(({ name }) => name === 'production');
    const recipient = header.principals.find(({ id }) => id === owner);
    const grant = grantOf('production');
    if (entry === undefined || recipient === undefined || grant === undefined) throw new Error('no grant');
    const planted = await sealGrant(forgery.domain, systemRandom, recipient, entry, 'read', systemRandom(32));
    Object.assign(grant, planted.value);
    const [fresh, remembering] = await outcomes();
    expect(fresh?.message).toContain('does not commit to');
    expect([fresh?.exitCode, remembering?.exitCode]).toEqual([7, 7]);
  });

  test('one of its own for production gives it nothing', async () => {
    const own = forgery.all('grant').find((line) => line.principal === ci.principal);
    if (own === undefined) throw new Error('no grant');
    forgery.insert({ ...own, environment: forgery.environment('production') }, 'grant');
    const place = placeIn(temporaryFolder());
    await forgery.write(place.path, ci);
    const vault = await openToken(place, token);
    expect((await failureOf(getIn(vault, 'production', 'db'))).exitCode).toBe(5);
    vault.close();
  });
});

describe('grants of others', () => {
  test.each(['left out', 'of another level', 'too many'] as const)('%s are found by verify', async (what) => {
    const reader = forgery.one('header').principals.find(({ name }) => name === 'reader')?.id;
    const grant = forgery.all('grant').find((line) => line.principal === reader);
    if (grant === undefined) throw new Error('no grant');
    if (what === 'left out') forgery.remove(grant);
    if (what === 'of another level') grant.level = 'list';
    if (what === 'too many') {
      const own = forgery.one('grant', ci.principal);
      forgery.insert({ ...own, environment: forgery.environment('production') }, 'grant');
    }
    const place = placeIn(temporaryFolder());
    await forgery.write(place.path, ci);
    const work = asOwner({ ...base, place }, async (vault) =>
      vault.read('verify', async (scope) => verifyVault(scope, place)),
    );
    expect(await failureOf(work)).toMatchObject({ exitCode: 7 });
  });
});

test('the true file under a snapshot of the token’s is taken: the rest is not refused for its snapshot', async () => {
  const place = placeIn(temporaryFolder());
  await forgery.write(place.path, ci);
  expect(await asOwner({ ...base, place }, async (vault) => getIn(vault, 'staging', 'db'))).toBe('last');
});

test('a snapshot with the highest number stops writers with a word, and breaks nothing', async () => {
  const place = placeIn(temporaryFolder());
  forgery.snapshot.n = most - 1;
  await forgery.write(place.path, ci);
  await asOwner({ ...base, place }, async (vault) => {
    expect(await getIn(vault, 'staging', 'db')).toBe('last');
    const error = await failureOf(put(vault, 'db', 'x', { environment: 'staging' }));
    expect(error.exitCode).toBe(7);
  });
});
