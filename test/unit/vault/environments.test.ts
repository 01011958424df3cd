/** Environments that come and go, and compartments: keys of their own, given by their own name. */
import { copyFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  addEnvironment,
  listEnvironments,
  rekeyEnvironments,
  removeEnvironment,
  type EnvironmentInfo,
} from '../../../src/vault/operations/environments.ts';
import { listAccess } from '../../../src/vault/operations/access-list.ts';
import { setPolicy, showPolicy } from '../../../src/vault/operations/policy.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { keysFrom, openedBy, tokenCredential } from '../../support/reach.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, grant, otherMachine, revoke, teamVault } from '../../support/team.ts';

let team: SampleVault;
let reader: string;

beforeEach(async () => {
  team = await teamVault(['staging', 'production']);
  reader = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'of production', { environment: 'production' });
    return add(owner, 'reader', { can: 'read', env: 'production' });
  });
});

const addOne = async (vault: Vault, name: string): Promise<unknown> =>
  vault.write('env-add', async (scope) => addEnvironment(scope, name));

const removeOne = async (vault: Vault, name: string): Promise<void> =>
  vault.write('env-rm', async (scope) => {
    await Promise.resolve();
    removeEnvironment(scope, name);
  });

const list = async (vault: Vault): Promise<EnvironmentInfo[]> =>
  vault.read('env-ls', async (scope) => listEnvironments(scope));

const levels = async (vault: Vault): Promise<Record<string, string | null>> =>
  Object.fromEntries((await list(vault)).map(({ name, level }) => [name, level]));

const verify = async (vault: Vault): Promise<unknown> =>
  vault.read('verify', async (scope) => verifyVault(scope, vault.place));

describe('a new environment', () => {
  test('is for administrators until it is granted', async () => {
    await asOwner(team, async (owner) => {
      await addOne(owner, 'testing');
      expect(await levels(owner)).toEqual({ staging: 'read', production: 'read', testing: 'read' });
      await put(owner, 'db', 'of testing', { environment: 'testing' });
    });
    await as(team.place, reader, async (vault) => {
      expect(await levels(vault)).toEqual({ staging: null, production: 'read', testing: null });
      expect((await failureOf(getIn(vault, 'testing', 'db'))).exitCode).toBe(5);
    });
    await asOwner(team, async (owner) => grant(owner, 'reader', { can: 'read', env: 'testing' }));
    await as(team.place, reader, async (vault) =>
      expect(await getIn(vault, 'testing', 'db')).toBe('of testing'),
    );
    await asOwner(team, verify);
  });

  test('is listed with its secrets, its keys’ age and which one is meant', async () => {
    const started = new Date().toISOString();
    await asOwner(team, async (owner) => {
      await addOne(owner, 'testing');
      expect(await list(owner)).toMatchObject([
        { name: 'staging', default: true, secrets: 0, epoch: 1 },
        { name: 'production', default: false, secrets: 1, epoch: 1 },
        { name: 'testing', default: false, secrets: 0, epoch: 1 },
      ]);
      const [, , testing] = await list(owner);
      expect((testing?.keysSince ?? '') >= started).toBe(true);
    });
  });

  test.each([
    ['production', 8],
    ['', 2],
    ['a\nb', 2],
    ['/a', 2],
    ['production/', 2],
    ['production//x', 2],
    ['nowhere/x', 2],
    ['x'.repeat(129), 2],
  ])('cannot be called %j', async (name, exit) => {
    await asOwner(team, async (owner) => {
      expect((await failureOf(addOne(owner, name))).exitCode).toBe(exit);
    });
  });

  test.each(['made', 'removed', 're-keyed'])('is not %s by who is no administrator', async (what) => {
    const writer = await asOwner(team, async (owner) =>
      add(owner, 'writer', { can: 'read,write,delete', env: 'staging,production' }),
    );
    await as(team.place, writer, async (vault) => {
      const work = {
        made: async () => addOne(vault, 'testing'),
        removed: async () => removeOne(vault, 'staging'),
        're-keyed': async () =>
          vault.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, ['staging']))),
      }[what];
      expect((await failureOf(work?.() ?? Promise.resolve())).exitCode).toBe(5);
    });
  });
});

