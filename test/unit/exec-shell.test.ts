/** Commands that run while other things go on, and those that are kept from the terminal and ended with us. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { InterruptedError } from '../../src/errors.ts';
import { ChildKeeper } from '../../src/exec/child-keeper.ts';
import { runHook } from '../../src/exec/hook.ts';
import { awaitOutput } from '../../src/exec/output-of.ts';
import { isAlive } from '../support/hook-processes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const environment = { PATH: process.env['PATH'] };

function kept() {
  let printed = '';
  const report = async (bytes: Uint8Array): Promise<void> => {
    printed += Buffer.from(bytes).toString();
    return Promise.resolve();
  };
  const keeper = new ChildKeeper('nothing');
  return { keeper, report, printed: () => printed };
}

const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  );

describe('a command for a value', () => {
  test('does not hold up anything else', async () => {
    const folder = temporaryFolder();
    const go = path.join(folder, 'go');
    // It ends only if something else happens here meanwhile.
    setTimeout(() => {
      writeFileSync(go, '');
    }, 20);
    const wait = `for i in $(seq 100); do test -e '${go}' && break; sleep 0.05; done; test -e '${go}' && printf made`;
    const { status, output } = await awaitOutput(wait, environment, null);
    expect([status, Buffer.from(output).toString()]).toEqual([0, 'made']);
  });

  test('has the status of a shell, exact bytes, and a bound', async () => {
    expect((await awaitOutput('exit 7', environment, null)).status).toBe(7);
    expect((await awaitOutput('kill -9 $$', environment, null)).status).toBe(137);
    const { output } = await awaitOutput('printf "\\377\\000\\n"', environment, null);
    expect(output).toEqual(Uint8Array.of(0xff, 0, 0x0a));
    await expect(awaitOutput('yes', environment, null)).rejects.toMatchObject({ code: 'BACKEND' });
  });

  test('that is kept apart reads nothing, is in a session of its own, and what it says is reported', async () => {
    const { keeper, report, printed } = kept();
    const line = 'cat; echo said >&2; cut -d" " -f6 /proc/$$/stat';
    const { output } = await awaitOutput(line, environment, { keeper, report });
    expect(printed()).toBe('said\n');
    const ours = readFileSync('/proc/self/stat', 'latin1').split(' ')[5];
    expect(Buffer.from(output).toString().trim()).not.toBe(ours);
  });
});

describe('when a keeper ends its children', () => {
  test('they end with all that they have started, and none begins any more', async () => {
    const folder = temporaryFolder();
    const { keeper, report } = kept();
    const file = path.join(folder, 'pids');
    const line = `sleep 60 & echo $! > '${file}'; echo $$ >> '${file}'; echo begun >&2; wait`;
    const ended = failureOf(awaitOutput(line, environment, { keeper, report }));
    await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8').split('\n').length).toBe(3);
    await keeper.end();
    expect(await ended).toBeInstanceOf(InterruptedError);
    for (const pid of readFileSync(file, 'utf8').trim().split('\n'))
      expect([pid, isAlive(pid)]).toEqual([pid, false]);
    await expect(awaitOutput('true', environment, { keeper, report })).rejects.toThrow(InterruptedError);
  });

  test('whoever was left behind in the background is ended, too', async () => {
    const folder = temporaryFolder();
    const { keeper, report, printed } = kept();
    const file = path.join(folder, 'pid');
    const hook = { name: 'db', environment: 'development', old: null, value: Buffer.from('hunter22') };
    const line = `sleep 60 & echo $! > '${file}'; echo "$VAULT_NEW_VALUE"`;
    const ended = failureOf(runHook(line, hook, { environment, report, keeper }));
    await expect.poll(printed).toBe('********\n');
    await keeper.end();
    expect(await ended).toBeInstanceOf(InterruptedError);
    await expect.poll(() => isAlive(readFileSync(file, 'utf8'))).toBe(false);
  });

  test('a success that comes at the same time counts for nothing', async () => {
    const { keeper, report, printed } = kept();
    const line = 'trap "exit 0" TERM; echo ready >&2; while :; do sleep 0.01; done';
    const ended = failureOf(awaitOutput(line, environment, { keeper, report }));
    await expect.poll(printed).toBe('ready\n');
    await keeper.end();
    expect(await ended).toBeInstanceOf(InterruptedError);
  });
});
