/** Rotating and deleting without the right to write, with the built binary: what others see of it, and who is said to have done it. */
import { describe, expect } from 'vitest';
import { addToken, getWith, holding } from '../support/binary-team.ts';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';

interface History {
  readonly versions: readonly {
    readonly version: number;
    readonly author: string;
    readonly operation: string;
  }[];
}

async function authors(vault: BinaryVault, name: string): Promise<string[]> {
  const { versions } = (await vault.json(['history', name])) as History;
  return versions.map(({ version, author, operation }) => `${version} ${author} ${operation}`);
}

describe('a principal that may only rotate', () => {
  scenario('adds what it cannot read; readers read it; the next writer folds it in', async (vault) => {
    await vault.put('db', 'one', '--description', 'the database', '--tag', 'team=core');
    const rotator = await addToken(vault, 'rotator', '--can rotate --env development');
    const reader = await addToken(vault, 'reader', '--can read --env development');
    const writer = await addToken(vault, 'writer', '--can read,write --env development');
    await vault.ok(['rotate', 'db'], { ...holding(rotator), input: vault.canary.value });
    expect(await vault.fails(5, ['get', 'db'], holding(rotator))).toContain('list');
    expect(await getWith(vault, reader, 'db')).toBe(vault.canary.value);
    expect(await getWith(vault, reader, 'db', '--version', '1')).toBe('one');
    await vault.ok(['verify'], holding(reader));
    for (const args of [
      ['put', 'db', '--generate'],
      ['put', 'new', '--generate'],
      ['rm', 'db', '--yes'],
      ['rm', 'db', '--purge', '--yes'],
      ['mv', 'db', 'mine'],
      ['cp', 'db', 'mine'],
      ['rollback', 'db', '--to', '1'],
      ['put', 'db', '--generate', '--description', 'mine'],
    ])
      await vault.fails(5, args, holding(rotator));
    await vault.fails(3, ['rotate', 'new'], holding(rotator));
    expect(await vault.json(['status'])).toMatchObject({ generation: 7 });

    await vault.ok(['put', 'unrelated', '--generate'], holding(writer));
    expect(await authors(vault, 'db')).toEqual(['1 owner put', '2 rotator rotate']);
    expect(await vault.json(['show', 'db'])).toMatchObject({
      version: 2,
      description: 'the database',
      tags: { team: 'core' },
    });
    expect(await vault.json(['audit', '--name', 'db', '--op', 'rotate'])).toMatchObject([
      { principal: 'rotator', success: true, secrets: [{ name: 'db', version: 2 }] },
    ]);
    expect(await getWith(vault, reader, 'db')).toBe(vault.canary.value);
    await vault.ok(['verify']);
  });

  scenario('follows another one: every version stays', async (vault) => {
    await vault.put('db', 'one');
    const first = await addToken(vault, 'first', '--can rotate --env development');
    const second = await addToken(vault, 'second', '--can rotate --env development');
    for (const [token, input] of [
      [first, 'two'],
      [second, 'three'],
      [first, 'four'],
    ] as const)
      await vault.ok(['rotate', 'db'], { ...holding(token), input });
    expect(await vault.text('db')).toBe('four');
    await vault.put('db', 'five');
    expect(await authors(vault, 'db')).toEqual([
      '1 owner put',
      '2 first rotate',
      '3 second rotate',
      '4 first rotate',
      '5 owner put',
    ]);
    // Removed, it is still the author of what it wrote.
    await vault.ok(['access', 'rm', 'first', '--yes']);
    expect(await authors(vault, 'db')).toContain('2 first rotate');
    expect(await vault.text('db', '--version', '4')).toBe('four');
    await vault.ok(['verify']);
  });

  scenario('loses its right, and what it added is still there', async (vault) => {
    await vault.put('db', 'one');
    const token = await addToken(vault, 'rotator', '--can rotate --env development');
    await vault.ok(['rotate', 'db'], { ...holding(token), input: 'two' });
    await vault.ok(['access', 'revoke', 'rotator', '--can', 'rotate', '--env', 'development']);
    await vault.fails(5, ['rotate', 'db'], holding(token));
    expect(await vault.text('db')).toBe('two');
    await vault.ok(['verify']);
  });
});

describe('a principal that may only delete', () => {
  scenario('removes; a writer restores', async (vault) => {
    await vault.put('db', 'one');
    const deleter = await addToken(vault, 'deleter', '--can delete --env development');
    const writer = await addToken(vault, 'writer', '--can read,write --env development');
    await vault.ok(['rm', 'db', '--yes'], holding(deleter));
    await vault.fails(3, ['get', 'db']);
    expect(await vault.json(['ls', '--removed'])).toMatchObject([{ name: 'db' }]);
    await vault.fails(5, ['restore', 'db'], holding(deleter));
    await vault.ok(['put', 'unrelated', '--generate'], holding(writer));
    await vault.ok(['restore', 'db'], holding(writer));
    expect(await vault.text('db')).toBe('one');
    await vault.ok(['verify']);
  });

  scenario('purges; nothing of it is left after the next write', async (vault) => {
    await vault.put('db', vault.canary.value);
    await vault.put('db', 'two');
    const deleter = await addToken(vault, 'deleter', '--can delete --env development');
    await vault.ok(['rm', 'db', '--purge', '--yes'], holding(deleter));
    await vault.fails(3, ['get', 'db']);
    await vault.fails(3, ['restore', 'db']);
    await vault.ok(['verify']);
    await vault.put('db', 'anew');
    expect(await authors(vault, 'db')).toEqual(['1 owner put']);
    await vault.ok(['verify']);
    for (const args of [
      ['put', 'db', '--generate'],
      ['rotate', 'db'],
      ['mv', 'db', 'mine'],
      ['get', 'db'],
    ])
      await vault.fails(5, args, holding(deleter));
  });
});
