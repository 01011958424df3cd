/** Many secrets: shards that are divided, and writes that touch only what they change. docs/format.md sections 3 and 5. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseUtf8, utf8 } from '../../../src/crypto/bytes.ts';
import { getSecret } from '../../../src/vault/operations/get.ts';
import { listNames } from '../../../src/vault/operations/list.ts';
import { removeSecret } from '../../../src/vault/operations/move.ts';
import { putSecret } from '../../../src/vault/operations/put.ts';
import { Forgery } from '../../support/forgery.ts';
import { makeVault, open, openWith, placeIn, put, type SampleVault } from '../../support/sample-vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const count = 1_400;
const nameOf = (number: number): string => `folder-${number % 7}/secret-${number}`;

let sample: SampleVault;

beforeAll(async () => {
  sample = await makeVault(placeIn(temporaryFolder()), ['development', 'production']);
  const vault = await open(sample);
  await vault.write('import', async (scope) => {
    for (let number = 0; number < count; number++) {
      const value = utf8(`value ${number}`);
      await putSecret(scope, { environment: null, name: nameOf(number), value, operation: 'import' });
    }
  });
  vault.close();
});

const none = { expiringBefore: null, expired: false, due: false };
const list = {
  environment: null,
  allEnvironments: false,
  pattern: null,
  type: null,
  tags: new Map<string, string>(),
};

function shardsOf(space: 'names' | 'values'): string[] {
  const forgery = Forgery.read(sample.place.path);
  const part = forgery.one(space, forgery.environment('development'));
  return forgery.shards.get(part) ?? [];
}

describe('many secrets', () => {
  test('are spread over shards, a power of two of them, none of them too full', () => {
    const forgery = Forgery.read(sample.place.path);
    for (const space of ['names', 'values'] as const) {
      const part = forgery.one(space, forgery.environment('development'));
      expect(part.bits).toBeGreaterThan(0);
      expect(part.shards).toHaveLength(2 ** part.bits);
    }
    for (const shard of shardsOf('values')) expect(shard.split('\n').length).toBeLessThan(count / 2);
    expect(forgery.one('names', forgery.environment('production')).bits).toBe(0);
  });

  test('are all there, with their values, for a fresh reader', async () => {
    const vault = await open(sample);
    const names = await vault.read('ls', async (scope) =>
      listNames(scope, { ...list, ...none, removed: false }),
    );
    const wanted = Array.from({ length: count }, (_, number) => nameOf(number));
    wanted.sort((a, b) => Buffer.compare(utf8(a), utf8(b)));
    expect(names.map(({ name }) => name)).toEqual(wanted);
    await vault.read('get', async (scope) => {
      for (let number = 0; number < count; number += 13) {
        const options = {
          environment: null,
          name: nameOf(number),
          version: null,
          field: null,
          allowExpired: false,
        };
        expect(parseUtf8((await getSecret(scope, options)).value.bytes)).toBe(`value ${number}`);
      }
    });
    vault.close();
  });

  test('a change of one touches its own shards alone', async () => {
    const names = shardsOf('names');
    const values = shardsOf('values');
    const vault = await open(sample);
    await put(vault, nameOf(5), 'changed');
    vault.close();
    const changed = (before: string[], after: string[]): number =>
      after.filter((shard, number) => shard !== before[number]).length;
    expect(changed(names, shardsOf('names'))).toBe(0);
    expect(changed(values, shardsOf('values'))).toBe(1);
    const again = await open(sample);
    await again.write('rm', async (scope) => removeSecret(scope, null, nameOf(6)));
    again.close();
    expect(changed(names, shardsOf('names'))).toBe(1);
  });

  test('lines of a shard are ordered by id, then by version', () => {
    for (const shard of shardsOf('values')) {
      const keys = shard
        .split('\n')
        .slice(0, -1)
        .map((line) => {
          const { secret, version } = JSON.parse(line) as { secret: string; version: number };
          return `${Buffer.from(secret, 'base64url').toString('hex')} ${String(version).padStart(6, '0')}`;
        });
      expect(keys).toEqual([...keys].sort());
    }
  });
});

test('a write of nothing changes nothing but the log', async () => {
  const before = readFileSync(sample.place.path);
  const log = readFileSync(sample.place.audit.path).length;
  const vault = await open(sample);
  await vault.write('put', async () => Promise.resolve());
  vault.close();
  expect(readFileSync(sample.place.path)).toEqual(before);
  expect(readFileSync(sample.place.audit.path).length).toBeGreaterThan(log);
});

test('of a write that fails, nothing is kept', async () => {
  const before = readFileSync(sample.place.path);
  const vault = await open(sample);
  const failing = vault.write('put', async (scope) => {
    await putSecret(scope, { environment: null, name: 'half', value: utf8('x'), operation: 'put' });
    throw new RangeError('in the middle');
  });
  await expect(failing).rejects.toThrow('in the middle');
  vault.close();
  expect(readFileSync(sample.place.path)).toEqual(before);
  const last = readFileSync(sample.place.audit.path, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  expect(JSON.parse(last)).toMatchObject({ op: 'put', ok: false, code: 'INTERNAL', to: '' });
});

test('two handles of one vault see each other’s writes, and neither is lost', async () => {
  const one = await open(sample);
  const two = await openWith(sample.place, sample.recoveryKey);
  await put(one, 'shared', '1');
  await put(two, 'shared', '2');
  await Promise.all(
    Array.from({ length: 6 }, async (_, number) => put(number % 2 === 0 ? one : two, `by-${number}`, 'x')),
  );
  const { version } = await put(one, 'shared', '3');
  expect(version).toBe(3);
  const names = await two.read('ls', async (scope) =>
    listNames(scope, { ...list, ...none, pattern: 'by-*', removed: false }),
  );
  expect(names).toHaveLength(6);
  one.close();
  two.close();
});
