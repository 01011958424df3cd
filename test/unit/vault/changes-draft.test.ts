/**
 * Principals without the right to write: who may only rotate adds versions, who may only delete removes and purges, through a part of
 * their own that the next writer folds in. docs/format.md section 3, "changes".
 */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { queryAudit } from '../../../src/vault/operations/audit.ts';
import { rollbackSecret, showSecret } from '../../../src/vault/operations/history.ts';
import { listNames } from '../../../src/vault/operations/list.ts';
import {
  copySecret,
  purgeSecret,
  removeSecret,
  renameSecret,
  restoreSecret,
} from '../../../src/vault/operations/move.ts';
import { putSecret, type PutOptions } from '../../../src/vault/operations/put.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { get, put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, teamVault, verified } from '../../support/team.ts';

let team: SampleVault;
let tokens: Record<'rotator' | 'second' | 'deleter' | 'both' | 'writer' | 'reader', string>;

beforeEach(async () => {
  team = await teamVault(['production', 'staging']);
  tokens = await asOwner(team, async (owner) => {
    const metadata = { description: 'the database', tags: new Map([['team', 'core']]) };
    await put(owner, 'db', 'one', { metadata });
    await put(owner, 'other', 'another');
    const env = 'production';
    return {
      rotator: await add(owner, 'rotator', { can: 'rotate', env }),
      second: await add(owner, 'second', { can: 'rotate', env }),
      deleter: await add(owner, 'deleter', { can: 'delete', env }),
      both: await add(owner, 'both', { can: 'rotate,delete', env }),
      writer: await add(owner, 'writer', { can: 'read,write', env }),
      reader: await add(owner, 'reader', { can: 'read', env }),
    };
  });
});

const by = async <T>(who: keyof typeof tokens, work: (vault: Vault) => Promise<T>): Promise<T> =>
  as(team.place, tokens[who], work);

const rotate = async (vault: Vault, value: string, more: Partial<PutOptions> = {}): Promise<number> => {
  const options = { environment: null, name: 'db', value: utf8(value), mustExist: true, ...more };
  const work = vault.write('rotate', async (scope) => putSecret(scope, { ...options, operation: 'rotate' }));
  return (await work).version;
};

const history = async (vault: Vault, name = 'db') =>
  vault.read('history', async (scope) => showSecret(scope, null, name));

const authors = async (vault: Vault): Promise<[number, string, string][]> =>
  (await history(vault)).versions.map(({ version, author, operation }) => [version, author, operation]);

const names = async (vault: Vault, removed = false): Promise<string[]> => {
  const none = { expiringBefore: null, expired: false, due: false, removed, type: null, pattern: null };
  const all = { environment: null, allEnvironments: false, tags: new Map<string, string>(), ...none };
  return (await vault.read('ls', async (scope) => listNames(scope, all))).map(({ name }) => name);
};

const changes = (): string[] =>
  Forgery.read(team.place.path)
    .all('changes')
    .map((line) => line.by);

const remove = async (vault: Vault, name = 'db'): Promise<unknown> =>
  vault.write('rm', async (scope) => removeSecret(scope, null, name));

const purge = async (vault: Vault, name = 'db'): Promise<unknown> =>
  vault.write('purge', async (scope) => purgeSecret(scope, null, name));

/** Everything that a principal without `write` is refused, whatever else it may. */
const forbidden: Readonly<Record<string, (vault: Vault) => Promise<unknown>>> = {
  'put a new secret': async (vault) => put(vault, 'new', 'x'),
  'rotate one that is not there': async (vault) => rotate(vault, 'x', { name: 'new', mustExist: false }),
  'put a new value': async (vault) => put(vault, 'db', 'x'),
  'import one': async (vault) => put(vault, 'db', 'x', { operation: 'import' }),
  'describe it': async (vault) => rotate(vault, 'x', { metadata: { description: 'mine', type: 'password' } }),
  'tag it': async (vault) => rotate(vault, 'x', { metadata: { tags: new Map([['team', 'mine']]) } }),
  'rename it': async (vault) => vault.write('mv', async (scope) => renameSecret(scope, null, 'db', 'mine')),
  'copy it': async (vault) =>
    vault.write('cp', async (scope) =>
      copySecret(scope, { environment: null, from: 'db', to: 'mine', toEnvironment: null }),
    ),
  'roll it back': async (vault) =>
    vault.write('rollback', async (scope) => rollbackSecret(scope, { environment: null, name: 'db', to: 1 })),
  'change another environment': async (vault) => put(vault, 'db', 'x', { environment: 'staging' }),
};
const rotations: typeof forbidden = { 'rotate it': async (vault) => rotate(vault, 'x') };
const removals: typeof forbidden = {
  'remove it': async (vault) => remove(vault),
  'purge it': async (vault) => purge(vault),
  'restore it': restore,
};

