/** How much is opened at once. */
import { expect, test } from 'vitest';
import type { EnvironmentReader } from '../../../src/vault/environment-reader.ts';
import { secretsInParallel } from '../../../src/vault/secrets-in-parallel.ts';

const mebibyte = 1024 ** 2;

/** Secrets called by the sizes of their shards; what `changes` have, too. */
async function mostAtOnce(sizes: readonly number[], changes: readonly number[] = []): Promise<number> {
  const part = {
    values: { value: { shards: sizes.map((size) => ['', size]) } },
    changes: changes.map((size) => ({ value: { size } })),
  };
  const reader = { part, valueShardOf: Number } as unknown as EnvironmentReader;
  const secrets = sizes.map((_, secret) => ({ secret: String(secret) }));
  let [now, most, done] = [0, 0, 0];
  await secretsInParallel(reader, secrets, async ({ secret }, index) => {
    expect(secret).toBe(String(index));
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    now -= 1;
    done += 1;
  });
  expect(done).toBe(sizes.length);
  return most;
}

const many = (size: number): number[] => Array.from({ length: 100 }, () => size);

test('small secrets are many at a time, large ones few, and the largest alone', async () => {
  expect(await mostAtOnce(many(1_000))).toBe(32);
  expect(await mostAtOnce(many(mebibyte / 2))).toBe(32);
  expect(await mostAtOnce(many(8 * mebibyte))).toBe(4);
  expect(await mostAtOnce(many(22 * mebibyte))).toBe(1);
  expect(await mostAtOnce(many(600 * mebibyte))).toBe(1);
  expect(await mostAtOnce([])).toBe(0);
});

test('what others have added counts', async () => {
  expect(await mostAtOnce(many(1_000), [22 * mebibyte])).toBe(1);
});

test('a small one does not pass a large one for ever', async () => {
  expect(await mostAtOnce([1, 1, 40 * mebibyte, 1, 40 * mebibyte, 1, 1, 1])).toBe(3);
});

test('when one fails, no other is begun', async () => {
  const part = { values: { value: { shards: [['', 40 * mebibyte]] } }, changes: [] };
  const reader = { part, valueShardOf: () => 0 } as unknown as EnvironmentReader;
  const secrets = [{ secret: 'a' }, { secret: 'b' }, { secret: 'c' }];
  const begun: string[] = [];
  const failing = secretsInParallel(reader, secrets, async ({ secret }) => {
    begun.push(secret);
    return Promise.reject(new Error('no'));
  });
  await expect(failing).rejects.toThrow('no');
  expect(begun).toEqual(['a']);
});
