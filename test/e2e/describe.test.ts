/** `put --keep`: what is said of a secret, without its value. */
import { describe, expect } from 'vitest';
import { addToken, holding } from '../support/binary-team.ts';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';

const told = ['type', 'description', 'tags', 'variable', 'rotateEverySeconds'] as const;

async function shown(vault: BinaryVault): Promise<Record<string, unknown>> {
  return (await vault.json(['show', 'canary'])) as Record<string, unknown>;
}

describe('put --keep', () => {
  scenario('changes all that is said, and neither value nor version nor age', async (vault) => {
    const before = await shown(vault);
    const flags = ['--type', 'password', '--description', 'of the canary', '--tag', 'team=core'];
    const more = ['--var', 'CANARY', '--rotate-every', '90d'];
    const done = await vault.json(['put', 'canary', '--keep', ...flags, ...more]);
    expect(done).toMatchObject({ name: 'canary', version: 1, created: false, dryRun: false });
    const after = await shown(vault);
    expect(Object.fromEntries(told.map((key) => [key, after[key]]))).toEqual({
      type: 'password',
      description: 'of the canary',
      tags: { team: 'core' },
      variable: 'CANARY',
      rotateEverySeconds: 90 * 86_400,
    });
    expect([after['version'], after['updated'], after['created']]).toEqual([
      1,
      before['updated'],
      before['created'],
    ]);
    expect(await vault.text('canary')).toBe(vault.canary.value);
    await vault.ok(['verify']);
    const [record] = (await vault.json([
      'audit',
      '--op',
      'put',
      '--name',
      'canary',
      '--last',
      '1',
    ])) as unknown[];
    expect(record).toMatchObject({ detail: 'metadata', success: true });
  });

  scenario('leaves standard input alone, and the rest of what is said', async (vault) => {
    await vault.ok(['put', 'canary', '--keep', '--tag', 'a=1', '--tag', 'b=2']);
    await vault.ok(['put', 'canary', '--keep', '--tag', 'a='], { input: 'no value' });
    expect(await shown(vault)).toMatchObject({ tags: { b: '2' }, version: 1 });
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });

  scenario('is taken back by undo, and tried by --dry-run', async (vault) => {
    const before = await shown(vault);
    await vault.ok(['put', 'canary', '--keep', '--type', 'token', '--dry-run']);
    expect((await shown(vault))['type']).toBe(before['type']);
    await vault.ok(['put', 'canary', '--keep', '--type', 'token']);
    expect((await shown(vault))['type']).toBe('token');
    await vault.ok(['undo']);
    expect((await shown(vault))['type']).toBe(before['type']);
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });

  scenario('refuses what is of a value, what is not there, and who may not write', async (vault) => {
    await vault.fails(2, ['put', 'canary', '--keep']);
    await vault.fails(2, ['put', 'canary', '--keep', '--expires', '30d']);
    for (const flag of [['--generate'], ['--file', 'x'], ['--exact'], ['--if-absent'], ['--field', 'x']])
      await vault.fails(2, ['put', 'canary', '--keep', '--type', 'note', ...flag]);
    await vault.fails(3, ['put', 'nothing', '--keep', '--type', 'note']);
    await vault.fails(8, ['put', 'canary', '--keep', '--type', 'note', '--if-version', '7']);
    const token = await addToken(vault, 'turner', '--can rotate,read --env development');
    await vault.fails(5, ['put', 'canary', '--keep', '--type', 'note'], holding(token));
    expect(await shown(vault)).toMatchObject({ type: 'other', version: 1 });
  });
});