async function restore(vault: Vault): Promise<void> {
  await vault.write('restore', async (scope) => restoreSecret(scope, null, 'other'));
}

describe('who may only rotate', () => {
  test('adds a version that it cannot read, and readers read it', async () => {
    // Long enough not to come about by chance in the file's base64url, as three letters do one time in twenty.
    const value = 'the second value, in clear';
    expect(await by('rotator', async (vault) => rotate(vault, value))).toBe(2);
    expect(changes()).toHaveLength(1);
    expect((await failureOf(by('rotator', async (vault) => get(vault, 'db')))).exitCode).toBe(5);
    expect(await by('reader', async (vault) => [await get(vault, 'db'), await get(vault, 'db', 1)])).toEqual([
      value,
      'one',
    ]);
    expect(await by('reader', verified)).toBe(3);
    expect(readFileSync(team.place.path, 'utf8')).not.toContain(value);
  });

  test.each(Object.entries({ ...forbidden, ...removals }))(
    'cannot %s: 5, and nothing is changed',
    async (_, work) => {
      await asOwner(team, async (owner) => {
        await rotate(owner, 'two');
        await remove(owner, 'other');
      });
      const before = readFileSync(team.place.path);
      expect((await failureOf(by('rotator', work))).exitCode).toBe(5);
      expect(readFileSync(team.place.path)).toEqual(before);
    },
  );

  test('is folded in by the next writer: history, author, metadata and audit stay right', async () => {
    await by('rotator', async (vault) => rotate(vault, 'two'));
    await by('writer', async (vault) => put(vault, 'unrelated', 'x'));
    expect(changes()).toEqual([]);
    await asOwner(team, async (owner) => {
      expect(await authors(owner)).toEqual([
        [1, 'owner', 'put'],
        [2, 'rotator', 'rotate'],
      ]);
      const { info } = await history(owner);
      expect(info).toMatchObject({
        description: 'the database',
        tags: { team: 'core' },
        rotations: 1,
        version: 2,
      });
      expect(await get(owner, 'db')).toBe('two');
      expect(await verified(owner)).toBe(4);
      const query = { last: 9, operation: 'rotate', principal: null, environment: null, name: 'db' };
      const found = await owner.read('audit', async (scope) =>
        queryAudit(scope, owner.place, { ...query, since: null, until: null, failed: false }),
      );
      expect(found.entries).toMatchObject([
        {
          principal: 'rotator',
          success: true,
          secrets: [{ environment: 'production', name: 'db', version: 2 }],
        },
      ]);
    });
  });

  test('twice, and another one after it: all versions stay, each in its author’s name', async () => {
    await by('rotator', async (vault) => rotate(vault, 'two'));
    await by('rotator', async (vault) => rotate(vault, 'three'));
    expect(await by('second', async (vault) => rotate(vault, 'four', { ifVersion: 3 }))).toBe(4);
    expect(await by('rotator', async (vault) => rotate(vault, 'five'))).toBe(5);
    expect(new Set(changes()).size).toBe(2);
    const wanted = ['owner', 'rotator', 'rotator', 'second', 'rotator'];
    expect((await by('reader', authors)).map(([, author]) => author)).toEqual(wanted);
    expect(await by('reader', async (vault) => [await get(vault, 'db'), await get(vault, 'db', 4)])).toEqual([
      'five',
      'four',
    ]);
    expect(await by('reader', verified)).toBe(6);
    expect(await by('writer', async (vault) => (await put(vault, 'db', 'six')).version)).toBe(6);
    expect((await by('reader', authors)).map(([, author]) => author)).toEqual([...wanted, 'writer']);
    expect(changes()).toEqual([]);
    expect(await by('second', async (vault) => rotate(vault, 'seven'))).toBe(7);
    expect(await by('reader', verified)).toBe(8);
  });

  test('keeps to the version that it expects', async () => {
    await by('rotator', async (vault) => rotate(vault, 'two'));
    expect(
      (await failureOf(by('second', async (vault) => rotate(vault, 'x', { ifVersion: 1 })))).exitCode,
    ).toBe(8);
  });
});

