/** `undo` where it must not: each refusal by its class, with nothing changed, and what happened in its words. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { addEnvironment, removeEnvironment } from '../../../src/vault/operations/environments.ts';
import { placeKey } from '../../../src/vault/memory.ts';
import { removeSecret } from '../../../src/vault/operations/move.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { settleRotation, stageRotation } from '../../../src/vault/operations/rotation.ts';
import { lastOwnWrite } from '../../../src/vault/operations/last-write.ts';
import { checkUnchanged } from '../../../src/vault/operations/undo-step.ts';
import { loadReversal } from '../../../src/vault/reversal-memory.ts';
import type { Place } from '../../../src/vault/place.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { openWith, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, grant, otherMachine, revoke, teamVault } from '../../support/team.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { changesIn, redo, undo } from '../../support/undoing.ts';
import { failingOnce } from '../../support/watched-file-system.ts';

const environment = 'production';
const change = changesIn(environment);
let team: SampleVault;
let tokens: Record<'ada' | 'bob' | 'rotator' | 'blind' | 'keeper', string>;

beforeEach(async () => {
  team = await teamVault(['staging', environment]);
  tokens = await asOwner(team, async (owner) => {
    await change.put(owner, 'db', 'one');
    await change.put(owner, 'cache', 'one');
    const may = async (name: string, can: string): Promise<string> =>
      add(owner, name, { can, env: environment });
    return {
      ada: await may('ada', 'read,write,delete'),
      bob: await may('bob', 'read,write,delete'),
      rotator: await may('rotator', 'read,rotate'),
      blind: await may('blind', 'list,write,delete'),
      keeper: await may('keeper', 'read,write'),
    };
  });
});

const by = async <T>(who: keyof typeof tokens, work: (vault: Vault) => Promise<T>): Promise<T> =>
  as(team.place, tokens[who], work);
const file = (): string => readFileSync(team.place.path, 'latin1');

/** The refusal of an undo that changes nothing in the vault. */
async function refused(
  vault: Vault,
  more?: Parameters<typeof undo>[1],
): Promise<readonly [string, string, number]> {
  const before = file();
  const { code, message, exitCode } = await failureOf(undo(vault, more));
  expect(file() === before, 'the vault is as it was').toBe(true);
  return [code, message, exitCode];
}

