/** Backups taken in the middle of many writers: each is a state between two writes, restores elsewhere, and verifies. */
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { logOf, namesIn, signedRecords, take } from '../support/backups.ts';
import { addToken, holding } from '../support/binary-team.ts';
import { BinaryVault, type RunOptions } from '../support/binary-vault.ts';

const writes = 200;
const writers = 20;
/** After so many writes have finished, one more backup is begun. */
const between = 2;

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** Runs all, so many at a time. */
async function each<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(numbers(width).map(worker));
}

/** Write, and take backups all the while. @returns the backups, each with the number of writes that were done for certain when it was begun */
async function writeAndBackUp(vault: BinaryVault, options: RunOptions): Promise<[string, number][]> {
  const backups: Promise<[string, number]>[] = [];
  let finished = 0;
  await each(numbers(writes), writers, async (number) => {
    await vault.ok(['put', `name ${number}`], { ...options, input: `value ${number}` });
    finished += 1;
    const done = finished;
    if (done % between === 0)
      backups.push(take(vault, ['backups/', '--keep', '1000'], options).then((file) => [file, done]));
  });
  return Promise.all(backups);
}

/** What a file's last line says: generation and head. */
function snapshotOf(file: string): { readonly n: number; readonly head: string } {
  const last = readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  return JSON.parse(last) as { n: number; head: string };
}

test('100 backups in the middle of 20 writers by token', { timeout: 300_000 }, async () => {
  const vault = await BinaryVault.make();
  const bot = await addToken(vault, 'bot', '--can admin');
  const ci = await addToken(vault, 'ci', '--can read,write --env development');
  const { n: before } = snapshotOf(vault.file);
  const taken = await writeAndBackUp(vault, holding(ci));
  expect(new Set(taken.map(([file]) => file)).size).toBe(writes / between);
  expect(namesIn(vault.in('backups'))).toHaveLength(200);

  const generations = new Set<number>();
  await each(taken, 4, async ([file, done]) => {
    const { n, head } = snapshotOf(file);
    generations.add(n);
    // Every write that was acknowledged before is in it, and its log ends with the write that made it.
    expect(n - before).toBeGreaterThanOrEqual(done);
    const last = signedRecords(logOf(file)).findLast(({ to }) => to !== '');
    expect([file, last?.to]).toEqual([file, head]);

    const fresh = vault.in('restored', path.basename(file));
    mkdirSync(path.dirname(fresh), { recursive: true });
    const env = { VAULT_PATH: fresh, XDG_STATE_HOME: `${fresh}.state` };
    const here = holding(bot, env);
    await vault.ok(['backup', 'restore', file, '--yes'], here);
    expect(readFileSync(fresh)).toEqual(readFileSync(file));
    // The canary, and one name a write.
    expect(await vault.json(['verify'], here)).toMatchObject({ generation: n, secrets: 1 + n - before });
    const [after, ...more] = signedRecords(logOf(fresh)).slice(signedRecords(logOf(file)).length);
    expect([after?.op, more.map(({ op }) => op)]).toEqual(['backup-restore', ['verify']]);
  });
  // Hardly any of them after the last write.
  expect(generations.size).toBeGreaterThan(writes / between / 2);
  await vault.ok(['verify']);
  await vault.ok(['audit', 'verify']);
  expect(await vault.json(['ls'])).toHaveLength(1 + writes);
  expect(vault.leftovers()).toEqual([]);
  vault.expectNoLeak();
});
