/** Many at once: nothing is lost, readers see one state or the other, and a dead holder is no holder. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { BinaryVault } from '../support/binary-vault.ts';
import { inContainer, namespacesLacking } from '../support/namespace.ts';
import { withFault } from '../support/strace.ts';
import { lacking, skipped } from '../support/tools.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** A put that tries again while others hold the lock, as its message says; it must not have happened then. */
async function persistentPut(vault: BinaryVault, name: string, value: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { status, stderr } = await vault.run(['put', name], { input: value });
    if (status === 0) return;
    expect([status, stderr, attempt < 6], stderr).toEqual([8, expect.stringMatching(/is locked by/u), true]);
  }
}

describe('at the same time', () => {
  test('40 writers of 40 names and 20 readers lose nothing', async () => {
    const vault = await BinaryVault.make();
    const { generation } = (await vault.json(['status'])) as { generation: number };
    const writers = numbers(40).map(async (number) =>
      persistentPut(vault, `name ${number}`, `value ${number}`),
    );
    const readers = numbers(20).map(async () => vault.run(['get', 'canary'], { shows: true }));
    await Promise.all(writers);
    for (const { status, stdout } of await Promise.all(readers)) {
      expect([status, stdout.toString()]).toEqual(status === 8 ? [8, ''] : [0, vault.canary.value]);
    }
    expect(await vault.json(['ls'])).toHaveLength(41);
    for (const number of [0, 7, 39]) expect(await vault.text(`name ${number}`)).toBe(`value ${number}`);
    expect(await vault.json(['status'])).toMatchObject({ generation: generation + 40 });
    await vault.ok(['verify']);
    const entries = (await vault.json(['audit', '--op', 'put', '--last', '100'])) as unknown[];
    expect(entries).toHaveLength(41);
    expect(vault.leftovers()).toEqual([]);
    vault.expectNoLeak();
  });

  test('40 writers of one name make 40 versions, and readers see one of them', async () => {
    const vault = await BinaryVault.make();
    await vault.put('x', 'value 0');
    const writers = numbers(40).map(async (number) => persistentPut(vault, 'x', `value ${number}`));
    const readers = numbers(20).map(async () => vault.run(['get', 'x']));
    await Promise.all(writers);
    for (const { status, stdout } of await Promise.all(readers)) {
      expect(`${status} ${stdout.toString()}`).toMatch(/^(?:0 value \d{1,2}|8 )$/u);
    }
    const { versions } = (await vault.json(['history', 'x'])) as { versions: { version: number }[] };
    expect(versions).toHaveLength(41);
    const values = await Promise.all(
      numbers(40).map(async (number) => vault.text('x', '--version', String(number + 2))),
    );
    expect(values.sort()).toEqual(
      numbers(40)
        .map((number) => `value ${number}`)
        .sort(),
    );
    await vault.ok(['verify']);
  });

  test('of 12 writers with --if-version one wins, and of 12 with --if-absent', async () => {
    const vault = await BinaryVault.make();
    const statuses = async (flags: readonly string[], name: string): Promise<number[]> => {
      const ended = await Promise.all(
        numbers(12).map(async (number) => vault.run(['put', name, ...flags], { input: `value ${number}` })),
      );
      return ended.map(({ status }) => status).sort((a, b) => a - b);
    };
    const oneWins = [0, ...numbers(11).map(() => 8)];
    expect(await statuses(['--if-version', '1'], 'canary')).toEqual(oneWins);
    expect(await statuses(['--if-absent'], 'new')).toEqual(oneWins);
    expect(await vault.json(['show', 'canary'])).toMatchObject({ version: 2 });
    await vault.ok(['verify']);
  });

  test('of 8 inits one makes the vault', async () => {
    const vault = new BinaryVault();
    const args = ['init', '--kdf', 'pbkdf2', '--iterations', '100000', '--no-recovery'];
    const ended = await Promise.all(numbers(8).map(async () => vault.run(args)));
    expect(ended.map(({ status }) => status).sort((a, b) => a - b)).toEqual([0, ...numbers(7).map(() => 8)]);
    await vault.put('x', 'y');
    await vault.ok(['verify']);
    expect(vault.leftovers()).toEqual([]);
  });
});