/** The place's file of what is kept for `undo`. */
const keptOf = async ({ identity, place }: Vault): Promise<string> =>
  path.join(place.stateFolder ?? '', 'undo', `${await placeKey(place)}-${identity.principal}.json`);

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
          stageRotation(scope, { environment, name: 'db', value: utf8('x'), ifVersion: null }),
        ),
      /"db" in production is being rotated by bob since/,
    ],
  ];

  test.each(db)('%s by somebody else stays', async (_, theirs, message) => {
    await by('ada', async (ada) => change.put(ada, 'db', 'two'));
    await by('bob', theirs);
    await by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(['CONFLICT', expect.stringMatching(message), 8]);
    });
  });

  test('one of many: none is taken back, and that one is named', async () => {
    await by('ada', async (ada) =>
      change.importAll(ada, [
        ['db', 'two'],
        ['cache', 'two'],
        ['a', '1'],
      ]),
    );
    await by('bob', async (bob) => change.put(bob, 'cache', 'theirs'));
    await by('ada', async (ada) => {
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
    await by('ada', async (ada) =>
      change.importAll(
        ada,
        names.map((name) => [name, 'x'] as const),
      ),
    );
    await by('bob', async (bob) => change.rotateAll(bob, names, 'y'));
    await by('ada', async (ada) => {
      const [, message] = await refused(ada);
      expect(message).toMatch(/"a" .*"e" .*; and 2 more$/);
    });
  });

  test('a secret that was put in the place of a renamed one stays', async () => {
    await by('ada', async (ada) => change.mv(ada, 'db', 'database'));
    await by('bob', async (bob) => change.put(bob, 'db', 'theirs'));
    await by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(['ALREADY_EXISTS', expect.stringContaining('another "db"'), 8]);
    });
  });

  test('a removal that somebody has restored, and one that was purged', async () => {
    await by('ada', async (ada) => change.rm(ada, 'db'));
    await by('bob', async (bob) => change.restore(bob, 'db'));
    await by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(['CONFLICT', expect.stringContaining('was restored'), 8]);
      await change.rm(ada, 'cache');
    });
    await by('bob', async (bob) => change.purge(bob, 'cache'));
    await by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(['CONFLICT', expect.stringContaining('was purged'), 8]);
    });
  });

  test('a renamed secret that has a new value since keeps name and value', async () => {
    await by('ada', async (ada) => change.mv(ada, 'db', 'database'));
    await by('bob', async (bob) => change.put(bob, 'database', 'theirs'));
    await by('ada', async (ada) => {
      expect(await refused(ada)).toEqual([
        'CONFLICT',
        expect.stringContaining('is at version 2, which bob wrote'),
        8,
      ]);
    });
  });

  test('a version of the same number that another write made is not taken for the own one', async () => {
    await by('ada', async (ada) => {
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
    await by('ada', async (ada) => {
      await change.put(ada, 'db', 'two');
      await change.put(ada, 'cache', 'two');
      expect(await undo(ada)).toMatchObject({ secrets: [{ name: 'cache' }] });
      expect(await getIn(ada, environment, 'db')).toBe('two');
    });
  });

  test('reads, failures, dry runs and what others did do not count', async () => {
    await by('ada', async (ada) => {
      await change.put(ada, 'db', 'two');
      await failureOf(change.rm(ada, 'absent'));
      await ada.write('rm', async (scope) => {
        await removeSecret(scope, environment, 'cache');
        scope.discard();
      });
      await getIn(ada, environment, 'cache');
    });
    await by('bob', async (bob) => change.put(bob, 'cache', 'x'));
    await by('ada', async (ada) => {
      expect(await undo(ada)).toMatchObject({ operation: 'put', secrets: [{ name: 'db', valueOf: 1 }] });
    });
  });
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
          stageRotation(scope, { environment, name: 'db', value: utf8('x'), ifVersion: null }),
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
      const options = { environment, name: 'db', value: utf8('two'), ifVersion: null };
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

describe('where there is nothing', () => {
  const nothing = (text: string): unknown => ['NOTHING_TO_UNDO', expect.stringContaining(text), 3];

  test('in a new vault, and for who has changed nothing', async () => {
    const fresh = await teamVault([environment]);
    const owner = await openWith(fresh.place, fresh.recoveryKey, 'owner');
    expect((await failureOf(undo(owner))).code).toBe('NOTHING_TO_UNDO');
    owner.close();
    await by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(nothing('no change of yours'));
    });
  });

  test('on another machine, in a copy, and where the machine has no memory', async () => {
    await by('ada', async (ada) => change.put(ada, 'db', 'two'));
    const folder = temporaryFolder();
    const copy = path.join(folder, 'copy.vault');
    cpSync(team.place.path, copy);
    const copied: Place = { ...team.place, path: copy, audit: { type: 'file', path: `${copy}.audit.jsonl` } };
    await as(copied, tokens.ada, async (ada) => {
      expect((await failureOf(undo(ada))).message).toContain('no change of yours');
    });
    // With its log: the path is another one.
    cpSync(team.place.audit.path, copied.audit.path);
    await as({ ...copied, stateFolder: temporaryFolder() }, tokens.ada, async (ada) => {
      expect((await failureOf(undo(ada))).message).toContain('not kept on this machine');
    });
    for (const place of [otherMachine(team), { ...team.place, stateFolder: null }])
      await as(place, tokens.ada, async (ada) => {
        expect(await refused(ada)).toEqual(nothing('not kept on this machine'));
      });
  });

  test('and the way by hand is told, where the log names one secret', async () => {
    const elsewhere = otherMachine(team);
    const hintAfter = async (act: (vault: Vault) => Promise<unknown>): Promise<string> => {
      await by('ada', act);
      return as(elsewhere, tokens.ada, async (ada) => (await failureOf(undo(ada))).hint);
    };
    expect(await hintAfter(async (ada) => change.put(ada, 'db', 'two'))).toContain(
      '`vault rollback "db" --to N`',
    );
    expect(await hintAfter(async (ada) => change.put(ada, 'new', 'x'))).toContain('`vault rm "new"`');
    expect(await hintAfter(async (ada) => change.rm(ada, 'new'))).toContain('`vault restore "new"`');
    expect(await hintAfter(async (ada) => change.mv(ada, 'db', 'database'))).toContain(
      '`vault rollback NAME',
    );
  });

  test('in a log that was lost: what is kept belongs to another one', async () => {
    await by('ada', async (ada) => change.put(ada, 'db', 'two'));
    rmSync(team.place.audit.path);
    await by('ada', async (ada) => {
      expect((await failureOf(undo(ada))).code).toBe('INTEGRITY');
    });
    const forgetful = { ...team.place, path: team.place.path };
    rmSync(path.join(team.place.stateFolder ?? '', `${await placeKey(forgetful)}.json`));
    await by('ada', async (ada) => {
      expect((await failureOf(undo(ada))).code).toBe('NOTHING_TO_UNDO');
    });
  });

  test('where what is kept was damaged, exchanged, or is somebody else’s', async () => {
    const [earlier, kept] = await by('ada', async (ada) => {
      await change.put(ada, 'db', 'two');
      const first = readFileSync(await keptOf(ada), 'utf8');
      await change.put(ada, 'cache', 'two');
      return [first, await keptOf(ada)] as const;
    });
    const now = readFileSync(kept, 'utf8');
    const sealedOf = (text: string): string => (JSON.parse(text) as { sealed: string }).sealed;
    const others = await by('bob', async (bob) => {
      await change.put(bob, 'other', 'x');
      return readFileSync(await keptOf(bob), 'utf8');
    });
    const wrong = [
      '',
      'no JSON',
      earlier,
      others,
      now.replace(sealedOf(now), sealedOf(earlier)),
      now.replace(sealedOf(now), sealedOf(others)),
      now.replace(sealedOf(now), 'AAAA'),
      now.replace('{', '{"more":1,'),
    ];
    for (const text of wrong) {
      writeFileSync(kept, text);
      await by('ada', async (ada) => {
        expect(await refused(ada)).toEqual(nothing('not kept on this machine'));
      });
    }
    writeFileSync(kept, now);
    await by('ada', async (ada) => undo(ada));
  });

  test('where what is kept could not be written: the write stands, and no older one is taken for it', async () => {
    await by('ada', async (ada) => change.put(ada, 'db', 'two'));
    const fs = failingOnce(({ call, path: at }) => call === 'openSync' && at.includes('/undo/'), 'ENOSPC');
    await as({ ...team.place, fs }, tokens.ada, async (ada) => change.put(ada, 'cache', 'two'));
    await by('ada', async (ada) => {
      expect(existsSync(await keptOf(ada))).toBe(false);
      expect(await getIn(ada, environment, 'cache')).toBe('two');
      expect(await refused(ada)).toEqual(nothing('not kept on this machine'));
    });
  });

  test('where a write did not happen, the one before it is the last', async () => {
    await by('ada', async (ada) => change.put(ada, 'db', 'two'));
    const fs = failingOnce(({ call, path: at }) => call === 'renameSync' && at.endsWith('.vault.new'));
    await as({ ...team.place, fs }, tokens.ada, async (ada) => {
      expect((await failureOf(change.put(ada, 'cache', 'two'))).code).toBe('BACKEND');
    });
    await by('ada', async (ada) => {
      expect(await undo(ada)).toMatchObject({ secrets: [{ name: 'db' }] });
    });
  });

  test('where the versions that are kept do not have the value any more', async () => {
    await asOwner(team, async (owner) =>
      owner.write('policy-set', async (scope) =>
        Promise.resolve(setPolicy(scope, 'retention.versions', '1')),
      ),
    );
    await by('ada', async (ada) => {
      await change.put(ada, 'db', 'two');
      expect(await refused(ada)).toEqual([
        'VERSION_NOT_FOUND',
        expect.stringContaining('had version 1 before'),
        3,
      ]);
    });
  });

  test('where the environment is gone', async () => {
    await asOwner(team, async (owner) => changesIn('staging').put(owner, 'x', 'y'));
    const boss = await asOwner(team, async (owner) => add(owner, 'boss', { can: 'admin' }));
    await asOwner(team, async (owner) => changesIn('staging').put(owner, 'x', 'z'));
    await as(team.place, boss, async (admin) =>
      admin.write('env-rm', async (scope) => Promise.resolve(removeEnvironment(scope, 'staging'))),
    );
    await asOwner(team, async (owner) => {
      expect(await refused(owner)).toEqual(nothing('in an environment that is not there any more'));
    });
  });
});

