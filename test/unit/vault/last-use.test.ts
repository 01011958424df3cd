/** Last use is what the audit log says: through renames and new keys, and only what handed a value out. */
import { expect, test } from 'vitest';
import { rekeyEnvironments } from '../../../src/vault/operations/environments.ts';
import { getSecret } from '../../../src/vault/operations/get.ts';
import { showSecret } from '../../../src/vault/operations/history.ts';
import { lastUse, type LastUse } from '../../../src/vault/operations/last-use.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { asOwner, getIn } from '../../support/team.ts';
import { change, environment, undoTeam } from '../../support/undo-team.ts';

const used =
  (name: string) =>
  async (vault: Vault): Promise<LastUse | null> =>
    vault.read('show', async (scope) => lastUse(scope, vault.place, environment, name));

test('who received it last, and by what', async () => {
  const team = await undoTeam();
  expect(await asOwner(team, used('db'))).toBeNull();
  // What shows no value, or fails, is no use.
  await team.by('bob', async (vault) =>
    vault.read('show', async (scope) => showSecret(scope, environment, 'db')),
  );
  const missing = { environment, name: 'db', version: 9, field: null, allowExpired: false };
  await expect(
    team.by('bob', async (vault) => vault.read('get', async (scope) => getSecret(scope, missing))),
  ).rejects.toMatchObject({ exitCode: 3 });
  expect(await asOwner(team, used('db'))).toBeNull();
  await team.by('ada', async (vault) => getIn(vault, environment, 'db'));
  await team.by('bob', async (vault) => getIn(vault, environment, 'cache'));
  expect(await asOwner(team, used('db'))).toMatchObject({ by: 'ada', operation: 'get' });
  await team.by('bob', async (vault) => change.mv(vault, 'db', 'database'));
  await asOwner(team, async (owner) =>
    owner.write('rekey', async (scope) => Promise.resolve(rekeyEnvironments(scope, [environment]))),
  );
  // Another secret of the old name is another one.
  await team.by('bob', async (vault) => change.put(vault, 'db', 'new'));
  await team.by('bob', async (vault) => getIn(vault, environment, 'db'));
  expect(await asOwner(team, used('database'))).toMatchObject({ by: 'ada', operation: 'get' });
  expect(await asOwner(team, used('db'))).toMatchObject({ by: 'bob', operation: 'get' });
});
