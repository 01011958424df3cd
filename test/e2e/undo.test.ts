/** `vault undo` as people use it: what it says, what it does, what it refuses. */
import { writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { addToken, holding } from '../support/binary-team.ts';
import { scenario } from '../support/binary-vault.ts';

/** It says when the change was. */
const timeless = (text: string): string => text.replace(/\bat \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/u, 'at TIME');

describe('vault undo', () => {
  scenario('says what it took back', async (vault) => {
    await vault.put('canary', 'a mistake', '--tag', 'a=b');
    const trial = await vault.ok(['undo', '--dry-run']);
    expect([trial.stdout.toString(), timeless(trial.stderr)]).toEqual([
      '',
      'vault: put of "canary" in development at TIME would be taken back: version 3 would have the value of version 1, its metadata would be as before\n',
    ]);
    expect(await vault.text('canary')).toBe('a mistake');
    const { stdout, stderr } = await vault.ok(['undo']);
    expect([stdout.toString(), timeless(stderr)]).toEqual([
      '',
      'vault: put of "canary" in development at TIME taken back: version 3 has the value of version 1, its metadata is as before\n',
    ]);
    expect(await vault.text('canary')).toBe(vault.canary.value);
    expect((await vault.ok(['undo', '--redo', '-q'])).stderr).toBe('');
    expect(await vault.text('canary')).toBe('a mistake');
  });

  scenario('of every kind of change, one sentence each', async (vault) => {
    const said = async (args: readonly string[], input?: string): Promise<string> => {
      await vault.ok(args, input === undefined ? {} : { input });
      return timeless((await vault.ok(['undo'])).stderr)
        .replace(/^vault: /u, '')
        .trimEnd();
    };
    expect(await said(['put', 'new'], 'x')).toBe(
      'put of "new" in development at TIME taken back: it is removed; `vault restore` brings it back',
    );
    expect(await said(['mv', 'canary', 'bird'])).toBe(
      'mv of "bird" in development at TIME taken back: it is "canary" again',
    );
    expect(await said(['rm', 'canary'])).toBe(
      'rm of "canary" in development at TIME taken back: it is there again',
    );
    expect(await said(['cp', 'canary', 'canary', '--to-env', 'staging'])).toBe(
      'cp of "canary" in staging at TIME taken back: it is removed; `vault restore` brings it back',
    );
    expect(await said(['rotate', 'canary'])).toBe(
      'rotate of "canary" in development at TIME taken back: version 3 has the value of version 1',
    );
    expect(await said(['rollback', 'canary', '--to', '2'])).toBe(
      'rollback of "canary" in development at TIME taken back: version 5 has the value of version 3',
    );
    writeFileSync(vault.in('.env'), 'A=1\nB=2\ncanary=3\n');
    expect(await said(['import', '.env'])).toBe(
      'import of 3 secrets in development at TIME taken back: 2 removed, 1 with the value of before',
    );
    expect(await said(['rotate', '--all', '--generate'])).toBe(
      'rotate of "canary" in development at TIME taken back: version 9 has the value of version 7',
    );
    expect(await vault.text('canary')).toBe(vault.canary.value);
    expect(await vault.json(['ls', '--all-environments'])).toMatchObject([{ name: 'canary' }]);
    await vault.ok(['verify']);
    await vault.ok(['audit', 'verify']);
  });

  scenario('is refused by name, with a way out', async (vault) => {
    expect(await vault.fails(3, ['undo'], { env: { XDG_STATE_HOME: vault.in('elsewhere') } })).toMatch(
      /is not kept on this machine\nvault: `vault rm "canary"` removes it/u,
    );
    await vault.ok(['undo']);
    expect(await vault.fails(2, ['undo'])).toMatch(/took back put already\nvault: `vault undo --redo`/u);
    await vault.ok(['restore', 'canary']);
    await vault.ok(['rotate', 'canary', '--apply', 'true', '--check', 'true']);
    expect(await vault.fails(2, ['undo'])).toContain(
      '`vault get "canary" --version 1 | vault rotate "canary" --apply',
    );
    const token = await addToken(vault, 'ci', '--can read,write,delete --env development');
    expect(await vault.fails(2, ['undo'])).toMatch(
      /access add .* cannot be taken back\nvault: `vault access`/u,
    );
    expect(await vault.fails(3, ['undo'], holding(token))).toContain('no change of yours');
    await vault.put('canary', 'mine');
    await vault.ok(['put', 'canary'], { ...holding(token), input: 'theirs' });
    expect(await vault.fails(8, ['undo'])).toContain(
      '"canary" in development is at version 4, which ci wrote at ',
    );
    expect(await vault.text('canary')).toBe('theirs');
    await vault.ok(['undo'], holding(token));
    expect(await vault.text('canary')).toBe('mine');
    await vault.fails(2, ['undo', 'canary']);
    expect(await vault.fails(2, ['undo', '-e', 'staging'])).toContain('not in staging');
  });

  scenario('leaves its trace in the log, and the next change counts on from it', async (vault) => {
    await vault.put('canary', 'two');
    await vault.ok(['undo']);
    expect(await vault.json(['audit', '--op', 'undo'])).toMatchObject([
      {
        success: true,
        detail: expect.stringMatching(/^put \d+$/u) as unknown,
        secrets: [{ name: 'canary', version: 3 }],
      },
    ]);
    await vault.fails(8, ['put', 'canary', '--if-version', '2'], { input: 'x' });
    await vault.ok(['put', 'canary', '--if-version', '3'], { input: 'x' });
  });
});
