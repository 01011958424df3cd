/** Rotation against a real Redis, where old and new password are valid beside each other until the old one is retired: no login ever fails. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BinaryVault } from '../support/binary-vault.ts';
import { Redis, redisMissing } from '../support/redis.ts';
import { skipped } from '../support/tools.ts';

const missing = await redisMissing();

/** As docs/rotation.md has it: no value is an argument of a program, nor a part of a command. */
const acl = (change: string): string =>
  `hash=$(printf %s "$PASSWORD" | sha256sum | cut -c1-64); echo "ACL SETUSER default ${change}$hash" | redis-cli -s "$SOCKET" --no-auth-warning | grep -q OK`;
const asOld = 'export REDISCLI_AUTH="$VAULT_OLD_VALUE"';
const apply = `${asOld}; PASSWORD="$VAULT_NEW_VALUE"; ${acl('#')}`;
const undo = `${asOld}; PASSWORD="$VAULT_NEW_VALUE"; ${acl('!')}`;
const check = `REDISCLI_AUTH="$VAULT_NEW_VALUE" redis-cli -s "$SOCKET" --no-auth-warning ping | grep -q PONG`;

describe.skipIf(missing !== null)(`against Redis${skipped(missing ?? '')}`, () => {
  let server: Redis;
  let vault: BinaryVault;

  beforeAll(async () => {
    server = await Redis.start('first');
    vault = await BinaryVault.make();
    await vault.put('redis', 'first');
  }, 60_000);

  afterAll(async () => server.stop());

  const env = (): Record<string, string> => ({ SOCKET: server.socket });
  const rotate = async (...args: readonly string[]): Promise<number> =>
    (await vault.run(['rotate', ...args], { env: env() })).status;

  test('both passwords log in after it, and the new one is current', async () => {
    expect(await rotate('redis', '--apply', apply, '--check', check, '--undo', undo)).toBe(0);
    const value = await vault.text('redis');
    expect(value).not.toBe('first');
    expect([server.accepts(value), server.accepts('first')]).toEqual([true, true]);
    expect(server.accepts('neither')).toBe(false);
  });

  test('a failing check leaves the old one, and takes the new one away', async () => {
    const old = await vault.text('redis');
    expect(await rotate('redis', '--apply', apply, '--check', `${check} && false`, '--undo', undo)).toBe(9);
    expect(await vault.text('redis')).toBe(old);
    expect(server.accepts(old)).toBe(true);
    const { versions } = (await vault.json(['history', 'redis'])) as {
      versions: { version: number; state: string }[];
    };
    expect(versions.at(-1)).toMatchObject({ version: 3, state: 'withdrawn' });
    expect(server.accepts(await vault.text('redis', '--version', '3'))).toBe(false);
  });

  test('killed in the middle, it is resumed, and no login failed', async () => {
    const old = await vault.text('redis');
    expect(await rotate('redis', '--apply', `${apply}\nkill -9 $PPID; wait`, '--check', check)).toBe(137);
    expect(server.accepts(old)).toBe(true);
    expect(await vault.text('redis')).toBe(old);
    expect(await rotate('--resume', '--apply', apply, '--check', check, '--undo', undo)).toBe(0);
    expect(server.accepts(await vault.text('redis'))).toBe(true);
    vault.expectNoLeak();
  });
});