/** The process that holds the lock, once it is stopped: as if it thought for ever. */
async function stoppedHolder(vault: BinaryVault): Promise<number> {
  await expect
    .poll(() => textOf(vault.in('trace')), { timeout: 15_000, interval: 20 })
    .toMatch(/stopped by SIGSTOP/u);
  const [, pid] = /process (\d+) \(put\)/u.exec(textOf(`${vault.file}.lock-holder`)) ?? [];
  return Number(pid);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The flush of the new file: everything is prepared, and nothing has happened. */
const prepared = { name: 'fsync', nth: 2 };

const straceReason = lacking('strace');
describe.skipIf(straceReason !== '')(`a lock${skipped(straceReason)}`, () => {
  test('that is held is waited for, and the wait ends with 8 and the holder’s name; its death frees it at once', async () => {
    const vault = await BinaryVault.make();
    const holding = withFault(vault, prepared, 'signal=STOP', ['put', 'x', '--generate']);
    const holder = await stoppedHolder(vault);
    const started = Date.now();
    const waited = await Promise.all([
      vault.run(['get', 'canary']),
      vault.run(['put', 'y', '--generate']),
      vault.run(['exec', '--', 'true']),
      vault.run(['get', 'canary', '--json']),
    ]);
    const seconds = (Date.now() - started) / 1000;
    expect(waited.map(({ status }) => status)).toEqual([8, 8, 125, 8]);
    expect(seconds).toBeGreaterThan(5);
    expect(seconds).toBeLessThan(25);
    for (const { stdout, stderr } of waited) {
      expect(stdout.toString()).toBe('');
      expect(stderr).toContain(`process ${holder} (put)`);
    }
    expect(JSON.parse(waited[3].stderr)).toMatchObject({ code: 'LOCK_HELD' });

    process.kill(holder, 'SIGKILL');
    const freed = Date.now();
    await vault.put('z', 'after');
    expect(Date.now() - freed).toBeLessThan(5_000);
    expect(await holding).toMatchObject({ status: 137 });
    expect(await vault.text('z')).toBe('after');
    await vault.fails(3, ['get', 'x']);
    await vault.ok(['verify']);
    expect(vault.leftovers()).toEqual([]);
  });

  test('that is freed goes to who waits for it', async () => {
    const vault = await BinaryVault.make();
    const holding = withFault(vault, prepared, 'signal=STOP', ['put', 'canary'], { input: 'newer' });
    const holder = await stoppedHolder(vault);
    const reading = vault.text('canary');
    const writing = vault.put('y', 'after');
    process.kill(holder, 'SIGCONT');
    expect(await holding).toMatchObject({ status: 0 });
    await writing;
    // It had read the old file; what it shows is what is there when its record is written.
    expect(await reading).toBe('newer');
    expect(await vault.text('y')).toBe('after');
    await vault.ok(['verify']);
  });
});

const namespaceReason = namespacesLacking() || straceReason;
describe.skipIf(namespaceReason !== '')(`two containers${skipped(namespaceReason)}`, () => {
  test('with process numbers of their own, sharing a folder, lose nothing', async () => {
    const vault = await BinaryVault.make();
    const loop = (who: string): string =>
      `echo $$; for n in 1 2 3 4 5 6 7 8; do printf %s "$n" | "$VAULT" put "${who}/$n" --quiet & done; wait`;
    const ended = await Promise.all(
      ['one', 'two', 'three'].map(async (who) =>
        vault.runWith('unshare', inContainer(['bash', '-c', loop(who)]), { env: { VAULT: binary } }),
      ),
    );
    // Each was process 1 of its container.
    expect(ended.map(({ status, stdout, stderr }) => [status, stdout.toString(), stderr])).toEqual(
      numbers(3).map(() => [0, '1\n', '']),
    );
    expect(await vault.json(['ls'])).toHaveLength(25);
    await vault.ok(['verify']);
  });

  test('see each other’s lock, and its end with the container', async () => {
    const vault = await BinaryVault.make();
    const env = vault.environment();
    // Stops with the lock in its hands, just before the rename.
    const stop = ['-P', `${vault.file}.new`, '-e', 'trace=fsync', '-e', 'inject=fsync:signal=STOP:when=1'];
    const traced = ['strace', '-f', '-qq', '-o', vault.in('trace'), ...stop];
    const container = spawn('unshare', inContainer([...traced, binary, 'put', 'x', '--generate']), {
      env,
      cwd: vault.folder,
    });
    await expect
      .poll(() => textOf(vault.in('trace')), { timeout: 15_000, interval: 20 })
      .toMatch(/stopped by SIGSTOP/u);
    const { status, stderr } = await vault.runWith('unshare', inContainer([binary, 'get', 'canary']));
    expect([status, stderr]).toEqual([8, expect.stringMatching(/locked by process \d+ \(put\)/u)]);
    container.kill('SIGKILL');
    const after = await vault.runWith('unshare', inContainer([binary, 'put', 'y', '--generate']));
    expect([after.status, after.stderr]).toEqual([0, expect.stringContaining('version 1')]);
    await vault.fails(3, ['get', 'x']);
    await vault.ok(['verify']);
  });
});
