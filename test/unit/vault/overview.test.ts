/** What the console shows of a vault: due dates, what needs attention and in which order, and the end of the log. */
import { expect, test } from 'vitest';
import { overviewOf, type Overview } from '../../../src/vault/operations/overview.ts';
import { dueAt, dueTime } from '../../../src/lifecycle/due.ts';
import type { Vault } from '../../../src/vault/vault.ts';
import { makeVault, open, placeIn, put } from '../../support/sample-vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const day = 86_400_000;
const start = Date.parse('2026-03-01T12:00:00.000Z');

const refuse = (): never => {
  throw new Error('all hold together');
};

async function look(vault: Vault, environment: string | null, last = 10): Promise<Overview> {
  const options = { environment, name: null, last };
  return vault.read('console', async (scope) => overviewOf(scope, vault.place, options, refuse));
}

test('secrets of all environments, or of one, with what is due by time', async () => {
  let now = start;
  const sample = await makeVault(placeIn(temporaryFolder(), { now: () => new Date(now) }));
  const vault = await open(sample);
  await put(vault, 'plain', 'x');
  await put(vault, 'both', 'x', {
    metadata: { expires: new Date(start + 40 * day), intervalSeconds: 864_000 },
  });
  await put(vault, 'late', 'x', { environment: 'production', metadata: { intervalSeconds: 3_600 } });
  await put(vault, 'gone', 'x', { metadata: { expires: new Date(start + day) } });
  now = start + 11 * day;

  const all = await look(vault, null);
  expect(all.secrets.map(({ name, environment, due }) => [name, environment, due])).toEqual([
    ['both', 'development', '2026-03-11T12:00:00.000Z'],
    ['gone', 'development', null],
    ['plain', 'development', null],
    ['late', 'production', '2026-03-01T13:00:00.000Z'],
  ]);
  expect(all.due.map(({ name, state, time }) => [name, state, time.slice(0, 10)])).toEqual([
    ['late', 'overdue', '2026-03-01'],
    ['gone', 'expired', '2026-03-02'],
    ['both', 'overdue', '2026-03-11'],
    ['both', 'expiring', '2026-04-10'],
  ]);
  expect(all.audit.map(({ operation }) => operation).slice(-4)).toEqual(['put', 'put', 'put', 'put']);

  const one = await look(vault, 'production', 1);
  expect(one.secrets.map(({ name }) => name)).toEqual(['late']);
  expect(one.due.map(({ name }) => name)).toEqual(['late']);
  expect(one.audit).toMatchObject([{ operation: 'put', environment: 'production' }]);
  vault.close();
});

test('an interval beyond all dates is never due', () => {
  const facts = { type: 'password', updated: '2026-03-01T12:00:00.000Z', expires: null } as const;
  const due = (intervalSeconds: number | null): string | null =>
    dueTime(dueAt(facts, { intervalSeconds, windowMs: 0 }));
  expect(due(null)).toBeNull();
  expect(due(1)).toBe('2026-03-01T12:00:01.000Z');
  expect(due(Number.MAX_SAFE_INTEGER)).toBeNull();
  expect(due(8_000 * 31_536_000)).toBeNull();
});
