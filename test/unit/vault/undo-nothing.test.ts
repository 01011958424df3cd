/** `undo` where the log of the place has nothing, or the machine does not have what was before. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { removeEnvironment } from '../../../src/vault/operations/environments.ts';
import { placeKey } from '../../../src/vault/memory.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import type { Place } from '../../../src/vault/place.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { openWith } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, otherMachine, teamVault } from '../../support/team.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { change, environment, keptOf, refused, undoTeam, type UndoTeam } from '../../support/undo-team.ts';
import { changesIn, undo } from '../../support/undoing.ts';
import { failingOnce } from '../../support/watched-file-system.ts';

let team: UndoTeam;

beforeEach(async () => {
  team = await undoTeam();
});

describe('where there is nothing', () => {
  const nothing = (text: string): unknown => ['NOTHING_TO_UNDO', expect.stringContaining(text), 3];

  test('in a new vault, and for who has changed nothing', async () => {
    const fresh = await teamVault([environment]);
    const owner = await openWith(fresh.place, fresh.recoveryKey, 'owner');
    expect((await failureOf(undo(owner))).code).toBe('NOTHING_TO_UNDO');
    owner.close();
    await team.by('ada', async (ada) => {
      expect(await refused(ada)).toEqual(nothing('no change of yours'));
    });
  });

  test('on another machine, in a copy, and where the machine has no memory', async () => {
    await team.by('ada', async (ada) => change.put(ada, 'db', 'two'));
    const folder = temporaryFolder();
    const copy = path.join(folder, 'copy.vault');
    cpSync(team.place.path, copy);
    const copied: Place = { ...team.place, path: copy, audit: { type: 'file', path: `${copy}.audit.jsonl` } };
    await as(copied, team.tokens.ada, async (ada) => {
      expect((await failureOf(undo(ada))).message).toContain('no change of yours');
    });
    // With its log: the path is another one.
    cpSync(team.place.audit.path, copied.audit.path);
    await as({ ...copied, stateFolder: temporaryFolder() }, team.tokens.ada, async (ada) => {
      expect((await failureOf(undo(ada))).message).toContain('not kept on this machine');
    });
    for (const place of [otherMachine(team), { ...team.place, stateFolder: null }])
      await as(place, team.tokens.ada, async (ada) => {
        expect(await refused(ada)).toEqual(nothing('not kept on this machine'));
      });
  });

  test('and the way by hand is told, where the log names one secret', async () => {
    const elsewhere = otherMachine(team);
    const hintAfter = async (act: (vault: Vault) => Promise<unknown>): Promise<string> => {
      await team.by('ada', act);
      return as(elsewhere, team.tokens.ada, async (ada) => (await failureOf(undo(ada))).hint);
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
    await team.by('ada', async (ada) => change.put(ada, 'db', 'two'));
    rmSync(team.place.audit.path);
    await team.by('ada', async (ada) => {
      expect((await failureOf(undo(ada))).code).toBe('INTEGRITY');
    });
    const forgetful = { ...team.place, path: team.place.path };
    rmSync(path.join(team.place.stateFolder ?? '', `${await placeKey(forgetful)}.json`));
    await team.by('ada', async (ada) => {
      expect((await failureOf(undo(ada))).code).toBe('NOTHING_TO_UNDO');
    });
  });

  test('where what is kept was damaged, exchanged, or is somebody else’s', async () => {
    const [earlier, kept] = await team.by('ada', async (ada) => {
      await change.put(ada, 'db', 'two');
      const first = readFileSync(await keptOf(ada), 'utf8');
      await change.put(ada, 'cache', 'two');
      return [first, await keptOf(ada)] as const;
    });
    const now = readFileSync(kept, 'utf8');
    const sealedOf = (text: string): string => (JSON.parse(text) as { sealed: string }).sealed;
    const others = await team.by('bob', async (bob) => {
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
      await team.by('ada', async (ada) => {
        expect(await refused(ada)).toEqual(nothing('not kept on this machine'));
      });
    }
    writeFileSync(kept, now);
    await team.by('ada', async (ada) => undo(ada));
  });

  test('where what is kept could not be written: the write stands, and no older one is taken for it', async () => {
    await team.by('ada', async (ada) => change.put(ada, 'db', 'two'));
    const fs = failingOnce(({ call, path: at }) => call === 'openSync' && at.includes('/undo/'), 'ENOSPC');
    await as({ ...team.place, fs }, team.tokens.ada, async (ada) => change.put(ada, 'cache', 'two'));
    await team.by('ada', async (ada) => {
      expect(existsSync(await keptOf(ada))).toBe(false);
      expect(await getIn(ada, environment, 'cache')).toBe('two');
      expect(await refused(ada)).toEqual(nothing('not kept on this machine'));
    });
  });

  test('where a write did not happen, the one before it is the last', async () => {
    await team.by('ada', async (ada) => change.put(ada, 'db', 'two'));
    const fs = failingOnce(({ call, path: at }) => call === 'renameSync' && at.endsWith('.vault.new'));
    await as({ ...team.place, fs }, team.tokens.ada, async (ada) => {
      expect((await failureOf(change.put(ada, 'cache', 'two'))).code).toBe('BACKEND');
    });
    await team.by('ada', async (ada) => {
      expect(await undo(ada)).toMatchObject({ secrets: [{ name: 'db' }] });
    });
  });

  test('where the versions that are kept do not have the value any more', async () => {
    await asOwner(team, async (owner) =>
      owner.write('policy-set', async (scope) =>
        Promise.resolve(setPolicy(scope, 'retention.versions', '1')),
      ),
    );
    await team.by('ada', async (ada) => {
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

test('a record with a wrong signature is not believed', async () => {
  await team.by('ada', async (ada) => change.put(ada, 'db', 'two'));
  await team.by('bob', async (bob) => change.put(bob, 'cache', 'x'));
  const seq =
    records(team.place).findLast(({ secrets, op }) => op === 'put' && secrets.length === 1)?.seq ?? 0;
  const lines = readFileSync(team.place.audit.path, 'utf8').split('\n');
  const at = lines.findIndex((line) => line.includes(`"seq":${seq - 1},`));
  lines[at] = lines[at]?.replace('"op":"put"', '"op":"rm"') ?? '';
  writeFileSync(team.place.audit.path, lines.join('\n'));
  await team.by('ada', async (ada) => {
    expect(await refused(ada)).toEqual(['INTEGRITY', expect.stringContaining('signature of record'), 7]);
  });
});
