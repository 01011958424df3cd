/** `undo` where something has happened to a secret since: it stays as somebody left it, and the message says what happened. */
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { removeSecret } from '../../../src/vault/operations/move.ts';
import { stageRotation } from '../../../src/vault/operations/rotation.ts';
import { lastOwnWrite } from '../../../src/vault/operations/last-write.ts';
import { checkUnchanged } from '../../../src/vault/operations/undo-step.ts';
import { loadReversal } from '../../../src/vault/reversal-memory.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { getIn } from '../../support/team.ts';
import { change, environment, refused, undoTeam, type UndoTeam } from '../../support/undo-team.ts';
import { undo } from '../../support/undoing.ts';

let team: UndoTeam;

beforeEach(async () => {
  team = await undoTeam();
});

describe('what was changed since', () => {
  type Work = (vault: Vault) => Promise<unknown>;
  const db: readonly [string, Work, RegExp][] = [
    [
      'a new version',
      async (vault) => change.put(vault, 'db', 'theirs'),
      /"db" in production is at version 3, which bob wrote at 2/,
    ],
    ['a removal', async (vault) => change.rm(vault, 'db'), /"db" in production was removed at 2/],
    [
      'a rename',
      async (vault) => change.mv(vault, 'db', 'elsewhere'),
      /"db" in production is called "elsewhere" now/,
    ],
    ['a purge', async (vault) => change.purge(vault, 'db'), /"db" in production was purged/],
    [
      'another secret of the same name',
      async (vault) => {
        await change.purge(vault, 'db');
        await change.put(vault, 'db', 'another');
        await change.put(vault, 'db', 'another');
      },
      /"db" in production was purged/,
    ],
    [
      'a rotation that is under way',
      async (vault) =>
        vault.write('rotate-stage', async (scope) =>
          stageRotation(scope, {
            environment,
            name: 'db',
            value: utf8('x'),
            ifVersion: null,
            graceUntil: null,
          }),
        ),
      /"db" in production is being rotated by bob since/,
    ],
  ];

  test.each(db)('%s by somebody else stays', async (_, theirs, message) => {
    await team.by('ada', async (ada) => change.put(ada, 'db', 'two'));
    await team.by('bob', theirs);
    await team.by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(['CONFLICT', expect.stringMatching(message), 8]);
    });
  });

  test('one of many: none is taken back, and that one is named', async () => {
    await team.by('ada', async (ada) =>
      change.importAll(ada, [
        ['db', 'two'],
        ['cache', 'two'],
        ['a', '1'],
      ]),
    );
    await team.by('bob', async (bob) => change.put(bob, 'cache', 'theirs'));
    await team.by('ada', async (ada) => {
      const [code, message] = await refused(ada);
      expect([code, message]).toEqual([
        'CONFLICT',
        expect.stringContaining('"cache" in production is at version 3'),
      ]);
      expect(message).not.toContain('"db"');
      expect(await getIn(ada, environment, 'db')).toBe('two');
    });
  });

  test('many of many: the first are named, the others counted', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    await team.by('ada', async (ada) =>
      change.importAll(
        ada,
        names.map((name) => [name, 'x'] as const),
      ),
    );
    await team.by('bob', async (bob) => change.rotateAll(bob, names, 'y'));
    await team.by('ada', async (ada) => {
      const [, message] = await refused(ada);
      expect(message).toMatch(/"a" .*"e" .*; and 2 more$/);
    });
  });

  test('a secret that was put in the place of a renamed one stays', async () => {
    await team.by('ada', async (ada) => change.mv(ada, 'db', 'database'));
    await team.by('bob', async (bob) => change.put(bob, 'db', 'theirs'));
    await team.by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(['ALREADY_EXISTS', expect.stringContaining('another "db"'), 8]);
    });
  });

  test('a removal that somebody has restored, and one that was purged', async () => {
    await team.by('ada', async (ada) => change.rm(ada, 'db'));
    await team.by('bob', async (bob) => change.restore(bob, 'db'));
    await team.by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(['CONFLICT', expect.stringContaining('was restored'), 8]);
      await change.rm(ada, 'cache');
    });
    await team.by('bob', async (bob) => change.purge(bob, 'cache'));
    await team.by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(['CONFLICT', expect.stringContaining('was purged'), 8]);
    });
  });

  test('a renamed secret that has a new value since keeps name and value', async () => {
    await team.by('ada', async (ada) => change.mv(ada, 'db', 'database'));
    await team.by('bob', async (bob) => change.put(bob, 'database', 'theirs'));
    await team.by('ada', async (ada) => {
      expect(await refused(ada)).toEqual([
        'CONFLICT',
        expect.stringContaining('is at version 2, which bob wrote'),
        8,
      ]);
    });
  });

  test('a version of the same number that another write made is not taken for the own one', async () => {
    await team.by('ada', async (ada) => {
      await change.put(ada, 'db', 'two');
      await ada.write('undo', async (scope) => {
        const record = await lastOwnWrite(scope, ada.place);
        const { authority, identity } = scope;
        const kept =
          record === null ? null : await loadReversal(ada.place, authority.domain, identity, record);
        if (record === null || kept === null) throw new Error('nothing is kept');
        await checkUnchanged(scope, kept, record);
        const time = new Date(Date.parse(kept.time) - 1).toISOString();
        expect((await failureOf(checkUnchanged(scope, { ...kept, time }, record))).message).toContain(
          '"db" in production is at version 2, which ada wrote',
        );
      });
    });
  });

  test('an own later change is what is taken back', async () => {
    await team.by('ada', async (ada) => {
      await change.put(ada, 'db', 'two');
      await change.put(ada, 'cache', 'two');
      expect(await undo(ada)).toMatchObject({ secrets: [{ name: 'cache' }] });
      expect(await getIn(ada, environment, 'db')).toBe('two');
    });
  });

  test('reads, failures, dry runs and what others did do not count', async () => {
    await team.by('ada', async (ada) => {
      await change.put(ada, 'db', 'two');
      await failureOf(change.rm(ada, 'absent'));
      await ada.write('rm', async (scope) => {
        await removeSecret(scope, environment, 'cache');
        scope.discard();
      });
      await getIn(ada, environment, 'cache');
    });
    await team.by('bob', async (bob) => change.put(bob, 'cache', 'x'));
    await team.by('ada', async (ada) => {
      expect(await undo(ada)).toMatchObject({ operation: 'put', secrets: [{ name: 'db', valueOf: 1 }] });
    });
  });
});

test('two at the same time: one takes it back, and the other does not bring it back', async () => {
  await team.by('ada', async (ada) => change.put(ada, 'db', 'two'));
  const outcomes = await Promise.all(
    [1, 2].map(async () =>
      team.by('ada', async (ada) =>
        undo(ada).then(
          () => 'done',
          (error: unknown) => (error as { code: string }).code,
        ),
      ),
    ),
  );
  expect(outcomes.sort()).toEqual(['USAGE', 'done']);
  await team.by('ada', async (ada) => {
    expect(await getIn(ada, environment, 'db')).toBe('one');
  });
});
