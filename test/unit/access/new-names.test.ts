/** Names of new principals and environments are what they look like; and what is settled of somebody who left is forgotten. */
import { beforeEach, describe, expect, test } from 'vitest';
import { newLabelProblem } from '../../../src/format/name.ts';
import { addEnvironment, rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { offboardStatus } from '../../../src/vault/operations/offboard.ts';
import { openCarry } from '../../../src/vault/new-environment.ts';
import { exposuresOf, withExposures, withoutDone } from '../../../src/vault/exposure.ts';
import { copySecret } from '../../../src/vault/operations/move.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { rollbackSecret } from '../../../src/vault/operations/history.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { put, type SampleVault } from '../../support/sample-vault.ts';
import { add, asOwner, remove, teamVault } from '../../support/team.ts';

let team: SampleVault;
let ahead: number;

beforeEach(async () => {
  ahead = 0;
  team = await teamVault(['staging'], { now: () => new Date(Date.now() + ahead) });
});

describe('a name for somebody or somewhere new', () => {
  const refused = {
    'a zero-width space': 'ad\u200ba',
    'a zero-width joiner': 'ad\u200da',
    'a zero-width non-joiner': 'ad\u200ca',
    'a word joiner': 'ad\u2060a',
    'a byte order mark': '\ufeffada',
    'a soft hyphen': 'a\u00adda',
    'a tag character': 'ada\u{e0041}',
    'a private character': 'ada\ue000',
    'an unassigned character': 'ada\u0378',
    'a direction mark': 'a\u202eda',
    'a comma': 'ada,bea',
    'a star': 'ada*',
    'a question mark': 'ad?',
    'a space': 'ada bea',
    nothing: '',
  };

  test.each(Object.entries(refused))('has not %s', async (_, name) => {
    await asOwner(team, async (owner) => {
      const { n } = owner.document.snapshot.value;
      const work = add(owner, name, { can: 'read', env: 'staging' });
      expect(await failureOf(work)).toMatchObject({ exitCode: 2 });
      const adding = owner.write('env-add', async (scope) => addEnvironment(scope, name));
      expect(await failureOf(adding)).toMatchObject({ exitCode: 2 });
      expect(owner.document.snapshot.value.n).toBe(n);
    });
  });

  test.each(['ada', 'Zoë', 'žluťoučký', '山田', 'ci-42', 'a.b_c', 'emoji🙂'])('may be %s', async (name) => {
    expect(newLabelProblem(name)).toBeNull();
    await asOwner(team, async (owner) => {
      await add(owner, name, { can: 'read', env: 'staging' });
      await owner.write('env-add', async (scope) => addEnvironment(scope, name));
    });
  });
});

describe('what somebody who left may know', () => {
  const rekey = async (owner: Vault): Promise<unknown> =>
    owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, ['staging'])));

  const kept = async (owner: Vault): Promise<number> =>
    owner.read('x', async (scope) => {
      const reader = await scope.reader('staging');
      const { policy } = await openCarry(scope.authority.domain, reader.part.entry, reader.keys);
      return exposuresOf(policy).length;
    });

  const later = async (owner: Vault, name: string, value: string): Promise<void> => {
    ahead += 60_000;
    await put(owner, name, value, { environment: 'staging' });
  };

  async function left(owner: Vault): Promise<void> {
    await later(owner, 'a', 'one');
    await later(owner, 'b', 'one');
    await add(owner, 'ci', { can: 'read', env: 'staging' });
    ahead += 60_000;
    await remove(owner, 'ci');
    expect(await kept(owner)).toBe(1);
  }

  /** Nothing that could come back is kept. */
  const keepOne = async (owner: Vault): Promise<unknown> =>
    owner.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, 'retention.versions', '1')));

  test('is kept while an old version is, which could come back', async () => {
    await asOwner(team, async (owner) => {
      await left(owner);
      await later(owner, 'a', 'two');
      await later(owner, 'b', 'two');
      await rekey(owner);
      expect(await kept(owner)).toBe(1);
      const { secrets } = await owner.read('offboard', async (scope) => offboardStatus(scope, null));
      expect(secrets).toEqual([]);
    });
  });

  test('is forgotten with new keys when every value that is kept is new', async () => {
    await asOwner(team, async (owner) => {
      await keepOne(owner);
      await left(owner);
      await later(owner, 'a', 'two');
      await rekey(owner);
      expect(await kept(owner)).toBe(1);
      await later(owner, 'b', 'two');
      await rekey(owner);
      expect(await kept(owner)).toBe(0);
    });
  });

  test('is remembered of so many', () => {
    const time = (second: number): string => new Date(second * 1_000).toISOString();
    const id = (index: number): string => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32BE(index);
      return bytes.toString('base64url');
    };
    const all = Array.from({ length: 1_500 }, (_, index) => ({
      principal: id(index),
      until: time(index),
      read: true,
    }));
    const until = (current: number): string[] =>
      exposuresOf(withoutDone(withExposures([], all), time(100), time(current))).map((one) => one.until);
    expect([until(1_500).length, until(1_500)[0]]).toEqual([1_000, time(500)]);
    // What is current is never forgotten.
    expect(until(200).length).toBe(1_300);
  });

  test.each(['rollback', 'copy'] as const)('is kept where a %s brought an old value', async (how) => {
    await asOwner(team, async (owner) => {
      await left(owner);
      await later(owner, 'a', 'two');
      if (how === 'rollback') await later(owner, 'b', 'two');
      ahead += 60_000;
      await owner.write(how, async (scope) => {
        const environment = 'staging';
        if (how === 'rollback') await rollbackSecret(scope, { environment, name: 'b', to: 1 });
        else await copySecret(scope, { environment, from: 'b', to: 'c', toEnvironment: null });
      });
      if (how === 'copy') await later(owner, 'b', 'two');
      await rekey(owner);
      expect(await kept(owner)).toBe(1);
    });
  });

  test('does not grow with everybody who comes and goes', async () => {
    await asOwner(team, async (owner) => {
      await keepOne(owner);
      for (let round = 0; round < 5; round++) {
        await left(owner);
        await later(owner, 'a', 'new');
        await later(owner, 'b', 'new');
      }
      await rekey(owner);
      expect(await kept(owner)).toBe(0);
    });
  });
});
