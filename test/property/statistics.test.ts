/** Counting a log by how its lines begin, against parsing every record whole; and carrying a count on, against counting from the start. */
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countFile, naiveCounts, recordLines, writeLog } from '../support/audit-lines.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const file = path.join(temporaryFolder(), 'log');
/** What a killed process leaves: the beginning of a record, never with its LF. */
const torn = fc
  .tuple(recordLines, fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([[line = ''], share]) => line.slice(0, Math.floor(line.length * share)));

const total = (counts: ReturnType<typeof naiveCounts>): number =>
  Object.values(counts).reduce((sum, [ok, failed]) => sum + ok + failed, 0);

test('counts are those of the strict parser, whatever the texts in records contain', async () => {
  await fc.assert(
    fc.asyncProperty(recordLines, torn, async (lines, rest) => {
      writeLog(file, lines, rest);
      const { counts, statistics } = await countFile(file);
      const expected = naiveCounts(lines);
      expect(counts).toEqual(expected);
      expect(statistics).toMatchObject({
        records: lines.length,
        unreadable: 0,
        total: total(expected),
        head: lines.length === 0 ? null : { sequence: lines.length },
      });
    }),
    { numRuns: 300 },
  );
});

const junk = fc.constantFrom('', '{}', '{"log":"', 'not a record', '{"kind":"vault","format":1}');

test('lines that are no records are counted apart, and change nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(
      recordLines,
      fc.array(fc.tuple(fc.nat(30), junk), { maxLength: 5 }),
      async (lines, all) => {
        const mixed = [...lines];
        for (const [at, line] of all) mixed.splice(Math.min(at, mixed.length), 0, line);
        writeLog(file, mixed);
        const { counts, statistics } = await countFile(file);
        expect(counts).toEqual(naiveCounts(lines));
        expect(statistics.unreadable).toBe(all.length);
      },
    ),
  );
});

test('a count that is carried on is the one from the start', async () => {
  await fc.assert(
    fc.asyncProperty(
      recordLines,
      fc.array(fc.tuple(fc.nat(30), junk), { maxLength: 3 }),
      fc.array(fc.nat(33), { maxLength: 4 }),
      torn,
      async (lines, all, stops, rest) => {
        const mixed = [...lines];
        for (const [at, line] of all) mixed.splice(Math.min(at, mixed.length), 0, line);
        let known = null;
        for (const stop of [...stops].sort((a, b) => a - b)) {
          writeLog(file, mixed.slice(0, stop), rest);
          known = (await countFile(file, known)).keep ?? known;
        }
        writeLog(file, mixed);
        const carriedOn = await countFile(file, known);
        expect(carriedOn).toEqual(await countFile(file));
        expect(carriedOn.counts).toEqual(naiveCounts(lines));
      },
    ),
    { numRuns: 200 },
  );
});

test('what was kept of another log, or of one that was cut, does not count', async () => {
  await fc.assert(
    fc.asyncProperty(recordLines, recordLines, async (before, after) => {
      writeLog(file, before);
      const { keep } = await countFile(file);
      writeLog(file, after);
      const { counts, statistics } = await countFile(file, keep);
      expect(counts).toEqual(naiveCounts(after));
      expect(statistics.records).toBe(after.length);
    }),
    { numRuns: 200 },
  );
});
