/** More rights, fewer rights, and until when. */
import { beforeEach, describe, expect, test } from 'vitest';
import { environmentLevels } from '../../../src/access/rights.ts';
import { listAccess } from '../../../src/vault/operations/access-list.ts';
import { removeSecret } from '../../../src/vault/operations/move.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, grant, openToken, remove, revoke, teamVault } from '../../support/team.ts';

const minute = 60_000;
let team: SampleVault;
/** Milliseconds by which the machine’s clock is ahead. */
let ahead: number;

beforeEach(async () => {
  ahead = 0;
  team = await teamVault(['staging', 'production'], { now: () => new Date(Date.now() + ahead) });
  await asOwner(team, async (owner) => {
    await put(owner, 'db', 'of staging');
    await put(owner, 'db', 'of production', { environment: 'production' });
  });
});

const soon = (): Date => new Date(Date.now() + ahead + minute);
const entryOf = async (name: string) =>
  asOwner(team, async (owner) =>
    owner.read('access-ls', async (scope) =>
      Promise.resolve(listAccess(scope).find((one) => one.name === name)),
    ),
  );
const verify = async (): Promise<unknown> =>
  asOwner(team, async (owner) => owner.read('verify', async (scope) => verifyVault(scope, owner.place)));

describe('rights', () => {
  test.each(environmentLevels)('%s brings list with it', async (level) => {
    const token = await asOwner(team, async (owner) => add(owner, 'ci', { can: level, env: 'staging' }));
    const own = (await entryOf('ci'))?.environments['staging'] ?? [];
    expect([...own].sort()).toEqual([...new Set(['list', level])].sort());
    await as(team.place, token, async (vault) => {
      const names = await vault.read('ls', async (scope) => (await scope.reader('staging')).entries());
      expect(names.map(({ name }) => name)).toEqual(['db']);
    });
    await verify();
  });

  test('to list become rights to read: the keys stay, the grant is another', async () => {
    const token = await asOwner(team, async (owner) => add(owner, 'ci', { can: 'list', env: 'staging' }));
    await as(team.place, token, async (vault) =>
      expect((await failureOf(getIn(vault, 'staging', 'db'))).exitCode).toBe(5),
    );
    await asOwner(team, async (owner) =>
      expect(await grant(owner, 'ci', { can: 'read', env: 'staging' })).toMatchObject({ rekeyed: [] }),
    );
    await as(team.place, token, async (vault) => {
      expect(await getIn(vault, 'staging', 'db')).toBe('of staging');
      expect((await failureOf(getIn(vault, 'production', 'db'))).exitCode).toBe(5);
    });
    await verify();
  });

  test('to read become rights to list again: what was read was read, what comes later is not', async () => {
    const token = await asOwner(team, async (owner) =>
      add(owner, 'ci', { can: 'read,write', env: 'staging' }),
    );
    await as(team.place, token, async (vault) => put(vault, 'db', 'by ci', { environment: 'staging' }));
    await asOwner(team, async (owner) => {
      expect(await revoke(owner, 'ci', { can: 'read', env: 'staging' })).toMatchObject({
        rekeyed: ['staging'],
        environments: { staging: ['list', 'write'] },
      });
      await put(owner, 'db', 'later', { environment: 'staging' });
    });
    await as(team.place, token, async (vault) => {
      expect((await failureOf(getIn(vault, 'staging', 'db'))).exitCode).toBe(5);
      // What it writes without reading is sealed to the environment’s public key.
      await put(vault, 'db', 'blind', { environment: 'staging' });
    });
    await asOwner(team, async (owner) => expect(await getIn(owner, 'staging', 'db')).toBe('blind'));
    await verify();
  });

  test('go one by one, or all at once', async () => {
    const token = await asOwner(team, async (owner) =>
      add(owner, 'ci', { can: 'read,write,delete', env: 'staging,production' }),
    );
    await asOwner(team, async (owner) => {
      expect((await revoke(owner, 'ci', { can: 'write', env: 'staging' })).environments).toEqual({
        staging: ['list', 'read', 'delete'],
        production: ['list', 'read', 'write', 'delete'],
      });
      expect((await failureOf(revoke(owner, 'ci', { can: 'write', env: 'staging' }))).exitCode).toBe(2);
      expect((await revoke(owner, 'ci', { can: '' })).environments).toEqual({});
    });
    await as(team.place, token, async (vault) => {
      for (const environment of ['staging', 'production'])
        expect((await failureOf(put(vault, 'db', 'x', { environment }))).exitCode).toBe(5);
    });
    await verify();
  });

  test.each([
    [{ can: 'admin', env: 'staging' }],
    [{ can: 'read' }],
    [{ can: '', env: 'staging' }],
    [{ can: 'read', env: 'nowhere' }],
  ])('are asked for in full: %o is a mistake', async (may) => {
    await asOwner(team, async (owner) => {
      expect((await failureOf(add(owner, 'ci', may))).exitCode).toBe(2);
    });
  });

  test('are given to somebody who is there, and a name is taken once', async () => {
    await asOwner(team, async (owner) => {
      await add(owner, 'ci', { can: 'read', env: 'staging' });
      for (const work of [
        async () => add(owner, 'ci', { can: 'read', env: 'staging' }),
        async () => add(owner, 'owner', { can: 'read', env: 'staging' }),
        async () => add(owner, 'a\u202eb', { can: 'read', env: 'staging' }),
        async () => grant(owner, 'nobody', { can: 'read', env: 'staging' }),
        async () => remove(owner, 'nobody'),
      ])
        expect((await failureOf(work())).exitCode).toBe(2);
    });
  });
});

