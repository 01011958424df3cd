/** What people see of a hostile or hasty newcomer: exit codes and warnings of the binary. */
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fastKdf } from '../support/binary-vault.ts';
import { Team } from '../support/shared-vaults.ts';

test('a second request is refused with 8 and says how it is meant; --replace gives the first up', async () => {
  const team = new Team();
  await team.found('--no-recovery');
  const ask = ['join', '--request', '--name', 'ada', ...fastKdf];
  const env = team.machine('ada');
  await team.vault.ok(ask, { env });
  const again = await team.vault.run(ask, { env });
  expect([again.status, again.stdout.length]).toEqual([8, 0]);
  expect(again.stderr).toContain('--replace');
  const { stdout } = await team.vault.ok([...ask, '--replace'], { env });
  const file = team.vault.in('ada.request');
  writeFileSync(file, stdout);
  const flags = ['--can', 'read', '--env', 'development', '--request', file, '--yes'];
  await team.as('owner', ['access', 'add', 'ada', ...flags]);
  await team.join('ada');
  await team.as('ada', ['verify']);
});

test('a newcomer is announced on standard error by the change that completes it, once', async () => {
  const team = new Team();
  await team.found('--no-recovery');
  await team.invite('ada', '--can', 'read', '--env', 'development');
  await team.accept('ada');
  const put = async (value: string): Promise<string> =>
    (await team.as('owner', ['put', '--exact', '--', 'db'], { input: value })).stderr;
  expect(await put('one')).toContain('ada has joined');
  expect(await put('two')).not.toContain('ada has joined');
  await team.as('ada', ['verify']);
});
