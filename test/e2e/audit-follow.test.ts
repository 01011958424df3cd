/** `vault audit --follow`: what another process records appears, as one line each, until nobody reads or the log is not what it was. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { agedVault } from '../support/aged-vault.ts';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';
import { Following } from '../support/following.ts';

interface Entry {
  readonly sequence: number;
  readonly operation: string;
  readonly success: boolean;
  readonly context: { readonly session: string } | null;
  readonly secrets: readonly { readonly name: string | null }[];
}

const parsed = (line: string): Entry => JSON.parse(line) as Entry;
const isOf = (operation: string) => (line: string) => parsed(line).operation === operation;

async function follow(vault: BinaryVault, ...flags: readonly string[]): Promise<Following> {
  const following = new Following(vault, ['audit', '--follow', '--format', 'json', ...flags]);
  // What it has recorded of itself: from now on it waits.
  await following.line(isOf('audit'));
  return following;
}

describe('audit --follow', () => {
  scenario('shows what is there, and then what others record, in order and once', async (vault) => {
    const following = await follow(vault);
    expect(following.lines.slice(0, 3).map((line) => parsed(line).operation)).toEqual(['log', 'init', 'put']);
    await vault.get('canary');
    expect(parsed(await following.line(isOf('get')))).toMatchObject({
      success: true,
      secrets: [{ name: 'canary' }],
    });
    await vault.fails(3, ['get', 'absent']);
    await following.line((line) => !parsed(line).success);
    await vault.fails(4, ['ls'], { env: { VAULT_PASSPHRASE: 'wrong' } });
    await following.line(isOf('unlock'));
    await vault.put('next', 'x');
    await following.line((line) => parsed(line).secrets[0]?.name === 'next');
    following.interrupt();
    expect(await following.end()).toBe(130);
    const sequences = following.lines.map((line) => parsed(line).sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  });

  scenario('shows only what is asked for', async (vault) => {
    const following = new Following(vault, ['audit', '--follow', '--format', 'json', '--failed']);
    // It says nothing yet: it has begun when the log has a record of `audit` more than those of the questions.
    const question = ['audit', '--op', 'audit', '--last', '1000'];
    for (let asked = 0; ((await vault.json(question)) as Entry[]).length <= asked;) asked += 1;
    await vault.get('canary');
    await vault.fails(3, ['get', 'absent']);
    await following.line(isOf('get'));
    expect(following.lines).toHaveLength(1);
    following.interrupt();
    await following.end();
  });

  scenario('writes lines of syslog that nothing can break', async (vault) => {
    const following = new Following(vault, ['audit', '-f', '--format', 'syslog', '--last', '1']);
    await following.line((line) => line.includes('] audit ok'));
    const hostile = '"] \n<13>1 \u001b[31m\u202e\\';
    await vault.ok(['get', 'canary'], { shows: true, env: { CI_JOB_ID: hostile } });
    const line = await following.line((one) => one.includes('] get ok'));
    expect(line).toMatch(/^<110>1 \S+ \S+ vault - get \[vault@32473 seq="5" /u);
    expect(line).toContain('session="CI_JOB_ID=\\"\\] u+000a<13>1 u+001b[31mu+202e\\\\"');
    following.interrupt();
    expect(await following.end()).toBe(130);
    expect(following.lines.every((one) => one.startsWith('<'))).toBe(true);
  });

  scenario('ends with status 7 when the log becomes shorter', async (vault) => {
    await vault.get('canary');
    const following = await follow(vault);
    const lines = readFileSync(vault.log, 'utf8').split('\n');
    writeFileSync(vault.log, `${lines.slice(0, 3).join('\n')}\n`);
    expect(await following.end()).toBe(7);
    expect(following.errors).toContain('it was cut or exchanged');
  });

  scenario('ends when nobody reads any more', async (vault) => {
    const following = await follow(vault);
    following.stopReading();
    await vault.get('canary');
    expect(await following.end()).toBe(0);
    expect(following.errors).toBe('');
  });

  scenario('goes on when the log is pruned', async (vault) => {
    await agedVault(vault.in('aged.vault'));
    const of = ['--vault', 'aged.vault'];
    const following = await follow(vault, ...of);
    await vault.ok(['audit', 'prune', '--yes', ...of]);
    await following.line(isOf('audit-prune'));
    await vault.ok(['get', 'a', ...of]);
    await following.line(isOf('get'));
    following.interrupt();
    expect(await following.end()).toBe(130);
  });

  scenario('ends when access is taken away', async (vault) => {
    const flags = ['--can', 'read', '--env', 'development', '--token'];
    const { stdout } = await vault.ok(['access', 'add', 'ci', ...flags]);
    const token = vault.watch(stdout.toString('utf8').trim());
    const env = { VAULT_ACCESS_TOKEN: token, VAULT_PASSPHRASE: undefined };
    const following = new Following(vault, ['audit', '--follow', '--format', 'json'], env);
    await following.line(isOf('audit'));
    await vault.ok(['access', 'rm', 'ci', '--yes']);
    expect(await following.end()).toBe(4);
    expect(following.errors).toContain('your access to this vault was removed');
  });
});
