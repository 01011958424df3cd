/** New keys for an environment: everything in it is the same before and after, but the keys. */
import { beforeEach, describe, expect, test } from 'vitest';
import { queryAudit, type AuditEntry } from '../../../src/vault/operations/audit.ts';
import { parseUtf8 } from '../../../src/crypto/bytes.ts';
import {
  addEnvironment,
  listEnvironments,
  rekeyEnvironments,
} from '../../../src/vault/operations/environments.ts';
import { showSecret } from '../../../src/vault/operations/history.ts';
import {
  purgeSecret,
  removeSecret,
  renameSecret,
  restoreSecret,
} from '../../../src/vault/operations/move.ts';
import { currentVersion } from '../../../src/vault/secret-history.ts';
import { getSecret } from '../../../src/vault/operations/get.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery } from '../../support/forgery.ts';
import { keysFrom, openedBy, recoveryCredential } from '../../support/reach.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, otherMachine, remove, teamVault } from '../../support/team.ts';

let team: SampleVault;
let tokens: Record<'writer' | 'rotator' | 'deleter' | 'lister', string>;

const rekey = async (vault: Vault, ...names: readonly string[]): Promise<string[]> =>
  vault.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, names)));

/** An environment with some of everything: types, tags, notes, versions by several people, removed and purged secrets, changes. */
beforeEach(async () => {
  team = await teamVault(['staging', 'production']);
  tokens = await asOwner(team, async (owner) => {
    await owner.write('policy-set', async (scope) =>
      Promise.resolve(setPolicy(scope, 'retention.versions', '3')),
    );
    const metadata = {
      type: 'password',
      description: 'the database',
      tags: new Map([
        ['team', 'core'],
        ['__proto__', 'x'],
      ]),
      variable: 'DB',
      expires: new Date('2100-01-01T00:00:00.000Z'),
      intervalSeconds: 3_600,
    } as const;
    await put(owner, 'db', 'one', { metadata });
    for (const text of ['two', 'three', 'four', '']) await put(owner, 'db', text, { operation: 'rotate' });
    await put(owner, 'large', 'x'.repeat(100_000));
    await put(owner, 'ключ 🔑', 'юникод');
    for (const name of ['removed', 'purged', 'purged by deleter', 'removed by deleter', 'old name'])
      await put(owner, name, name);
    await owner.write('mv', async (scope) => renameSecret(scope, null, 'old name', 'new name'));
    await owner.write('rm', async (scope) => removeSecret(scope, null, 'removed'));
    await owner.write('purge', async (scope) => purgeSecret(scope, null, 'purged'));
    await put(owner, 'p', 'of production', { environment: 'production' });
    const env = 'staging';
    return {
      writer: await add(owner, 'writer', { can: 'read,write', env }),
      rotator: await add(owner, 'rotator', { can: 'rotate', env }),
      deleter: await add(owner, 'deleter', { can: 'delete', env }),
      lister: await add(owner, 'lister', { can: 'list', env }),
    };
  });
  const staging = { environment: 'staging' };
  await as(team.place, tokens.writer, async (vault) => put(vault, 'db', 'by writer', staging));
  // These two stay in changes lines.
  await as(team.place, tokens.rotator, async (vault) => {
    await put(vault, 'db', 'by rotator', { ...staging, operation: 'rotate' });
    await put(vault, 'large', 'blind', { ...staging, operation: 'rotate' });
  });
  await as(team.place, tokens.deleter, async (vault) => {
    await vault.write('rm', async (scope) => removeSecret(scope, 'staging', 'removed by deleter'));
    await vault.write('purge', async (scope) => purgeSecret(scope, 'staging', 'purged by deleter'));
  });
});

