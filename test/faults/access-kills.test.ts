/** Killed at every system call on the vault's files while keys are made anew: all of the old state, or all of the new one. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { BinaryVault, fastKdf, passphrase, type RunOptions } from '../support/binary-vault.ts';
import { addToken, getWith, holding } from '../support/binary-team.ts';
import { callsOf, withFault, type Call } from '../support/strace.ts';
import { lacking, skipped } from '../support/tools.ts';

const reason = lacking('strace');
const killed = 137;

/** Of the writes of the new file one in four, and of the calls that take and free the lock none: kills.test.ts has them all. */
function chosen(calls: readonly Call[]): Call[] {
  return calls.filter(({ name, nth }) => name !== 'fcntl' && !(name === 'write' && nth > 3 && nth % 4 !== 0));
}

const commitOf = (calls: readonly Call[]): number =>
  calls.findIndex(({ name, text }) => name === 'rename' && text.includes('secrets.vault.new'));

interface Case {
  readonly vault: BinaryVault;
  readonly args: readonly string[];
  readonly options?: RunOptions;
  /** What holds in the old state, and what in the new one. */
  readonly old: () => Promise<void>;
  readonly next: () => Promise<void>;
}

async function killedEverywhere({ vault, args, options, old, next }: Case): Promise<void> {
  const restore = vault.keep();
  const calls = chosen(await callsOf(vault, args, options));
  const commit = commitOf(calls);
  expect(commit).toBeGreaterThan(5);
  expect(calls.length - commit).toBeGreaterThan(1);
  for (const [index, call] of calls.entries()) {
    restore();
    const ended = await withFault(vault, call, 'signal=KILL', args, options);
    expect([index, call.text, ended.status]).toEqual([index, call.text, killed]);
    await (index <= commit ? old() : next());
    expect([call.text, vault.leftovers()]).toEqual([call.text, []]);
  }
  vault.expectNoLeak();
}

describe.skipIf(reason !== '')(`kill -9 at each storage call${skipped(reason)}`, () => {
  test.concurrent('of access rm: the token opens, or opens nothing', { timeout: 120_000 }, async () => {
    const vault = await BinaryVault.make();
    await vault.put('db', 'of staging', '-e', 'staging');
    const ci = await addToken(vault, 'ci', '--can read,write --env staging');
    const stays = await addToken(vault, 'stays', '--can read --env staging');
    const everybody = async (): Promise<void> => {
      await vault.ok(['verify']);
      expect(await vault.text('canary')).toBe(vault.canary.value);
      expect(await getWith(vault, stays, 'db')).toBe('of staging');
      await vault.put('db', 'of staging', '-e', 'staging');
    };
    const args = ['access', 'rm', 'ci', '--yes'];
    await killedEverywhere({
      vault,
      args,
      old: async () => {
        expect(await getWith(vault, ci, 'db')).toBe('of staging');
        await everybody();
        await vault.ok(args);
        await vault.ok(['verify']);
      },
      next: async () => {
        await vault.fails(4, ['get', 'db'], holding(ci));
        await everybody();
      },
    });
  });

  test.concurrent(
    'of passwd --compromised: one passphrase opens everything, the other one nothing',
    { timeout: 120_000 },
    async () => {
      const vault = await BinaryVault.make();
      const ci = await addToken(vault, 'ci', '--can read --env development');
      const next = vault.watch('a fresh passphrase');
      vault.credentialFile('new', next);
      const args = ['passwd', '--compromised', '--no-recovery', '--new-passphrase-file', 'new', ...fastKdf];
      const opens = async (right: string, wrong: string): Promise<void> => {
        await vault.fails(4, ['get', 'canary'], { env: { VAULT_PASSPHRASE: wrong } });
        const env = { VAULT_PASSPHRASE: right };
        const { stdout } = await vault.ok(['get', 'canary'], { env, shows: true });
        expect(stdout.toString()).toBe(vault.canary.value);
        await vault.ok(['verify'], { env });
        expect(await getWith(vault, ci, 'canary')).toBe(vault.canary.value);
        await vault.ok(['put', 'x', '--generate'], { env });
      };
      await killedEverywhere({
        vault,
        args,
        old: async () => opens(passphrase, next),
        next: async () => opens(next, passphrase),
      });
    },
  );

  const hers = 'a passphrase of hers';
  const asAda = { env: { VAULT_PASSPHRASE: hers, VAULT_PRINCIPAL: 'ada' } };
  const asking = ['join', '--request', '--name', 'ada', ...fastKdf];

  async function ask(vault: BinaryVault, ...more: readonly string[]): Promise<void> {
    const { stdout } = await vault.ok([...asking, ...more], asAda);
    writeFileSync(vault.in('request'), stdout);
  }

  function kept(vault: BinaryVault): string[] {
    const folder = path.join(vault.state, 'vault');
    return readdirSync(folder)
      .filter((name) => name.endsWith('.join'))
      .map((name) => readFileSync(path.join(folder, name), 'utf8'));
  }

  test.concurrent(
    'of join: the next one finishes it, or finds it finished',
    { timeout: 120_000 },
    async () => {
      const vault = await BinaryVault.make();
      vault.watch(hers);
      await ask(vault);
      const may = ['--can', 'read,write', '--env', 'development'];
      await vault.ok(['access', 'add', 'ada', ...may, '--request', 'request', '--yes']);
      const finished = async (): Promise<void> => {
        if (kept(vault).length > 0) await vault.ok(['join'], asAda);
        expect(kept(vault)).toEqual([]);
        const { stdout } = await vault.ok(['get', 'canary'], { ...asAda, shows: true });
        expect(stdout.toString()).toBe(vault.canary.value);
        await vault.ok(['verify'], asAda);
      };
      await killedEverywhere({ vault, args: ['join'], options: asAda, old: finished, next: finished });
    },
  );

  test.concurrent(
    'of join --request --replace: one request is there, whole',
    { timeout: 120_000 },
    async () => {
      const vault = await BinaryVault.make();
      vault.watch(hers);
      await ask(vault);
      const [before] = kept(vault);
      const restore = vault.keep();
      const again = [...asking, '--replace'];
      const calls = (await callsOf(vault, again, asAda)).filter(({ name }) => name !== 'fcntl');
      const commit = calls.findIndex(({ name, text }) => name === 'rename' && text.includes('.join'));
      expect(commit).toBeGreaterThan(1);
      for (const [index, call] of calls.entries()) {
        restore();
        const ended = await withFault(vault, call, 'signal=KILL', again, asAda);
        expect([call.text, ended.status]).toEqual([call.text, killed]);
        const [text = '', ...more] = kept(vault);
        expect([call.text, text === before, more]).toEqual([call.text, index <= commit, []]);
        expect(await vault.fails(8, asking, asAda)).toContain('--replace');
        await vault.ok(again, asAda);
        expect(vault.leftovers()).toEqual([]);
      }
      vault.expectNoLeak();
    },
  );
});