describe('who may only delete', () => {
  test.each(Object.entries({ ...forbidden, ...rotations, 'restore it': restore }))(
    'cannot %s: 5',
    async (_, work) => {
      await asOwner(team, async (owner) => {
        await rotate(owner, 'two');
        await remove(owner, 'other');
      });
      const before = readFileSync(team.place.path);
      expect((await failureOf(by('deleter', work))).exitCode).toBe(5);
      expect(readFileSync(team.place.path)).toEqual(before);
    },
  );

  test('removes: gone for readers, versions kept; folded later, and restored by a writer', async () => {
    await by('deleter', remove);
    expect(changes()).toHaveLength(1);
    expect((await failureOf(by('reader', async (vault) => get(vault, 'db')))).exitCode).toBe(3);
    expect(await by('reader', async (vault) => [await names(vault), await names(vault, true)])).toEqual([
      ['other'],
      ['db'],
    ]);
    expect(await by('reader', verified)).toBe(2);
    await by('writer', async (vault) => put(vault, 'unrelated', 'x'));
    expect(changes()).toEqual([]);
    expect(await by('reader', async (vault) => names(vault, true))).toEqual(['db']);
    await by('writer', async (vault) =>
      vault.write('restore', async (scope) => restoreSecret(scope, null, 'db')),
    );
    expect(await by('reader', async (vault) => get(vault, 'db'))).toBe('one');
    expect(await by('reader', authors)).toEqual([[1, 'owner', 'put']]);
  });

  test('is undone by a writer at once, while it is not folded in yet', async () => {
    await by('deleter', remove);
    await by('writer', async (vault) =>
      vault.write('restore', async (scope) => restoreSecret(scope, null, 'db')),
    );
    expect(await by('reader', async (vault) => get(vault, 'db'))).toBe('one');
    await by('deleter', remove);
    expect(await by('writer', async (vault) => put(vault, 'db', 'two'))).toMatchObject({
      version: 2,
      revived: true,
    });
  });

  test('purges: gone at once, the bytes with the next writer, and the name is free', async () => {
    await asOwner(team, async (owner) => rotate(owner, 'two'));
    const { shards } = Forgery.read(team.place.path);
    const value = [...shards.values()]
      .flat()
      .join('')
      .split('\n')
      .find((line) => line.includes('"version":2'));
    expect(value).toBeDefined();
    await by('deleter', purge);
    expect((await failureOf(by('reader', async (vault) => get(vault, 'db')))).exitCode).toBe(3);
    expect(await by('reader', async (vault) => [await names(vault), await names(vault, true)])).toEqual([
      ['other'],
      [],
    ]);
    expect(await by('reader', verified)).toBe(1);
    expect(readFileSync(team.place.path, 'utf8')).toContain(value);
    await by('writer', async (vault) => put(vault, 'unrelated', 'x'));
    expect(readFileSync(team.place.path, 'utf8')).not.toContain(value);
    expect(await by('writer', async (vault) => put(vault, 'db', 'anew'))).toMatchObject({
      version: 1,
      created: true,
    });
    expect(await by('reader', verified)).toBe(3);
  });

  test('purges what others added in changes of their own', async () => {
    await by('rotator', async (vault) => rotate(vault, 'two'));
    await by('deleter', purge);
    expect((await failureOf(by('reader', async (vault) => get(vault, 'db')))).exitCode).toBe(3);
    expect((await failureOf(by('second', async (vault) => rotate(vault, 'x')))).exitCode).toBe(3);
    await by('writer', async (vault) => put(vault, 'unrelated', 'x'));
    expect(await by('reader', verified)).toBe(2);
  });
});

test('who may write and not delete removes and purges nothing', async () => {
  for (const work of [async (vault: Vault) => remove(vault), async (vault: Vault) => purge(vault)])
    expect((await failureOf(by('writer', work))).exitCode).toBe(5);
  expect(await by('reader', names)).toEqual(['db', 'other']);
});

test('who may rotate and delete keeps as many versions as the policy says', async () => {
  await asOwner(team, async (owner) =>
    owner.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, 'retention.versions', '2'))),
  );
  for (const value of ['two', 'three', 'four']) await by('both', async (vault) => rotate(vault, value));
  const kept = async (): Promise<number[]> =>
    (await by('reader', history)).versions.map(({ version }) => version);
  expect(await kept()).toEqual([3, 4]);
  await by('writer', async (vault) => put(vault, 'unrelated', 'x'));
  expect(await kept()).toEqual([3, 4]);
  expect(await by('reader', verified)).toBe(4);
  await by('writer', async (vault) => put(vault, 'db', 'five'));
  expect(await kept()).toEqual([4, 5]);
});
