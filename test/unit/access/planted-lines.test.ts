/** Lines of the head that nobody signs for, put there by somebody who may only list: they stop nobody, and do not stay. */
import { beforeEach, describe, expect, test } from 'vitest';
import { makeBundle } from '../../../src/access/bundle.ts';
import { makeSlot, sortSlots } from '../../../src/access/slot.ts';
import { encodeBase64url, utf8 } from '../../../src/crypto/bytes.ts';
import { importSigningKey } from '../../../src/crypto/signature.ts';
import { parseToken } from '../../../src/format/key-text.ts';
import type { RequestLine } from '../../../src/format/lines.ts';
import { newInvitation } from '../../../src/vault/invitation.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { Vault } from '../../../src/vault/vault.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery, type HeadLine, type Open, type Signer } from '../../support/forgery.ts';
import { put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import {
  add,
  addBy,
  as,
  asOwner,
  getIn,
  otherMachine,
  remove,
  request,
  teamVault,
  verified,
} from '../../support/team.ts';

const staging = { can: 'read', env: 'staging' };

let team: SampleVault;
let tokens: { lister: string; ci: string };
let told: string[];

beforeEach(async () => {
  told = [];
  team = await teamVault(['staging'], { warn: (text) => told.push(text) });
  tokens = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one');
    return {
      lister: await add(owner, 'lister', { can: 'list', env: 'staging' }),
      ci: await add(owner, 'ci', staging),
    };
  });
});

const signerOf = async (token: string): Promise<Signer> =>
  as(team.place, token, async ({ identity }) =>
    Promise.resolve({ principal: identity.principal, signing: identity.signing }),
  );

const policyWrite = async (owner: Vault): Promise<unknown> =>
  owner.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, 'rekey.days', '30')));

describe('request lines', () => {
  /** Requests are for a later version of this program; the lines are known, and carried along. */
  function requestBy(forgery: Forgery, by: string): Open<RequestLine> {
    const { time } = forgery.snapshot;
    return {
      kind: 'request',
      id: encodeBase64url(systemRandom(8)),
      environment: forgery.environment('staging'),
      secret: encodeBase64url(systemRandom(16)),
      version: 1,
      operation: 'rotate',
      note: encodeBase64url(utf8('please')),
      epoch: 1,
      time,
      expires: time,
      by,
      sig: '',
    };
  }

  const plant = async (make: (forgery: Forgery) => Promise<object> | object): Promise<void> => {
    const forgery = Forgery.read(team.place.path);
    forgery.head.push((await make(forgery)) as HeadLine);
    await forgery.write(team.place.path, await signerOf(tokens.lister));
  };

  const requests = (): number =>
    Forgery.read(team.place.path).head.filter(({ kind }) => (kind as string) === 'request').length;

  const owner = (forgery: Forgery): string => forgery.one('root').by;

  const planted: Readonly<Record<string, (forgery: Forgery) => Promise<object>>> = {
    'that are none': async () => Promise.resolve({ kind: 'request', id: 'nonsense' }),
    'signed by nobody': async (forgery) => {
      const line = requestBy(forgery, owner(forgery));
      return forgery.signWith(line, await importSigningKey(systemRandom(32)));
    },
    'by nobody that is there': async (forgery) => {
      const line = requestBy(forgery, encodeBase64url(systemRandom(8)));
      return forgery.signWith(line, await importSigningKey(systemRandom(32)));
    },
    'by somebody who is only invited': async (forgery) => {
      const invited = forgery.one('header').principals.find(({ name }) => name === 'ada');
      const line = requestBy(forgery, invited?.id ?? '');
      return forgery.signWith(line, await importSigningKey(systemRandom(32)));
    },
  };

  test.each(Object.entries(planted))('%s go with the next header, with a word', async (_, make) => {
    await asOwner(team, async (vault) => {
      const { entrance } = await newInvitation(systemRandom, vault.authority);
      await addBy(vault, 'ada', staging, entrance);
    });
    await plant(make);
    await asOwner(team, async (vault) => {
      await put(vault, 'db', 'two');
      expect(told).toEqual([]);
      await policyWrite(vault);
      expect(told).toEqual([expect.stringContaining('1 requests that nobody had signed are gone')]);
      expect(records(team.place).at(-1)?.detail).toContain('requests that nobody had signed');
      expect(requests()).toBe(0);
      await verified(vault);
      await remove(vault, 'lister');
      await verified(vault);
    });
  });

  test('that somebody signed stay', async () => {
    const signer = await signerOf(tokens.ci);
    await plant(async (forgery) => forgery.sign(requestBy(forgery, signer.principal), signer));
    await asOwner(team, async (vault) => {
      await policyWrite(vault);
      expect(told).toEqual([]);
      expect(requests()).toBe(1);
      await verified(vault);
    });
  });
});

