/** A secret whose versions do not hold together, by somebody who may only rotate: the others are listed and rotated as ever. */
import { describe, expect } from 'vitest';
import type { ValueLine } from '../../src/format/lines.ts';
import { addToken, holding } from '../support/binary-team.ts';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';
import { Forgery, type Open } from '../support/forgery.ts';
import { placeIn } from '../support/sample-vault.ts';
import { openToken } from '../support/team.ts';

async function spoiled(vault: BinaryVault): Promise<void> {
  for (const name of ['cache', 'db'])
    await vault.put(name, 'one', '--rotate-every', '1s', '-e', 'production');
  const token = await addToken(vault, 'ci', '--can rotate --env production');
  await vault.ok(['rotate', 'db', '-e', 'production'], holding(token));
  const open = await openToken(placeIn(vault.folder, { path: vault.file }), token);
  const signer = { principal: open.identity.principal, signing: open.identity.signing };
  const forgery = Forgery.read(vault.file);
  const [part] = forgery.all('changes');
  if (part === undefined) throw new Error('no changes');
  const line = JSON.parse((forgery.shards.get(part) ?? []).join('')) as Open<ValueLine>;
  line.version = 7;
  await forgery.sign(line, signer);
  forgery.shards.set(part, [`${JSON.stringify(line)}\n`]);
  part.n += 1;
  await forgery.signPart(part, signer);
  await forgery.write(vault.file, signer);
  open.close();
  await vault.fails(7, ['get', 'db', '-e', 'production']);
}

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
