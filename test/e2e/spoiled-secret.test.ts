/** A secret whose versions do not hold together, by somebody who may only rotate: the others are listed and rotated as ever. */
import { describe, expect } from 'vitest';
import { scenario } from '../support/binary-vault.ts';
import { spoiled } from '../support/spoiled-vault.ts';

describe('one secret that does not hold together', () => {
  scenario('is named by ls, with 7, and the others are listed', async (vault) => {
    await spoiled(vault);
    expect((await vault.ok(['ls', '-e', 'production'])).stdout.toString()).toBe('cache\ndb\n');
    const long = await vault.run(['ls', '--json', '-e', 'production']);
    expect(long.status).toBe(7);
    expect((JSON.parse(long.stdout.toString()) as { name: string }[]).map(({ name }) => name)).toEqual([
      'cache',
    ]);
    expect(long.stderr).toContain('db');
    const names = await vault.run(['ls', '--expiring', '1d', '-e', 'production']);
    expect([names.status, names.stdout.toString()]).toEqual([7, '']);
  });

  scenario('is named by the console, with 7, and the others are shown', async (vault) => {
    await spoiled(vault);
    const { status, stdout, stderr } = await vault.run(['console', '--json', '-e', 'production']);
    expect(status).toBe(7);
    expect(JSON.parse(stdout.toString())).toMatchObject({ secrets: [{ name: 'cache', rotating: null }] });
    expect(stderr).toContain('db');
  });

  scenario('does not keep the others from being rotated', async (vault) => {
    await spoiled(vault);
    const ended = await vault.run(['rotate', '--all', '--json', '-e', 'production']);
    expect(ended.status).toBe(1);
    const { results } = JSON.parse(ended.stdout.toString()) as { results: { name: string }[] };
    expect(results.toSorted((a, b) => a.name.localeCompare(b.name))).toMatchObject([
      { name: 'cache', version: 2, code: null },
      { name: 'db', version: null, code: 'INTEGRITY' },
    ]);
  });
});