/** All that there is to know of staging: entries, versions with value, note, author and time, traces. */
async function content(vault: Vault): Promise<unknown> {
  return vault.read('export', async (scope) => {
    const reader = await scope.reader('staging');
    const entries = await reader.entries();
    const secrets = await Promise.all(
      entries.map(async (entry) => {
        const history = await reader.history(entry.secret);
        await reader.checkVersion(history, 0);
        const versions = history.versions.map(async (line) => ({
          value: parseUtf8((await reader.open(line)).bytes),
          note: await reader.note(line),
          ...(({ version, state, time, author, decision }) => ({ version, state, time, author, decision }))(
            line.value,
          ),
        }));
        const { through, last, time } = history.purged?.value ?? { through: 0, last: '', time: '' };
        return {
          entry,
          current: currentVersion(history)?.value.version,
          versions: await Promise.all(versions),
          purged: { through, last, time },
        };
      }),
    );
    return secrets;
  });
}

const verify = async (vault: Vault): Promise<number> =>
  vault.read('verify', async (scope) => (await verifyVault(scope, vault.place)).versions);

const epochs = async (vault: Vault): Promise<number[]> =>
  (await vault.read('env-ls', async (scope) => listEnvironments(scope))).map(({ epoch }) => epoch);

/** Secrets of which only a signed trace is left. */
const traces = (): string[] => {
  const forgery = Forgery.read(team.place.path);
  const shards = forgery.shards.get(forgery.one('values', forgery.environment('staging'))) ?? [];
  const lines = shards.join('').split('\n').slice(0, -1);
  const values = lines.map((line) => JSON.parse(line) as { kind: string; secret: string });
  const kept = new Set(values.filter(({ kind }) => kind === 'value').map(({ secret }) => secret));
  return values
    .filter(({ kind, secret }) => kind === 'purged' && !kept.has(secret))
    .map(({ secret }) => secret);
};

describe('rekey', () => {
  test('leaves values, versions, notes, authors, tags, removals and traces as they were', async () => {
    const before = await asOwner(team, content);
    const gone = traces();
    expect(gone).toHaveLength(1);
    await asOwner(team, async (owner) => {
      const versions = await verify(owner);
      expect(await rekey(owner)).toEqual(['staging', 'production']);
      expect(await content(owner)).toEqual(before);
      expect(await verify(owner)).toBe(versions);
      expect(await epochs(owner)).toEqual([2, 2]);
    });
    expect(traces()).toEqual(expect.arrayContaining(gone));
    expect(traces()).toHaveLength(2);
    expect(Forgery.read(team.place.path).all('changes')).toEqual([]);
    await asOwner({ ...team, place: otherMachine(team) }, async (owner) =>
      expect(await content(owner)).toEqual(before),
    );
  });

  test('over and over, with writes between', async () => {
    await asOwner(team, async (owner) => {
      for (let time = 0; time < 4; time++) {
        const before = await content(owner);
        await rekey(owner, 'staging');
        expect(await content(owner)).toEqual(before);
        await put(owner, 'db', `after ${time}`);
        await verify(owner);
      }
      expect(await epochs(owner)).toEqual([5, 1]);
    });
  });

  test('leaves nothing for the keys of before', async () => {
    const path = team.place.path;
    const credential = await recoveryCredential(team.recoveryKey);
    const keys = await keysFrom(path, credential, 'owner');
    // The owner’s own credential leads to the new keys as well; what is tried here is what it led to before.
    await asOwner(team, async (owner) => rekey(owner, 'staging'));
    const opened = await openedBy(path, keys);
    expect(opened.filter((what) => what.startsWith('value staging'))).toEqual([]);
    expect(opened.filter((what) => what.startsWith('block staging') || what === 'carry staging')).toEqual([]);
    expect(opened).toContain('value production 1');
  });

  test('lets everybody go on with what they may, and no more', async () => {
    await asOwner(team, async (owner) => rekey(owner));
    const staging = { environment: 'staging' };
    await as(team.place, tokens.writer, async (vault) => {
      expect(await getIn(vault, 'staging', 'large')).toBe('blind');
      await put(vault, 'db', 'again', staging);
    });
    await as(team.place, tokens.rotator, async (vault) => {
      await put(vault, 'db', 'rotated', { ...staging, operation: 'rotate' });
      expect((await failureOf(getIn(vault, 'staging', 'db'))).exitCode).toBe(5);
      expect((await failureOf(put(vault, 'db', 'x', staging))).exitCode).toBe(5);
    });
    await as(team.place, tokens.deleter, async (vault) =>
      vault.write('rm', async (scope) => removeSecret(scope, 'staging', 'large')),
    );
    await as(team.place, tokens.lister, async (vault) =>
      expect((await failureOf(getIn(vault, 'staging', 'db'))).exitCode).toBe(5),
    );
    await asOwner(team, async (owner) => {
      expect(await getIn(owner, 'staging', 'db')).toBe('rotated');
      await owner.write('restore', async (scope) => restoreSecret(scope, 'staging', 'large'));
      await verify(owner);
    });
  });

  test('never gives the id of a purged secret again, nor forgets how far it was purged', async () => {
    await asOwner(team, async (owner) => {
      await rekey(owner);
      await put(owner, 'purged', 'anew');
      const { purgedThrough } = await owner.read('history', async (scope) => showSecret(scope, null, 'db'));
      expect(purgedThrough).toBeGreaterThan(0);
    });
    const forgery = Forgery.read(team.place.path);
    const values = (forgery.shards.get(forgery.one('values', forgery.environment('staging'))) ?? []).join('');
    for (const secret of traces()) expect(values.split(`"secret":"${secret}"`)).toHaveLength(2);
  });

  test('of what is not there is a mistake', async () => {
    await asOwner(team, async (owner) => expect((await failureOf(rekey(owner, 'nowhere'))).exitCode).toBe(2));
  });

  test('with many long names is recorded, whatever is cut', async () => {
    await asOwner(team, async (owner) => {
      for (let length = 1; length <= 12; length++)
        await owner.write('env-add', async (scope) =>
          addEnvironment(scope, `${'😀'.repeat(10)}${'x'.repeat(length)}`),
        );
      await rekey(owner);
      await verify(owner);
    });
  });
});