describe('a slot with the id of another one’s token', () => {
  async function shadow(): Promise<void> {
    const id = parseToken(tokens.ci)?.slot ?? '';
    await as(team.place, tokens.lister, async ({ identity }) => {
      const forgery = Forgery.read(team.place.path);
      const credential = { type: 'token', slot: id, secret: systemRandom(32) } as const;
      const wanted = { principal: identity.principal, credential, kdf: null, engine: 'native' } as const;
      const made = await makeSlot(forgery.domain, systemRandom, wanted, identity.bundleKey);
      const old = forgery.one('slot', identity.principal);
      const bundle = forgery.one('bundle', identity.principal);
      const slots = sortSlots([{ raw: utf8(JSON.stringify(old)), value: old }, made.line]);
      const n = { n: bundle.n + 1, time: forgery.snapshot.time };
      const next = await makeBundle(forgery.domain, systemRandom, identity, slots, n);
      forgery.head.splice(forgery.head.indexOf(old), 1, ...slots.map(({ value }) => structuredClone(value)));
      forgery.head[forgery.head.indexOf(bundle)] = structuredClone(next.value);
      const signer = { principal: identity.principal, signing: identity.signing };
      await forgery.write(team.place.path, signer);
    });
  }

  test.each(['before', 'after'] as const)('does not keep the token out, of who stands %s', async (where) => {
    if (where === 'after') {
      const later = { can: 'list', env: 'staging' };
      tokens.lister = await asOwner(team, async (owner) => add(owner, 'later', later));
    }
    await shadow();
    await as(team.place, tokens.ci, async (vault) => {
      expect(await getIn(vault, 'staging', 'db')).toBe('one');
    });
    await as(team.place, tokens.lister, async (vault) => {
      expect((await failureOf(getIn(vault, 'staging', 'db'))).exitCode).toBe(5);
    });
  });

  test('is found by verify, which names both, and goes with who made it', async () => {
    await shadow();
    await asOwner(team, async (vault) => {
      const error = await failureOf(verified(vault));
      expect(error.exitCode).toBe(7);
      expect(error.message).toMatch(/(lister and ci|ci and lister) have a slot of one id/);
      await put(vault, 'db', 'two');
      await remove(vault, 'lister');
      expect(await verified(vault)).toBe(2);
    });
    await as(team.place, tokens.ci, async (vault) => expect(await getIn(vault, 'staging', 'db')).toBe('two'));
  });

  test('does not make a wrong token a right one', async () => {
    await shadow();
    const wrong = parseToken(tokens.ci);
    if (wrong === null) throw new Error('not a token');
    const opening = Vault.open(team.place, {
      principal: null,
      credentials: async (attempt) =>
        Promise.resolve(attempt > 1 ? null : { type: 'token', slot: wrong.slot, secret: systemRandom(32) }),
    });
    expect((await failureOf(opening)).exitCode).toBe(4);
  });
});

test('a slot for somebody who is awaited stops nobody, and goes with the next header', async () => {
  const entrance = await request(otherMachine(team), 'ada', 'hers alone');
  await asOwner(team, async (vault) => addBy(vault, 'ada', staging, entrance));
  const forgery = Forgery.read(team.place.path);
  const slot = { ...forgery.one('slot'), principal: entrance.id, id: encodeBase64url(systemRandom(8)) };
  forgery.insert(slot, 'slot');
  await forgery.write(team.place.path, await signerOf(tokens.lister));
  await asOwner(team, async (vault) => {
    await put(vault, 'db', 'two');
    await policyWrite(vault);
    expect(await verified(vault)).toBe(2);
  });
});
