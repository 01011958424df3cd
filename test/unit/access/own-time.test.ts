/** Nobody signs after their own time is over: not who joins too late, not who waits too long for the lock. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Place } from '../../../src/vault/place.ts';
import { failureOf } from '../../support/failure.ts';
import { get, put, type SampleVault } from '../../support/sample-vault.ts';
import { accept, invite, passphrase } from '../../support/newcomer.ts';
import {
  add,
  addBy,
  asOwner,
  finish,
  getIn,
  grant,
  openToken,
  otherMachine,
  request,
  teamVault,
  verifiedByOwner,
} from '../../support/team.ts';

const minute = 60_000;
const staging = { can: 'read,write', env: 'staging' };

let team: SampleVault;
let ahead: number;
const now = (): Date => new Date(Date.now() + ahead);
const soon = (): Date => new Date(Date.now() + ahead + minute);

beforeEach(async () => {
  ahead = 0;
  team = await teamVault(['staging'], { now });
  await asOwner(team, async (owner) => put(owner, 'db', 'one'));
});

/** Vault and log, byte for byte. */
const both = (): Buffer[] => [team.place.path, team.place.audit.path].map((path) => readFileSync(path));

/** A machine where the lock is to be had when the time is over. */
const late = (place: Place): Place => ({
  ...place,
  acquireLock: async (...given) => {
    ahead += 2 * minute;
    return place.acquireLock(...given);
  },
});

async function expectExpired(work: () => Promise<unknown>): Promise<void> {
  const before = both();
  const error = await failureOf(work());
  expect(error).toMatchObject({ exitCode: 5, message: expect.stringContaining('expired') as string });
  expect(both()).toEqual(before);
  await verifiedByOwner(team);
}

async function requested(): Promise<Place> {
  const hers = otherMachine(team);
  const entrance = await request(hers, 'ada', passphrase);
  await asOwner(team, async (owner) => addBy(owner, 'ada', staging, entrance, soon()));
  return hers;
}

describe('a join by request', () => {
  test('after the access has expired is refused, and writes nothing', async () => {
    const hers = await requested();
    ahead = 2 * minute;
    await expectExpired(async () => finish(hers, passphrase));
  });

  test('that waits until the access has expired is refused, and writes nothing', async () => {
    const hers = await requested();
    await expectExpired(async () => finish(late(hers), passphrase));
  });

  test('works when the expiry is moved', async () => {
    const hers = await requested();
    ahead = 2 * minute;
    await failureOf(finish(hers, passphrase));
    await asOwner(team, async (owner) => grant(owner, 'ada', { can: '' }, soon()));
    expect(await finish(hers, passphrase)).toBe('ada');
    await verifiedByOwner(team);
  });
});

describe('a join by invitation', () => {
  test('that waits until the access has expired is refused, and writes nothing', async () => {
    const text = await asOwner(team, async (owner) => invite(owner, 'ada', staging, soon()));
    await expectExpired(async () =>
      accept(otherMachine(team), text, async () => {
        ahead = 2 * minute;
        return Promise.resolve();
      }),
    );
  });
});

describe('a write', () => {
  test('that waits until the access has expired is refused, and writes nothing', async () => {
    const token = await asOwner(team, async (owner) => add(owner, 'ci', staging, soon()));
    const ci = await openToken(late(team.place), token);
    await expectExpired(async () => put(ci, 'db', 'two', { environment: 'staging' }));
    ci.close();
    expect(await asOwner(team, async (owner) => get(owner, 'db'))).toBe('one');
  });

  test('that gets through before is there', async () => {
    const token = await asOwner(team, async (owner) => add(owner, 'ci', staging, soon()));
    const ci = await openToken(team.place, token);
    await put(ci, 'db', 'two', { environment: 'staging' });
    ci.close();
    ahead = 2 * minute;
    expect(await asOwner(team, async (owner) => getIn(owner, 'staging', 'db'))).toBe('two');
    expect(await verifiedByOwner(team)).toBe(2);
  });
});
