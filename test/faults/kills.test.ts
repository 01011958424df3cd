/** Killed at every system call on the vault's files: before the rename nothing has happened, after it all has, and the next command mends. */
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { BinaryVault, fastKdf, passphrase } from '../support/binary-vault.ts';
import { callsOf, withFault, type Call } from '../support/strace.ts';
import { lacking, skipped } from '../support/tools.ts';

const reason = lacking('strace');
const killed = 137;

/** Put vault and memory aside, and bring them back as they were. */
function keep(vault: BinaryVault): () => void {
  const folders = ['.vault', 'state'];
  for (const name of folders) cpSync(vault.in(name), vault.in('kept', name), { recursive: true });
  return () => {
    for (const name of folders) {
      rmSync(vault.in(name), { recursive: true, force: true });
      cpSync(vault.in('kept', name), vault.in(name), { recursive: true });
    }
  };
}

/** Of the calls that take and free the lock, the first and the last. */
function chosen(calls: readonly Call[]): Call[] {
  const locking = calls.filter(({ name }) => name === 'fcntl');
  return calls.filter((call) => call.name !== 'fcntl' || call === locking[0] || call === locking.at(-1));
}

const commitOf = (calls: readonly Call[]): number =>
  calls.findIndex(({ name, text }) => name === 'rename' && text.includes('secrets.vault.new'));

function stateLeftovers(vault: BinaryVault): string[] {
  return readdirSync(path.join(vault.state, 'vault')).filter((name) => !name.endsWith('.json'));
}

describe.skipIf(reason !== '')(`kill -9 at each storage call${skipped(reason)}`, () => {
  test('of put: the old value before the rename, the new one after it', async () => {
    const vault = await BinaryVault.make();
    const restore = keep(vault);
    const put = ['put', 'canary', '--exact'];
    const input = `${vault.canary.value}-new`;
    const calls = chosen(await callsOf(vault, put, { input }));
    const commit = commitOf(calls);
    expect(commit).toBeGreaterThan(15);
    expect(calls.length - commit).toBeGreaterThan(7);
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
  }, 120_000);

  test('of put, in a place without memory', async () => {
    // No folder can be made there.
    const vault = await BinaryVault.make({ XDG_STATE_HOME: '/sys/none' });
    const put = ['put', 'canary', '--exact'];
    const input = 'new';
    let before = vault.canary.value;
    const calls = (await callsOf(vault, put, { input })).filter(({ name }) => name !== 'fcntl');
    before = input;
    const commit = commitOf(calls);
    expect(commit).toBeGreaterThan(10);
    for (const call of calls) {
      const ended = await withFault(vault, call, 'signal=KILL', put, { input: `${input} ${call.text}` });
      expect([call.text, ended.status]).toEqual([call.text, killed]);
      const value = await vault.text('canary');
      expect([call.text, value]).toEqual([
        call.text,
        calls.indexOf(call) <= commit ? before : `${input} ${call.text}`,
      ]);
      before = value;
      await vault.ok(['verify']);
    }
  }, 120_000);

  test('of passwd: one passphrase opens, the old one before the rename, the new one after it', async () => {
    const vault = await BinaryVault.make();
    writeFileSync(vault.in('new'), 'another passphrase');
    const restore = keep(vault);
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
      const { stdout } = await vault.ok(['get', 'canary'], { env: { VAULT_PASSPHRASE: right }, shows: true });
      expect(stdout.toString()).toBe(vault.canary.value);
      await vault.ok(['verify'], { env: { VAULT_PASSPHRASE: right } });
    }
  }, 120_000);

  test('of get: the log is whole afterwards', async () => {
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
  }, 120_000);

  test('of init: the next init works, or the vault is whole', async () => {
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
  }, 120_000);
});