describe('a compartment', () => {
  const compartment = 'production/payments';

  async function withCompartment(): Promise<void> {
    await asOwner(team, async (owner) => {
      await addOne(owner, compartment);
      await put(owner, 'card', 'number', { environment: compartment });
    });
  }

  test('cannot be read with the environment that it is in, granted before or after', async () => {
    await withCompartment();
    const later = await asOwner(team, async (owner) =>
      add(owner, 'later', { can: 'read,write', env: 'production' }),
    );
    for (const token of [reader, later])
      await as(team.place, token, async (vault) => {
        expect((await failureOf(getIn(vault, compartment, 'card'))).exitCode).toBe(5);
        expect(await levels(vault)).toMatchObject({ production: 'read', [compartment]: null });
      });
  });

  test('is granted by its name or a pattern, and its environment is not granted with it', async () => {
    await withCompartment();
    const tokens = await asOwner(team, async (owner) => [
      await add(owner, 'by-name', { can: 'read', env: compartment }),
      await add(owner, 'by-pattern', { can: 'read', env: 'production/*' }),
    ]);
    for (const token of tokens)
      await as(team.place, token, async (vault) => {
        expect(await levels(vault)).toEqual({ staging: null, production: null, [compartment]: 'read' });
        expect(await getIn(vault, compartment, 'card')).toBe('number');
        expect((await failureOf(getIn(vault, 'production', 'db'))).exitCode).toBe(5);
      });
  });

  test('stays as it is when rights or keys of its environment go', async () => {
    await withCompartment();
    await asOwner(team, async (owner) => {
      await grant(owner, 'reader', { can: 'read', env: compartment });
      expect((await revoke(owner, 'reader', { can: '', env: 'production' })).rekeyed).toEqual(['production']);
      await owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, ['production'])));
      const epochs = (await list(owner)).map(({ name, epoch }) => [name, epoch]);
      expect(epochs).toEqual([
        ['staging', 1],
        ['production', 3],
        [compartment, 1],
      ]);
    });
    await as(team.place, reader, async (vault) =>
      expect(await getIn(vault, compartment, 'card')).toBe('number'),
    );
  });

  test('goes before its environment does', async () => {
    await withCompartment();
    await asOwner(team, async (owner) => {
      const error = await failureOf(removeOne(owner, 'production'));
      expect([error.exitCode, error.message]).toEqual([5, expect.stringContaining(compartment)]);
      await removeOne(owner, compartment);
      await removeOne(owner, 'production');
      expect(Object.keys(await levels(owner))).toEqual(['staging']);
      await verify(owner);
    });
  });
});

describe('an environment that is removed', () => {
  test('takes its rights, grants and lines with it; who had nothing else is still there', async () => {
    await asOwner(team, async (owner) => removeOne(owner, 'production'));
    const forgery = Forgery.read(team.place.path);
    expect(forgery.all('names')).toHaveLength(1);
    expect(forgery.all('grant').map(({ environment }) => environment)).toEqual([
      forgery.environment('staging'),
    ]);
    await asOwner(team, async (owner) => {
      const listed = await owner.read('access-ls', async (scope) => Promise.resolve(listAccess(scope)));
      expect(listed.find(({ name }) => name === 'reader')?.environments).toEqual({});
      await verify(owner);
      await grant(owner, 'reader', { can: 'read', env: 'staging' });
      await put(owner, 'db', 'of staging');
    });
    await as(team.place, reader, async (vault) =>
      expect(await getIn(vault, 'staging', 'db')).toBe('of staging'),
    );
  });

  test('comes back under its name with other keys', async () => {
    const old = `${team.place.path}.old`;
    copyFileSync(team.place.path, old);
    const keys = await keysFrom(old, tokenCredential(reader), 'reader');
    await asOwner(team, async (owner) => {
      await removeOne(owner, 'production');
      await addOne(owner, 'production');
      await put(owner, 'db', 'anew', { environment: 'production' });
    });
    expect(await openedBy(team.place.path, keys)).toEqual(['bundle reader', 'slot reader token']);
  });

  test('is the default no more', async () => {
    await asOwner(team, async (owner) => {
      await owner.write('policy-set', async (scope) =>
        Promise.resolve(setPolicy(scope, 'environment.default', 'production')),
      );
      await removeOne(owner, 'production');
      const rules = await owner.read('policy-show', async (scope) =>
        Promise.resolve(showPolicy(scope, 'environment.default')),
      );
      expect(rules).toMatchObject([{ value: 'staging', default: true }]);
    });
  });

  test('is not the last one', async () => {
    await asOwner(team, async (owner) => {
      await removeOne(owner, 'production');
      expect((await failureOf(removeOne(owner, 'staging'))).exitCode).toBe(5);
      expect((await failureOf(removeOne(owner, 'nowhere'))).exitCode).toBe(2);
    });
  });

  test('is missed by no machine that remembers it; put back, by every one', async () => {
    const place = otherMachine(team);
    const other = { ...team, place };
    const ci = await asOwner(team, async (owner) => add(owner, 'ci', { can: 'read,write', env: 'staging' }));
    await asOwner(other, async (owner) => getIn(owner, 'production', 'db'));
    const before = `${place.path}.before`;
    copyFileSync(place.path, before);
    await asOwner(team, async (owner) => removeOne(owner, 'production'));
    // A token whose writes say which environments it saw.
    await as(place, ci, async (vault) => put(vault, 'a', 'b', { environment: 'staging' }));
    await asOwner(other, async (owner) => {
      await verify(owner);
      await put(owner, 'x', 'y');
    });
    copyFileSync(before, place.path);
    for (const one of [team, other])
      expect(await failureOf(asOwner(one, verify))).toMatchObject({ exitCode: 7, code: 'ROLLBACK' });
  });
});