describe('rights', () => {
  const denied = (text: string): unknown => ['ACCESS_DENIED', expect.stringContaining(text), 5];

  test('who may rotate cannot write', async () => {
    await by('rotator', async (rotator) => {
      await change.rotate(rotator, 'db', 'two');
      expect(await refused(rotator)).toEqual(denied('you may not write to production'));
      expect((await failureOf(undo(rotator))).hint).toContain('vault rollback NAME');
    });
  });

  test('who may write and not read cannot bring back a value, and can remove what it made', async () => {
    await by('blind', async (blind) => {
      await change.put(blind, 'db', 'two');
      expect(await refused(blind)).toEqual(denied('cannot bring back the value that "db" had'));
      await change.put(blind, 'new', 'x');
      expect(await undo(blind)).toMatchObject({ secrets: [{ name: 'new', state: 'removed' }] });
    });
  });

  test('who may not delete cannot remove what it made', async () => {
    await by('keeper', async (keeper) => {
      await change.put(keeper, 'new', 'x');
      expect(await refused(keeper)).toEqual(denied('you may not delete in production'));
      await change.put(keeper, 'db', 'two');
      await undo(keeper);
    });
  });

  test('who lost a right meanwhile cannot use it', async () => {
    await by('ada', async (ada) => change.put(ada, 'db', 'two'));
    await asOwner(team, async (owner) => revoke(owner, 'ada', { can: 'write', env: environment }));
    await by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(denied('you may not write to production'));
    });
  });

  test('who lost access altogether is told so', async () => {
    await asOwner(team, async (owner) => grant(owner, 'ada', { can: 'read', env: 'staging' }));
    await by('ada', async (ada) => change.put(ada, 'db', 'two'));
    await asOwner(team, async (owner) => revoke(owner, 'ada', { can: 'list', env: environment }));
    await by('ada', async (ada) => {
      expect((await refused(ada))[0]).toBe('ACCESS_DENIED');
    });
  });
});