describe('an expiry', () => {
  test('in the past is refused, at the moment too', async () => {
    await asOwner(team, async (owner) => {
      for (const expires of [new Date(0), new Date(Date.now() - 1)])
        expect((await failureOf(add(owner, 'ci', { can: 'read', env: 'staging' }, expires))).exitCode).toBe(
          2,
        );
      await add(owner, 'ci', { can: 'read', env: 'staging' });
      expect((await failureOf(grant(owner, 'ci', { can: '' }, new Date(0)))).exitCode).toBe(2);
    });
  });

  test('ends the access of a token, which comes back when it is moved or taken away', async () => {
    const token = await asOwner(team, async (owner) =>
      add(owner, 'ci', { can: 'read,write', env: 'staging' }, soon()),
    );
    const use = async (): Promise<string> =>
      as(team.place, token, async (vault) => getIn(vault, 'staging', 'db'));
    expect(await use()).toBe('of staging');
    ahead = 2 * minute;
    expect(await failureOf(use())).toMatchObject({
      exitCode: 5,
      message: expect.stringContaining('expired') as string,
    });
    expect(await entryOf('ci')).toMatchObject({ state: 'expired' });
    await asOwner(team, async (owner) => grant(owner, 'ci', { can: '' }, soon()));
    expect(await use()).toBe('of staging');
    ahead = 4 * minute;
    expect((await failureOf(use())).exitCode).toBe(5);
    await asOwner(team, async (owner) => grant(owner, 'ci', { can: '' }, null));
    ahead = 400 * 24 * 60 * minute;
    expect(await use()).toBe('of staging');
    expect(await entryOf('ci')).toMatchObject({ state: 'active', expires: null });
  });

  test('ends a process that is at work', async () => {
    const token = await asOwner(team, async (owner) =>
      add(owner, 'ci', { can: 'read,write', env: 'staging' }, soon()),
    );
    const vault: Vault = await openToken(team.place, token);
    ahead = 2 * minute;
    await asOwner(team, async (owner) => put(owner, 'db', 'later'));
    expect((await failureOf(put(vault, 'db', 'x', { environment: 'staging' }))).exitCode).toBe(5);
    vault.close();
  });

  test('counts by the file’s time where that is later than the clock', async () => {
    const token = await asOwner(team, async (owner) =>
      add(owner, 'ci', { can: 'read', env: 'staging' }, soon()),
    );
    ahead = 2 * minute;
    await asOwner(team, async (owner) => put(owner, 'db', 'later'));
    ahead = 0;
    expect((await failureOf(openToken(team.place, token))).exitCode).toBe(5);
  });

  test('leaves what was written before it as it is', async () => {
    const token = await asOwner(team, async (owner) =>
      add(owner, 'ci', { can: 'read,write,delete', env: 'staging' }, soon()),
    );
    await as(team.place, token, async (vault) => {
      await put(vault, 'db', 'by ci', { environment: 'staging' });
      await put(vault, 'gone', 'x', { environment: 'staging' });
      await vault.write('rm', async (scope) => removeSecret(scope, 'staging', 'gone'));
    });
    ahead = 2 * minute;
    await asOwner(team, async (owner) => {
      expect(await getIn(owner, 'staging', 'db')).toBe('by ci');
      await put(owner, 'db', 'later');
      await remove(owner, 'ci');
    });
    await verify();
  });
});
