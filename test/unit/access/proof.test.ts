/**
 * A mistake in a change, as somebody may make one some day: what this program would refuse, it does not write. The mistakes are made here,
 * between the work and its commit; nothing may be there afterwards but the vault as it was.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { AccessDraft, BuiltAccess } from '../../../src/vault/access-draft.ts';
import type { HeadLines } from '../../../src/vault/build.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import type { WriteScope } from '../../../src/vault/scope.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { get, put, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, teamVault, verified } from '../../support/team.ts';

let team: SampleVault;
let ci: string;
let id: string;

beforeEach(async () => {
  team = await teamVault(['staging']);
  ci = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one');
    return add(owner, 'ci', { can: 'read,write', env: 'staging' });
  });
  id = await as(team.place, ci, async ({ identity }) => Promise.resolve(identity.principal));
});

/** The draft of a scope, with a mistake at its end. */
function mistaken(
  scope: WriteScope,
  mistake: (head: HeadLines, built: BuiltAccess) => BuiltAccess,
): AccessDraft {
  const draft = scope.administration();
  const build = draft.build.bind(draft);
  draft.build = async (head) => mistake(head, await build(head));
  return draft;
}

const dropped =
  (lines: 'bundles' | 'slots') =>
  (head: HeadLines, built: BuiltAccess): BuiltAccess => {
    head[lines].delete(id);
    return built;
  };

const mistakes: Readonly<Record<string, (scope: WriteScope) => void>> = {
  'drops a principal’s bundle': (scope) => mistaken(scope, dropped('bundles')),
  'drops a principal’s slots': (scope) => mistaken(scope, dropped('slots')),
  'drops all credentials of a principal': (scope) =>
    mistaken(scope, (head, built) => dropped('slots')(head, dropped('bundles')(head, built))),
  'leaves a root out': (scope) => mistaken(scope, (_, built) => ({ ...built, roots: [] })),
  'repeats a root': (scope) =>
    mistaken(scope, (_, built) => ({ ...built, roots: [...built.roots, ...built.roots] })),
  'lists a principal twice': (scope) => {
    const draft = scope.administration();
    draft.principals = [...draft.principals, ...draft.principals.slice(-1)];
  },
  'forgets a principal': (scope) => {
    const draft = scope.administration();
    draft.principals = draft.principals.filter((entry) => entry.name === 'ci');
  },
  'lists rights in no environment': (scope) => {
    const draft = scope.administration();
    draft.principals = draft.principals.map((entry) => ({ ...entry, write: ['AAAAAAAAAAA'] }));
  },
  'sets a policy that there is none of': (scope) => {
    const draft = scope.administration();
    draft.policy = new Map([['no.such', 'policy']]);
  },
  'gives a principal another key': (scope) => {
    const draft = scope.administration();
    draft.principals = draft.principals.map((entry) => ({
      ...entry,
      signPub: draft.principals[0]?.signPub ?? '',
    }));
  },
  'takes an environment’s entry from before': (scope) => {
    mistaken(scope, (_, built) => ({ ...built, environments: new Map() }));
    rekeyEnvironments(scope, ['staging']);
  },
};

describe('a change that', () => {
  test.each(Object.entries(mistakes))('%s is not written', async (_, mistake) => {
    const before = readFileSync(team.place.path);
    const log = records(team.place).length;
    await asOwner(team, async (owner) => {
      const writing = owner.write('policy-set', async (scope) => {
        setPolicy(scope, 'rekey.days', '30');
        mistake(scope);
        return Promise.resolve();
      });
      expect((await failureOf(writing)).exitCode).toBe(7);
      expect(readFileSync(team.place.path)).toEqual(before);
      // Nothing is said to have been done.
      expect(
        records(team.place)
          .slice(log)
          .filter(({ to }) => to !== ''),
      ).toEqual([]);
      // The one who made the mistake goes on as before.
      expect(await get(owner, 'db')).toBe('one');
      await put(owner, 'db', 'two');
      expect(await verified(owner)).toBe(2);
    });
    await as(team.place, ci, async (vault) => expect(await get(vault, 'db')).toBe('two'));
    const { path: file } = team.place;
    expect(readdirSync(path.dirname(file)).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  test('makes no mistake is written', async () => {
    await asOwner(team, async (owner) => {
      await owner.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, 'rekey.days', '30')));
      expect(owner.authority.header.policy).toEqual([['rekey.days', '30']]);
      await verified(owner);
    });
  });
});
