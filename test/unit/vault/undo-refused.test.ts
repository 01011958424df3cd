/** `undo` of what it does not take back, and by who may not: each by its class, with nothing changed. */
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { addEnvironment } from '../../../src/vault/operations/environments.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { settleRotation, stageRotation } from '../../../src/vault/operations/rotation.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { asOwner, grant, revoke } from '../../support/team.ts';
import { change, environment, refused, undoTeam, type UndoTeam } from '../../support/undo-team.ts';
import { redo, undo } from '../../support/undoing.ts';

let team: UndoTeam;

beforeEach(async () => {
  team = await undoTeam();
});

describe('what is not taken back', () => {
  test.each<[string, (vault: Vault) => Promise<unknown>, RegExp]>([
    [
      'access',
      async (owner) => grant(owner, 'ada', { can: 'read', env: 'staging' }),
      /access grant at .* cannot be/,
    ],
    [
      'policy',
      async (owner) =>
        owner.write('policy-set', async (scope) =>
          Promise.resolve(setPolicy(scope, 'retention.versions', '9')),
        ),
      /policy set at .* cannot be/,
    ],
    ['a purge', async (owner) => change.purge(owner, 'cache'), /rm --purge at .* cannot be/],
    [
      'an environment',
      async (owner) => owner.write('env-add', async (scope) => addEnvironment(scope, 'testing')),
      /env add at .* cannot be/,
    ],
    [
      'a rotation that waits for its end',
      async (owner) =>
        owner.write('rotate-stage', async (scope) =>
          stageRotation(scope, {
            environment,
            name: 'db',
            value: utf8('x'),
            ifVersion: null,
            graceUntil: null,
          }),
        ),
      /rotate stage at .* cannot be/,
    ],
  ])('%s is refused by name', async (_, act, message) => {
    await asOwner(team, async (owner) => {
      await change.put(owner, 'db', 'two');
      await act(owner);
      expect(await refused(owner)).toEqual(['USAGE', expect.stringMatching(message), 2]);
    });
  });

  test('a rotation by hooks: the server has the new value, and the way is another rotation', async () => {
    await asOwner(team, async (owner) => {
      const options = { environment, name: 'db', value: utf8('two'), ifVersion: null, graceUntil: null };
      const staged = await owner.write('rotate-stage', async (scope) => stageRotation(scope, options));
      await owner.write('rotate', async (scope) => settleRotation(scope, staged, 'live'));
      expect(await refused(owner)).toEqual(['USAGE', expect.stringContaining('brought the new value to'), 2]);
      const { hint } = await failureOf(undo(owner));
      expect(hint).toContain('`vault get "db" --version 1 | vault rotate "db" --apply');
    });
  });

  test('an undo: it is brought back by --redo alone, and that once', async () => {
    await asOwner(team, async (owner) => {
      await change.put(owner, 'db', 'two');
      expect(await refused(owner, { redo: true })).toEqual([
        'USAGE',
        expect.stringContaining('is no undo'),
        2,
      ]);
      await undo(owner);
      expect(await refused(owner)).toEqual(['USAGE', expect.stringContaining('took back put already'), 2]);
      await redo(owner);
      expect(await refused(owner, { redo: true })).toEqual([
        'USAGE',
        expect.stringContaining('brought back put already'),
        2,
      ]);
    });
  });

  test('another environment than the one that is named', async () => {
    await asOwner(team, async (owner) => {
      await change.put(owner, 'db', 'two');
      expect(await refused(owner, { environment: 'staging' })).toEqual([
        'USAGE',
        expect.stringContaining('was in production, not in staging'),
        2,
      ]);
      expect((await refused(owner, { environment: 'none' }))[1]).toContain('there is no environment none');
      await undo(owner, { environment });
    });
  });
});

describe('rights', () => {
  const denied = (text: string): unknown => ['ACCESS_DENIED', expect.stringContaining(text), 5];

  test('who may rotate cannot write', async () => {
    await team.by('rotator', async (rotator) => {
      await change.rotate(rotator, 'db', 'two');
      expect(await refused(rotator)).toEqual(denied('you may not write to production'));
      expect((await failureOf(undo(rotator))).hint).toContain('vault rollback NAME');
    });
  });

  test('who may write and not read cannot bring back a value, and can remove what it made', async () => {
    await team.by('blind', async (blind) => {
      await change.put(blind, 'db', 'two');
      expect(await refused(blind)).toEqual(denied('cannot bring back the value that "db" had'));
      await change.put(blind, 'new', 'x');
      expect(await undo(blind)).toMatchObject({ secrets: [{ name: 'new', state: 'removed' }] });
    });
  });

  test('who may not delete cannot remove what it made', async () => {
    await team.by('keeper', async (keeper) => {
      await change.put(keeper, 'new', 'x');
      expect(await refused(keeper)).toEqual(denied('you may not delete in production'));
      await change.put(keeper, 'db', 'two');
      await undo(keeper);
    });
  });

  test('who lost a right meanwhile cannot use it', async () => {
    await team.by('ada', async (ada) => change.put(ada, 'db', 'two'));
    await asOwner(team, async (owner) => revoke(owner, 'ada', { can: 'write', env: environment }));
    await team.by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(denied('you may not write to production'));
    });
  });

  test('who lost access altogether is told so', async () => {
    await asOwner(team, async (owner) => grant(owner, 'ada', { can: 'read', env: 'staging' }));
    await team.by('ada', async (ada) => change.put(ada, 'db', 'two'));
    await asOwner(team, async (owner) => revoke(owner, 'ada', { can: 'list', env: environment }));
    await team.by('ada', async (ada) => {
      expect((await refused(ada))[0]).toBe('ACCESS_DENIED');
    });
  });
});