describe('the audit log, asked by name,', () => {
  const ask = async (vault: Vault, name: string): Promise<readonly AuditEntry[]> => {
    const query = {
      last: 100,
      operation: null,
      principal: null,
      environment: null,
      since: null,
      until: null,
      failed: false,
    };
    return vault.read(
      'audit',
      async (scope) => (await queryAudit(scope, vault.place, { ...query, name })).entries,
    );
  };
  const operations = (entries: readonly AuditEntry[]): string[] =>
    entries.map(({ operation, principal }) => `${principal ?? ''} ${operation}`);

  test('still has the records of earlier keys, with their names, also for who may only list', async () => {
    const before = await asOwner(team, async (owner) => ask(owner, 'db'));
    expect(before.length).toBeGreaterThan(5);
    await asOwner(team, async (owner) => {
      await rekey(owner);
      await rekey(owner);
      await getIn(owner, 'staging', 'db');
      const after = await ask(owner, 'db');
      expect(after.slice(0, before.length)).toEqual(before);
      expect(operations(after).slice(before.length)).toEqual(['owner get']);
    });
    await as(team.place, tokens.lister, async (vault) => {
      const seen = await ask(vault, 'db');
      expect(operations(seen).slice(0, before.length)).toEqual(operations(before));
      expect(seen.at(-1)?.secrets).toEqual([{ environment: 'staging', name: 'db', version: 7 }]);
    });
  });

  test('has those of who was removed, in their name', async () => {
    await asOwner(team, async (owner) => {
      await remove(owner, 'writer');
      await remove(owner, 'rotator');
      expect(operations(await ask(owner, 'db'))).toEqual(
        expect.arrayContaining(['writer put', 'rotator put']),
      );
      await verify(owner);
    });
  });

  test('has nothing of an environment that one cannot open', async () => {
    await as(team.place, tokens.writer, async (vault) => expect(await ask(vault, 'p')).toEqual([]));
    await asOwner(team, async (owner) => {
      await owner.read('get', async (scope) =>
        getSecret(scope, {
          environment: 'production',
          name: 'p',
          version: null,
          field: null,
          allowExpired: false,
        }),
      );
      expect(operations(await ask(owner, 'p'))).toEqual(['owner put', 'owner get']);
    });
  });
});
