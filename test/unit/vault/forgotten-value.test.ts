/** Values that a server may have, and that the vault would otherwise forget without a word. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import type { HookDefinition } from '../../../src/format/hook.ts';
import { getSecret } from '../../../src/vault/operations/get.ts';
import { rollbackSecret } from '../../../src/vault/operations/history.ts';
import { attachHook, removeHook, setHook } from '../../../src/vault/operations/hook-changes.ts';
import { putSecret } from '../../../src/vault/operations/put.ts';
import { stageRotation } from '../../../src/vault/operations/rotation.ts';
import { traceStep } from '../../../src/vault/operations/rotation-target.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { asOwner, remove, told } from '../../support/team.ts';
import { change, environment, undoTeam, type UndoTeam } from '../../support/undo-team.ts';

let team: UndoTeam;

const shell = (commands: Record<string, string>): HookDefinition => ({ use: null, commands });
const lets = shell({ apply: 'true', check: 'true', retire: 'true' });
const keeps = shell({ apply: 'true', check: 'true' });

const set = async (vault: Vault, hook: HookDefinition): Promise<unknown> =>
  vault.write('policy-set', async (scope) => setHook(scope, environment, 'x', hook));
const use = async (vault: Vault, id: string): Promise<unknown> =>
  vault.write('hook-use', async (scope) => attachHook(scope, environment, ['db'], id));

async function rotated(vault: Vault, value: string, graceUntil: Date | null = new Date()): Promise<unknown> {
  const options = { environment, name: 'db', value: utf8(value), graceUntil, operation: 'rotate' } as const;
  return vault.write('rotate', async (scope) => putSecret(scope, options));
}

const retired = async (vault: Vault): Promise<unknown> =>
  vault.read('rotate-retire', async (scope) =>
    traceStep(scope, 'rotate-retire', { environment, name: 'db', version: 2 }),
  );

beforeEach(async () => {
  team = await undoTeam();
  await asOwner(team, async (owner) => {
    await set(owner, lets);
    await use(owner, 'x');
    await rotated(owner, 'two');
  });
});

const notLetGo = expect.stringContaining('the value before version 2 of "db" was not let go') as string;

describe('an old value that a hook was to let go is told of', () => {
  test.each<[string, (vault: Vault) => Promise<unknown>]>([
    ['when a new value comes by hand', async (vault) => change.put(vault, 'db', 'three')],
    ['when one comes by another hook', async (vault) => rotated(vault, 'three', null)],
    [
      'when an old one comes back',
      async (vault) =>
        vault.write('rollback', async (scope) => rollbackSecret(scope, { environment, name: 'db', to: 1 })),
    ],
    ['when the secret gets no hook', async (vault) => use(vault, '')],
    ['when its hook lets nothing go any more', async (vault) => set(vault, keeps)],
    [
      'when its hook goes',
      async (vault) => vault.write('policy-set', async (scope) => removeHook(scope, environment, 'x')),
    ],
  ])('%s', async (_, work) => {
    await asOwner(team, async (owner) => {
      expect(await told(owner, work)).toContainEqual(notLetGo);
    });
    // Once is enough.
    await asOwner(team, async (owner) => {
      expect(await told(owner, async (vault) => change.put(vault, 'db', 'four'))).not.toContainEqual(
        notLetGo,
      );
    });
  });

  test('and not where it was let go, nor where nothing is changed in earnest', async () => {
    await asOwner(team, async (owner) => {
      const trial = async (vault: Vault): Promise<unknown> =>
        vault.write('put', async (scope) => {
          await putSecret(scope, { environment, name: 'db', value: utf8('three'), operation: 'put' });
          scope.discard();
        });
      expect(await told(owner, trial)).not.toContainEqual(notLetGo);
      expect(await told(owner, async (vault) => set(vault, lets))).toEqual([]);
      expect(await told(owner, async (vault) => use(vault, 'x'))).toEqual([]);
      await retired(owner);
      expect(await told(owner, async (vault) => change.put(vault, 'db', 'three'))).not.toContainEqual(
        notLetGo,
      );
    });
  });

  test('and not of a hook that lets nothing go', async () => {
    await asOwner(team, async (owner) => {
      await set(owner, keeps);
      expect(await told(owner, async (vault) => change.put(vault, 'db', 'three'))).not.toContainEqual(
        notLetGo,
      );
    });
  });
});

test('a rotation that ends with the removal of who began it is told of, and its value is kept', async () => {
  const { version } = await team.by('rotator', async (vault) =>
    vault.write('rotate-stage', async (scope) =>
      stageRotation(scope, {
        environment,
        name: 'cache',
        value: utf8('applied'),
        ifVersion: null,
        graceUntil: null,
      }),
    ),
  );
  await asOwner(team, async (owner) => {
    expect(await told(owner, async (vault) => remove(vault, 'rotator'))).toContainEqual(
      expect.stringContaining(
        `the rotation of "cache" in ${environment} by rotator is withdrawn: version ${version}, which is kept`,
      ),
    );
    const options = { environment, name: 'cache', version, field: null, allowExpired: false };
    const { value } = await owner.read('get', async (scope) => getSecret(scope, options));
    expect(Buffer.from(value.bytes).toString()).toBe('applied');
  });
  const records = readFileSync(team.place.audit.path, 'utf8').trim().split('\n');
  const { detail } = records
    .map((line) => JSON.parse(line) as { op: string; detail: string })
    .findLast(({ op }) => op === 'access-rm') ?? { detail: '' };
  expect([detail.includes('a rotation by rotator is withdrawn'), detail.includes('cache')]).toEqual([
    true,
    false,
  ]);
});
