/** The value before, for as long as it stays in use beside the new one. */
import { describe, expect } from 'vitest';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';

/** Variables of a program that begin with a prefix. */
async function variables(
  vault: BinaryVault,
  prefix: string,
  ...flags: readonly string[]
): Promise<Record<string, string>> {
  const { stdout } = await vault.ok(['exec', ...flags, '--', '/usr/bin/env', '-0'], { shows: true });
  const pairs = stdout
    .toString()
    .split('\0')
    .filter((pair) => pair.startsWith(prefix));
  return Object.fromEntries(pairs.map((pair) => pair.split('=') as [string, string]));
}

describe('rotate --grace', () => {
  scenario('the value before is handed out beside the new one, and only on request', async (vault) => {
    await vault.put('db', 'first-value');
    await vault.put('other', 'of-another');
    await vault.ok(['rotate', 'db', '--grace', '1d'], { input: 'second-value' });
    await vault.ok(['rotate', 'other'], { input: 'rotated-without' });
    expect(await variables(vault, 'DB')).toEqual({ DB: 'second-value' });
    expect(await variables(vault, 'DB', '--with-previous')).toEqual({
      DB: 'second-value',
      DB_PREVIOUS: 'first-value',
    });
    expect(await variables(vault, 'OTHER', '--with-previous')).toEqual({ OTHER: 'rotated-without' });
    expect(await variables(vault, 'Q_', '--with-previous', '--map', 'Q_=db')).toEqual({
      Q_: 'second-value',
      Q__PREVIOUS: 'first-value',
    });
    expect(await vault.text('db', '--version', 'previous')).toBe('first-value');
    expect((await vault.ok(['show', 'db'])).stdout.toString()).toMatch(/previous +in use until/u);
    const { graceUntil } = (await vault.json(['show', 'db'])) as { graceUntil: string };
    expect(Date.parse(graceUntil) - Date.now()).toBeGreaterThan(23 * 3_600_000);
  });

  scenario('as files, and of a field', async (vault) => {
    await vault.put('db', '{"user":"a","password":"one"}');
    await vault.ok(['rotate', 'db', '--grace', '1d'], { input: '{"user":"b","password":"two","extra":"x"}' });
    const flags = ['--with-previous', '--map', 'P=db#password', '--map', 'PX=db#extra', '--file', 'PF=db'];
    const { stdout } = await vault.ok(
      ['exec', ...flags, '--', '/bin/sh', '-c', 'echo $P $P_PREVIOUS [$PX_PREVIOUS]; cat $PF_PREVIOUS'],
      { shows: true },
    );
    expect(stdout.toString()).toBe('two one []\n{"user":"a","password":"one"}');
  });

  scenario('both values are masked', async (vault) => {
    await vault.put('db', 'first-value');
    await vault.ok(['rotate', 'db', '--grace', '1d'], { input: 'second-value' });
    const script = 'echo $DB $DB_PREVIOUS';
    const { stdout } = await vault.ok(['exec', '--mask', '--with-previous', '--', '/bin/sh', '-c', script]);
    expect(stdout.toString()).not.toMatch(/value/u);
  });

  scenario('a variable of that name is a collision, not a silent choice', async (vault) => {
    await vault.put('db', 'first-value');
    await vault.put('db_previous', 'mine');
    await vault.ok(['rotate', 'db', '--grace', '1d'], { input: 'second-value' });
    const failed = await vault.run(['exec', '--with-previous', '--', 'true']);
    expect(failed.status).toBe(125);
    expect(failed.stderr).toContain('DB_PREVIOUS from ');
  });

  scenario('not a duration is refused, and nothing is rotated', async (vault) => {
    await vault.put('db', 'first-value');
    await vault.fails(2, ['rotate', 'db', '--grace', 'soon'], { input: 'x' });
    expect(await vault.text('db')).toBe('first-value');
  });

  scenario('who-saw counts the value before as handed out', async (vault) => {
    await vault.put('db', 'first-value');
    await vault.ok(['rotate', 'db', '--grace', '1d'], { input: 'second-value' });
    await vault.ok(['exec', '--with-previous', '--', 'true']);
    const seen = await vault.ok(['audit', 'who-saw', 'db', '--version', '1']);
    expect(seen.stdout.toString()).toContain('exec');
  });
});
