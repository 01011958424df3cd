/** Statistics of a log, and what is kept of them: docs/metrics.md, "What is counted". */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { otherOperations } from '../../../src/audit/statistics.ts';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import type { SignedRecord } from '../../../src/format/audit-record.ts';
import type { Counted } from '../../../src/storage/count-store.ts';
import { realFileSystem, type FileSystem } from '../../../src/storage/file-system.ts';
import {
  chain,
  countFile,
  logId,
  moment,
  signedLine,
  unsignedLine,
  writeLog,
} from '../../support/audit-lines.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const newFile = (): string => path.join(temporaryFolder(), 'log');
const get = (place: Partial<SignedRecord>): string => signedLine(place);
const gets = (from: number, to: number): string[] => chain(Array<typeof get>(to - from + 1).fill(get), from);

/** A file system that says how many bytes were read. */
function counting(): { readonly fs: FileSystem; bytesRead: () => number } {
  let bytes = 0;
  const readSync = ((...args: Parameters<typeof realFileSystem.readSync>) => {
    const count = realFileSystem.readSync(...args);
    bytes += count;
    return count;
  }) as typeof realFileSystem.readSync;
  return { fs: { ...realFileSystem, readSync }, bytesRead: () => bytes };
}

async function kept(file: string): Promise<Counted> {
  const { keep } = await countFile(file);
  if (keep === null) throw new Error('there is something to keep');
  return keep;
}

test('of an empty log', async () => {
  const file = newFile();
  writeLog(file, []);
  const { statistics, keep } = await countFile(file);
  expect(statistics).toEqual({
    operations: [],
    total: 0,
    failed: 0,
    failedUnlocks: 0,
    last: null,
    head: null,
    records: 0,
    unreadable: 0,
    sizeBytes: 0,
  });
  expect(keep).toBeNull();
});

test('operations by result, attempts to unlock, the last operation, the head', async () => {
  const file = newFile();
  const lines = [
    signedLine({ op: 'log' }),
    signedLine({ seq: 2, op: 'put' }),
    unsignedLine({ seq: 3, count: 4 }),
    signedLine({ seq: 4, op: 'get', ok: false, code: 'SECRET_NOT_FOUND' }),
    signedLine({ seq: 5, op: 'get' }),
    unsignedLine({ seq: 6, time: '2026-11-23T00:00:00.000Z' }),
  ];
  writeLog(file, lines, '{"log":"half');
  const { statistics } = await countFile(file);
  expect(statistics).toMatchObject({
    operations: [
      { operation: 'get', ok: 1, failed: 1 },
      { operation: 'log', ok: 1, failed: 0 },
      { operation: 'put', ok: 1, failed: 0 },
      { operation: 'unlock', ok: 0, failed: 5 },
    ],
    total: 9,
    failed: 6,
    failedUnlocks: 5,
    last: { time: '2026-11-23T00:00:00.000Z', operation: 'unlock', success: false },
    head: { log: logId, sequence: 6 },
    records: 6,
    unreadable: 0,
    sizeBytes: lines.join('\n').length + 1 + '{"log":"half'.length,
  });
});

test('a pruned log counts from its first record on', async () => {
  const file = newFile();
  writeLog(file, [signedLine({ seq: 900, op: 'prune', prev: '' }), ...gets(901, 903)]);
  expect(await countFile(file)).toMatchObject({
    counts: { prune: [1, 0], get: [3, 0] },
    statistics: { head: { sequence: 903 }, records: 4 },
  });
});

test('records of another log in the same file are none of this one', async () => {
  const file = newFile();
  const other = encodeBase64url(new Uint8Array(16).fill(99));
  writeLog(file, [...gets(1, 2), signedLine({ seq: 3, log: other, op: 'put' })]);
  expect(await countFile(file)).toMatchObject({
    counts: { get: [2, 0] },
    statistics: { unreadable: 1, head: { sequence: 2 } },
  });
});

test('a record longer than any chunk', async () => {
  const file = newFile();
  const id = encodeBase64url(new Uint8Array(8));
  const hash = encodeBase64url(new Uint8Array(32));
  const secrets = Array.from({ length: 20_000 }, (): [string, string, number] => [id, hash, 1]);
  writeLog(file, [
    signedLine({ op: 'exec', secrets }),
    signedLine({ seq: 2, op: 'exec', secrets }),
    ...gets(3, 3),
  ]);
  const { counts, keep } = await countFile(file);
  expect(counts).toEqual({ exec: [2, 0], get: [1, 0] });
  expect(await countFile(file, keep)).toMatchObject({ counts });
});

test('operations that somebody made up are not told apart without end', async () => {
  const file = newFile();
  const made = Array.from({ length: 1_000 }, (_, index) =>
    signedLine({ seq: index + 1, op: `made-up-${index}` }),
  );
  writeLog(file, made);
  const { statistics, counts, keep } = await countFile(file);
  expect(statistics.operations).toHaveLength(129);
  expect(counts[otherOperations]).toEqual([1_000 - 128, 0]);
  expect(statistics.total).toBe(1_000);
  writeLog(file, [
    ...made,
    signedLine({ seq: 1_001, op: 'get' }),
    signedLine({ seq: 1_002, op: 'made-up-0' }),
  ]);
  const carriedOn = await countFile(file, keep);
  expect(carriedOn).toEqual(await countFile(file));
  expect(carriedOn.counts).toMatchObject({ 'made-up-0': [2, 0], [otherOperations]: [873, 0] });
});

describe('what was kept', () => {
  test('saves reading what was counted', async () => {
    const file = newFile();
    writeLog(file, gets(1, 5_000));
    const keep = await kept(file);
    writeLog(file, gets(1, 5_001));
    const { fs, bytesRead } = counting();
    expect(await countFile(file, keep, fs)).toMatchObject({ counts: { get: [5_001, 0] } });
    expect(bytesRead()).toBeLessThan(5 * signedLine().length);
  });

  test('is not used once the last record that it counted is another, however small the change', async () => {
    const file = newFile();
    writeLog(file, gets(1, 10));
    const keep = await kept(file);
    const changed = [...gets(1, 9), signedLine({ seq: 10, header: 2 })];
    for (const lines of [
      changed,
      gets(1, 9),
      gets(2, 10),
      [],
      chain([(place) => signedLine({ ...place, op: 'log' }), ...Array<typeof get>(29).fill(get)]),
    ]) {
      writeLog(file, lines);
      const { counts, statistics } = await countFile(file, keep);
      expect({ counts, records: statistics.records }).toEqual({
        counts: (await countFile(file)).counts,
        records: lines.length,
      });
    }
  });

  test('is not used where its place is the middle of a line', async () => {
    const file = newFile();
    writeLog(file, gets(1, 3));
    const keep = await kept(file);
    // The same bytes at the same place, and no LF behind them.
    const [first = '', second = '', third = ''] = gets(1, 3);
    writeLog(file, [first, second, `${third} `, signedLine({ seq: 4 })]);
    expect((await countFile(file, keep)).statistics.records).toBe(4);
    expect((await countFile(file, { ...keep, records: 1_000 })).statistics.records).toBe(4);
  });

  test('is trusted for counts and nothing else', async () => {
    const file = newFile();
    writeLog(file, gets(1, 3));
    const keep = await kept(file);
    const forged: Counted = { ...keep, records: 7, operations: [['made-up', 7, 0]] };
    writeLog(file, gets(1, 4));
    expect(await countFile(file, forged)).toMatchObject({
      counts: { 'made-up': [7, 0], get: [1, 0] },
      statistics: { records: 8, head: { sequence: 4 }, last: { time: moment } },
    });
  });
});
