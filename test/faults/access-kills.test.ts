/** Killed at every system call on the vault's files while keys are made anew: all of the old state, or all of the new one. */
import { describe, expect, test } from 'vitest';
import { BinaryVault, fastKdf, passphrase } from '../support/binary-vault.ts';
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
  /** What holds in the old state, and what in the new one. */
  readonly old: () => Promise<void>;
  readonly next: () => Promise<void>;
}

async function killedEverywhere({ vault, args, old, next }: Case): Promise<void> {
  const restore = vault.keep();
  const calls = chosen(await callsOf(vault, args));
  const commit = commitOf(calls);
  expect(commit).toBeGreaterThan(5);
  expect(calls.length - commit).toBeGreaterThan(1);
  for (const [index, call] of calls.entries()) {
    restore();
    const ended = await withFault(vault, call, 'signal=KILL', args);
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
});
