/** Access that changes while others are at work: nothing is lost, and nobody sees anything between before and after. */
import { describe, expect, test } from 'vitest';
import { addToken, getWith, holding } from '../support/binary-team.ts';
import { BinaryVault } from '../support/binary-vault.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('at the same time', () => {
  test('12 principals are added by two administrators, while others write', async () => {
    const vault = await BinaryVault.make();
    const boss = await addToken(vault, 'boss', '--can admin');
    const flags = '--can read,write --env development';
    const adding = numbers(12).map(async (number) =>
      addToken(vault, `ci${number}`, flags, number % 2 === 0 ? {} : holding(boss)),
    );
    const writing = numbers(6).map(async (number) => vault.put(`name ${number}`, `value ${number}`));
    const tokens = await Promise.all(adding);
    await Promise.all(writing);
    expect(await vault.json(['access', 'ls'])).toHaveLength(14);
    expect(await Promise.all(tokens.map(async (token) => getWith(vault, token, 'name 3')))).toEqual(
      tokens.map(() => 'value 3'),
    );
    await vault.ok(['verify']);
    vault.expectNoLeak();
  });

  test('a token is removed while it is used: it works, or it is refused with 4', async () => {
    const vault = await BinaryVault.make();
    const token = await addToken(vault, 'ci', '--can read,write --env development');
    let removed = false;
    const statuses: number[] = [];
    const using = numbers(4).map(async (number) => {
      for (;;) {
        const over = removed;
        const args = number % 2 === 0 ? ['get', 'canary'] : ['put', 'x', '--generate'];
        const { status } = await vault.run(args, { ...holding(token), shows: true });
        statuses.push(status);
        // Whoever began after the removal was refused.
        if (over) return status;
      }
    });
    await vault.put('y', 'z');
    await vault.ok(['access', 'rm', 'ci', '--yes']);
    removed = true;
    expect(await Promise.all(using)).toEqual([4, 4, 4, 4]);
    expect(statuses.filter((status) => status !== 0 && status !== 4)).toEqual([]);
    expect(statuses).toContain(0);
    expect(await vault.text('canary')).toBe(vault.canary.value);
    await vault.ok(['verify']);
    vault.expectNoLeak();
  });
});
