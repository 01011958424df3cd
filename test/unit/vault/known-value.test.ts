/** Values that come back: who may know them is told, also after new keys; what was let go, or settled in somebody else's name, is not mistaken. */
import { readFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { attachHook, setHook } from '../../../src/vault/operations/hook-changes.ts';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { offboardStatus } from '../../../src/vault/operations/offboard.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { putSecret } from '../../../src/vault/operations/put.ts';
import { traceStep } from '../../../src/vault/operations/rotation-target.ts';
import { rollbackSecret } from '../../../src/vault/operations/history.ts';
import { utf8 } from '../../../src/crypto/bytes.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { failureOf } from '../../support/failure.ts';
import { asOwner, getIn, remove, told } from '../../support/team.ts';
import { change, environment, undoTeam, type UndoTeam } from '../../support/undo-team.ts';
import { redo, undo } from '../../support/undoing.ts';

let team: UndoTeam;

beforeEach(async () => {
  team = await undoTeam();
});

const open = async (): Promise<string[]> =>
  asOwner(team, async (owner) => {
    const { secrets } = await owner.read('offboard-status', async (scope) => offboardStatus(scope, 'bob'));
    return secrets.map(({ name }) => name).toSorted();
  });

test.each(['undo', 'rollback'] as const)(
  '%s to a value that somebody gone may know is told, after new keys too',
  async (how) => {
    await asOwner(team, async (owner) => remove(owner, 'bob'));
    expect(await open()).toEqual(['cache', 'db']);
    await team.by('ada', async (vault) => change.put(vault, 'cache', 'new'));
    await team.by('ada', async (vault) => change.put(vault, 'db', 'new'));
    expect(await open()).toEqual([]);
    await asOwner(team, async (owner) =>
      owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, [environment]))),
    );
    const back = async (vault: Vault): Promise<unknown> =>
      how === 'undo'
        ? undo(vault)
        : vault.write('rollback', async (scope) => rollbackSecret(scope, { environment, name: 'db', to: 1 }));
    const heard = await team.by('ada', async (vault) => told(vault, back));
    expect(heard).toEqual(['bob may know version 1 of "db", whose value is back: rotate it']);
    expect(await open()).toEqual(['db']);
  },
);

test('a value that comes back expired is told', async () => {
  await asOwner(team, async (owner) => {
    const expires = new Date(Date.now() - 1_000);
    await owner.write('put', async (scope) =>
      putSecret(scope, {
        environment,
        name: 'db',
        value: utf8('x'),
        operation: 'put',
        metadata: { expires },
      }),
    );
    await change.put(owner, 'db', 'two', { metadata: { expires: null } });
    expect(await told(owner, undo)).toEqual([expect.stringContaining('whose value is back, expired at')]);
  });
});

test('what an undo took the place of is kept, so that it can be brought back', async () => {
  await asOwner(team, async (owner) => {
    await owner.write('policy-set', async (scope) =>
      Promise.resolve(setPolicy(scope, 'retention.versions', '1')),
    );
    await owner.write('rotate', async (scope) =>
      putSecret(scope, {
        environment,
        name: 'db',
        value: utf8('two'),
        operation: 'rotate',
        graceUntil: new Date(Date.now() + 3_600_000),
      }),
    );
    await undo(owner);
    await redo(owner);
    expect(await getIn(owner, environment, 'db')).toBe('two');
  });
});

test('an old value that was let go where it is used does not come back by itself', async () => {
  await asOwner(team, async (owner) => {
    await owner.write('rotate', async (scope) =>
      putSecret(scope, { environment, name: 'db', value: utf8('two'), operation: 'rotate' }),
    );
    await owner.read('rotate-retire', async (scope) =>
      traceStep(scope, 'rotate-retire', { environment, name: 'db', version: 2 }),
    );
    const failure = await failureOf(undo(owner));
    expect([failure.exitCode, failure.message]).toEqual([
      2,
      expect.stringContaining('brought the new value'),
    ]);
  });
});

test('a record of somebody else does not make a change of mine undone', async () => {
  await team.by('ada', async (vault) => change.put(vault, 'cache', 'older'));
  await team.by('ada', async (vault) => change.put(vault, 'db', 'newer'));
  const records = readFileSync(team.place.audit.path, 'utf8').trim().split('\n');
  const mine = records
    .map((line) => JSON.parse(line) as { op: string; seq: number })
    .findLast(({ op }) => op === 'put');
  await team.by('rotator', async (vault) =>
    vault.read('aborted', async (scope) => {
      scope.trace.detail = String(mine?.seq);
      return Promise.resolve();
    }),
  );
  await team.by('ada', async (vault) => {
    await undo(vault);
    expect([await getIn(vault, environment, 'db'), await getIn(vault, environment, 'cache')]).toEqual([
      'one',
      'older',
    ]);
  });
});

test('the hook of a secret is taken back, too', async () => {
  await asOwner(team, async (owner) => {
    await owner.write('policy-set', async (scope) =>
      setHook(scope, environment, 'x', { use: null, commands: { apply: 'true' } }),
    );
    await owner.write('hook-use', async (scope) => attachHook(scope, environment, ['db'], 'x'));
    const { secrets } = await undo(owner);
    expect(secrets).toMatchObject([{ name: 'db', metadata: true, valueOf: null }]);
    await owner.read('show', async (scope) => {
      const entry = await (await scope.reader(environment)).find('db');
      expect(entry?.hook).toBe('');
    });
  });
});