test('two at the same time: one takes it back, and the other does not bring it back', async () => {
  await by('ada', async (ada) => change.put(ada, 'db', 'two'));
  const outcomes = await Promise.all(
    [1, 2].map(async () =>
      by('ada', async (ada) =>
        undo(ada).then(
          () => 'done',
          (error: unknown) => (error as { code: string }).code,
        ),
      ),
    ),
  );
  expect(outcomes.sort()).toEqual(['USAGE', 'done']);
  await by('ada', async (ada) => {
    expect(await getIn(ada, environment, 'db')).toBe('one');
  });
});

test('a record with a wrong signature is not believed', async () => {
  await by('ada', async (ada) => change.put(ada, 'db', 'two'));
  await by('bob', async (bob) => change.put(bob, 'cache', 'x'));
  const seq =
    records(team.place).findLast(({ secrets, op }) => op === 'put' && secrets.length === 1)?.seq ?? 0;
  const lines = readFileSync(team.place.audit.path, 'utf8').split('\n');
  const at = lines.findIndex((line) => line.includes(`"seq":${seq - 1},`));
  lines[at] = lines[at]?.replace('"op":"put"', '"op":"rm"') ?? '';
  writeFileSync(team.place.audit.path, lines.join('\n'));
  await by('ada', async (ada) => {
    expect(await refused(ada)).toEqual(['INTEGRITY', expect.stringContaining('signature of record'), 7]);
  });
});
