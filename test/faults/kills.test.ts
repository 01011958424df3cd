/** Killed at every system call on the vault's files: before the rename nothing has happened, after it all has, and the next command mends. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { BinaryVault, fastKdf, passphrase } from '../support/binary-vault.ts';
import { callsOf, withFault, type Call } from '../support/strace.ts';
import { lacking, skipped } from '../support/tools.ts';

const reason = lacking('strace');
const killed = 137;

/** Of the calls that take and free the lock, the first and the last. */
function chosen(calls: readonly Call[]): Call[] {
  const locking = calls.filter(({ name }) => name === 'fcntl');
  return calls.filter((call) => call.name !== 'fcntl' || call === locking[0] || call === locking.at(-1));
}

const commitOf = (calls: readonly Call[]): number =>
  calls.findIndex(({ name, text }) => name === 'rename' && text.includes('secrets.vault.new'));

function stateLeftovers(vault: BinaryVault): string[] {
  const folder = path.join(vault.state, 'vault');
  return !existsSync(folder)
    ? []
    : readdirSync(folder, { recursive: true })
        .map(String)
        .filter((name) => name !== 'undo' && !name.endsWith('.json'));
}

describe.skipIf(reason !== '')(`kill -9 at each storage call${skipped(reason)}`, () => {
  test.concurrent.for([
    { where: '', variables: {} },
    // No folder can be made there.
    { where: ', in a place without memory', variables: { XDG_STATE_HOME: '/sys/none' } },
  ])(
    'of put$where: the old value before the rename, the new one after it',
    { timeout: 120_000 },
    async ({ variables }) => {
      const vault = await BinaryVault.make(variables);
      const restore = vault.keep();
      const put = ['put', 'canary', '--exact'];
      const input = `${vault.canary.value}-new`;
      const calls = chosen(await callsOf(vault, put, { input }));
      const commit = commitOf(calls);
      expect(commit).toBeGreaterThan(15);
      expect(calls.length - commit).toBeGreaterThan(3);
      for (const [index, call] of calls.entries()) {
        const at = `${index} ${call.text}`;
        restore();
        const ended = await withFault(vault, call, 'signal=KILL', put, { input });
        expect([at, ended.status]).toEqual([at, killed]);
        const value = await vault.text('canary');
        expect([at, value]).toEqual([at, index <= commit ? vault.canary.value : input]);
        // What was acknowledged is there.
        const acknowledged = ended.stderr.includes('version 2');
        expect([at, acknowledged && value !== input]).toEqual([at, false]);
        await vault.ok(['verify']);
        await vault.put('canary', 'the next one');
        expect([at, await vault.text('canary')]).toEqual([at, 'the next one']);
        expect([at, vault.leftovers(), stateLeftovers(vault)]).toEqual([at, [], []]);
      }
      await vault.ok(['verify']);
      vault.expectNoLeak();
    },
  );

  test.concurrent(
    'of undo: the change is there before the rename and can be taken back again, it is taken back after it',
    { timeout: 120_000 },
    async () => {
      const vault = await BinaryVault.make();
      await vault.put('canary', 'changed', '--description', 'changed');
      const restore = vault.keep();
      const calls = chosen(await callsOf(vault, ['undo']));
      const commit = commitOf(calls);
      expect(commit).toBeGreaterThan(15);
      expect(calls.slice(commit).some(({ text }) => text.includes('undo/'))).toBe(true);
      for (const [index, call] of calls.entries()) {
        const at = `${index} ${call.text}`;
        restore();
        const ended = await withFault(vault, call, 'signal=KILL', ['undo']);
        expect([at, ended.status]).toEqual([at, killed]);
        const happened = index > commit;
        expect([at, await vault.text('canary')]).toEqual([at, happened ? vault.canary.value : 'changed']);
        // Taken back already, or not yet: never twice, which would bring the change back.
        const again = await vault.run(['undo']);
        const refusals = /took back put already|what was before .* is not kept/u;
        expect([at, again.status === 0 || refusals.test(again.stderr)]).toEqual([at, true]);
        expect([at, again.status === 0]).toEqual([at, !happened]);
        expect([at, await vault.text('canary')]).toEqual([at, vault.canary.value]);
        await vault.ok(['verify']);
        expect([at, vault.leftovers()]).toEqual([at, []]);
      }
      vault.expectNoLeak();
    },
  );

  test.concurrent(
    'of passwd: one passphrase opens, the old one before the rename, the new one after it',
    async () => {
      const vault = await BinaryVault.make();
      writeFileSync(vault.in('new'), 'another passphrase');
      const restore = vault.keep();
      const args = ['passwd', '--new-passphrase-file', 'new', ...fastKdf];
      // In put every write was its own case; here those of the new file are one.
      const all = await callsOf(vault, args);
      const calls = all.filter(
        ({ name, nth }) => name !== 'fcntl' && !(name === 'write' && nth > 3 && nth % 4 !== 0),
      );
      const commit = commitOf(calls);
      expect(commit).toBeGreaterThan(5);
      for (const [index, call] of calls.entries()) {
        restore();
        const ended = await withFault(vault, call, 'signal=KILL', args);
        expect([call.text, ended.status]).toEqual([call.text, killed]);
        const [right, wrong] =
          index <= commit ? [passphrase, 'another passphrase'] : ['another passphrase', passphrase];
        await vault.fails(4, ['get', 'canary'], { env: { VAULT_PASSPHRASE: wrong } });
        const { stdout } = await vault.ok(['get', 'canary'], {
          env: { VAULT_PASSPHRASE: right },
          shows: true,
        });
        expect(stdout.toString()).toBe(vault.canary.value);
        await vault.ok(['verify'], { env: { VAULT_PASSPHRASE: right } });
      }
    },
    120_000,
  );

  test.concurrent(
    'of get: the log is whole afterwards',
    async () => {
      const vault = await BinaryVault.make();
      const calls = await callsOf(vault, ['get', 'canary'], { shows: true });
      const flushed = calls.findIndex(
        ({ name, text }, index) =>
          name === 'fsync' && calls[index - 1]?.text.includes('write(') === true && text.includes('fsync'),
      );
      expect(flushed).toBeGreaterThan(0);
      for (const [index, call] of calls.entries()) {
        if (call.name === 'fcntl') continue;
        const ended = await withFault(vault, call, 'signal=KILL', ['get', 'canary'], { shows: true });
        expect([call.text, ended.status]).toEqual([call.text, killed]);
        // Nothing is shown before its record is on the disk.
        const early = index <= flushed && ended.stdout.length > 0;
        expect([call.text, early]).toEqual([call.text, false]);
        await vault.ok(['verify']);
      }
      expect(vault.leftovers()).toEqual([]);
    },
    120_000,
  );

  test.concurrent(
    'of init: the next init works, or the vault is whole',
    async () => {
      const first = new BinaryVault();
      const args = ['init', ...fastKdf, '--no-recovery'];
      const calls = await callsOf(first, args);
      expect(calls.length).toBeGreaterThan(15);
      let complete = 0;
      for (const call of calls) {
        if (call.name === 'fcntl') continue;
        const vault = new BinaryVault();
        const ended = await withFault(vault, call, 'signal=KILL', args);
        // Paths of the memory are not known beforehand: its calls do not count.
        expect([call.text, ended.status]).toEqual([call.text, killed]);
        const again = await vault.run(args);
        expect([call.text, again.status, again.stderr], again.stderr).toEqual([
          call.text,
          expect.toBeOneOf([0, 8]),
          again.stderr,
        ]);
        if (again.status === 8) complete += 1;
        await vault.put('x', 'y');
        expect(await vault.text('x')).toBe('y');
        await vault.ok(['verify']);
        expect(vault.leftovers()).toEqual([]);
      }
      expect(complete).toBeGreaterThan(0);
    },
    120_000,
  );

  test.concurrent('of init: a vault that exists has its recovery key in the file', async () => {
    const args = ['init', ...fastKdf, '--recovery-file', 'key'];
    const first = new BinaryVault();
    writeFileSync(first.in('new'), 'new');
    const calls = (await callsOf(first, args)).filter(({ name }) => name !== 'fcntl');
    const commit = calls.findIndex(({ name }) => name === 'rename');
    const wrong: string[] = [];
    for (const call of calls.slice(commit)) {
      const vault = new BinaryVault();
      writeFileSync(vault.in('new'), 'new');
      await withFault(vault, call, 'signal=KILL', args);
      if (!existsSync(vault.file)) continue;
      const key = existsSync(vault.in('key')) ? readFileSync(vault.in('key'), 'utf8') : '';
      const { status } = await vault.run([
        'recover',
        '--recovery-key-file',
        'key',
        '--new-passphrase-file',
        'new',
        '--no-recovery',
        ...fastKdf,
      ]);
      if (status !== 0) wrong.push(`${call.text}: key file of ${key.length} bytes, recover ${status}`);
    }
    expect(wrong).toEqual([]);
  });
});
