/** Pruning the audit log: by whom, how far, and what is left. docs/format.md section 9, "Pruning". */
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AuditFault } from '../../../src/audit/fault.ts';
import { checkpoint } from '../../../src/vault/operations/audit-proof.ts';
import { setPolicy } from '../../../src/vault/operations/policy.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { accept, invite, stateOf } from '../../support/newcomer.ts';
import { after, dayMs, oldLog, proved, prune, type OldLog } from '../../support/pruning.ts';
import { as, asOwner, getIn, otherMachine } from '../../support/team.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let old: OldLog;
let archives: string[];

beforeAll(async () => {
  old = await oldLog();
});

beforeEach(() => {
  old.reset();
  const folder = temporaryFolder();
  archives = ['one', 'two', 'three'].map((name) => path.join(folder, name));
});

const all = (): Buffer => Buffer.concat([...old.lines]);
const log = (): Buffer => readFileSync(old.team.place.audit.path);
const pruneOld = async (count: number, archive: string | null = null) =>
  asOwner(old.team, async (owner) => prune(owner, { before: after(old.team.place, count), archive }));

describe('what is removed', () => {
  test.each(Array.from({ length: 46 }, (_, index) => index + 1))(
    'the first %d records: the rest holds, and with the archive all of it',
    async (count) => {
      const [archive = ''] = archives;
      const { removed, first, last } = await pruneOld(count, archive);
      // A join that came to nothing goes with the record that says so, or stays with it.
      expect([count, count - 1]).toContain(removed);
      expect({ first, last }).toEqual({ first: 1, last: removed });
      expect(readFileSync(archive)).toEqual(Buffer.concat(old.lines.slice(0, removed)));
      const [summary, ...kept] = log().toString('utf8').split('\n');
      expect(kept.join('\n').startsWith(Buffer.concat(old.lines.slice(removed)).toString('utf8'))).toBe(true);
      expect(JSON.parse(summary ?? '')).toMatchObject({
        op: 'prune',
        seq: removed,
        prev: '',
        from: '',
        to: '',
      });
      const total = old.lines.length + 1;
      expect(await proved(old.team)).toMatchObject({
        records: total - removed,
        first: removed + 1,
        last: total,
        pruned: removed,
        unsealed: 0,
      });
      expect(await proved(old.team, { archives: [archive] })).toMatchObject({
        records: total,
        first: 1,
        last: total,
        pruned: 0,
      });
    },
  );

  test('is as long as the policy allows, unless less is wanted', async () => {
    // The 20th record will be 365 days old in a minute.
    old.setClock(new Date(after(old.team.place, 19).getTime() + 365 * dayMs - 30_000));
    const report = await asOwner(old.team, async (owner) => prune(owner));
    expect(report.last).toBeGreaterThan(10);
    expect(report.last).toBeLessThanOrEqual(20);
    await proved(old.team);
  });

  test('is nothing where no record is that old; nothing is written then but a record', async () => {
    old.setClock(new Date(after(old.team.place, 0).getTime() + dayMs));
    const vault = readFileSync(old.team.place.path);
    expect(await asOwner(old.team, async (owner) => prune(owner))).toEqual({
      removed: 0,
      first: null,
      last: null,
      archive: null,
    });
    expect(log().subarray(0, all().length)).toEqual(all());
    expect(records(old.team.place)[0]?.op).toBe('log');
    expect(readFileSync(old.team.place.path)).toEqual(vault);
  });

  test('names its numbers, its digest and its bytes; the record of it says the same', async () => {
    await pruneOld(10);
    const [summary] = records(old.team.place);
    const recorded = records(old.team.place).findLast(({ op }) => op === 'audit-prune');
    expect(summary?.detail).toMatch(/^1 10 10 [\w-]{43} [\w-]{43}$/u);
    expect(summary?.detail.split(' ')[3]).toBe(records(old.team.place)[1]?.prev);
    expect(recorded).toMatchObject({ detail: summary?.detail, principal: summary?.principal, ok: true });
    expect(recorded?.to).not.toBe(recorded?.from);
  });

  test('although somebody has joined whom the same write completes', async () => {
    const text = await asOwner(old.team, async (owner) =>
      invite(owner, 'zoe', { can: 'read', env: 'staging' }),
    );
    await accept(otherMachine(old.team), text);
    await pruneOld(10);
    expect(await stateOf(old.team, 'zoe')).toBe('active');
    expect(await proved(old.team)).toMatchObject({ pruned: 10 });
  });
});

test('pruned twice, with two archives: the chain is whole from end to end', async () => {
  const [one = '', two = ''] = archives;
  await pruneOld(8, one);
  expect(await pruneOld(9, two)).toMatchObject({ removed: 9, first: 9, last: 17 });
  const total = old.lines.length + 2;
  expect(await proved(old.team)).toMatchObject({ first: 18, last: total, pruned: 17 });
  expect(await proved(old.team, { archives: [two] })).toMatchObject({ first: 9, last: total, pruned: 8 });
  expect(await proved(old.team, { archives: [one, two] })).toMatchObject({
    records: total,
    first: 1,
    last: total,
    pruned: 0,
  });
  const both = Buffer.concat([readFileSync(one), readFileSync(two)])
    .toString('utf8')
    .split('\n');
  expect(both.filter((line) => !line.includes('"op":"prune"')).join('\n')).toBe(
    Buffer.concat(old.lines.slice(0, 17)).toString('utf8'),
  );
});

describe('archives that do not fit', () => {
  beforeEach(async () => {
    const [one = '', two = ''] = archives;
    await pruneOld(8, one);
    await pruneOld(9, two);
  });

  test.each([
    ['the older one alone', [0], 1],
    ['the wrong order', [1, 0], 2],
    ['one twice', [0, 0, 1], 2],
  ])('%s', async (_, order, file) => {
    const given = order.map((index) => archives[index] ?? '');
    const error = await failureOf(proved(old.team, { archives: given }));
    expect(error).toBeInstanceOf(AuditFault);
    const { fault } = error as AuditFault;
    expect(fault).toMatchObject({ line: 1, archive: file > given.length ? null : fault.archive });
    expect(error.exitCode).toBe(7);
  });

  test('a changed one is named, with the line', async () => {
    const [one = '', two = ''] = archives;
    const lines = readFileSync(two, 'utf8').split('\n');
    lines[3] = (lines[3] ?? '').replace('"ok":true', '"ok":false');
    writeFileSync(two, lines.join('\n'));
    const error = (await failureOf(proved(old.team, { archives: [one, two] }))) as AuditFault;
    expect(error.fault).toMatchObject({ kind: 'changed', archive: 2, line: 4, sequence: 11 });
    expect(error.message).toContain('archive 2: line 4 (record 11)');
    expect(error.proven?.sequence).toBe(10);
  });

  test('one that is cut', async () => {
    const [one = '', two = ''] = archives;
    const bytes = readFileSync(one);
    writeFileSync(one, bytes.subarray(0, -20));
    const error = (await failureOf(proved(old.team, { archives: [one, two] }))) as AuditFault;
    expect(error.fault).toMatchObject({ archive: 1, line: 8 });
  });

  test('one that is not there', async () => {
    expect((await failureOf(proved(old.team, { archives: [`${archives[0]}.not`] }))).exitCode).toBe(3);
  });
});

describe('who may, and how much', () => {
  const code = async (work: Promise<unknown>): Promise<string> => (await failureOf(work)).code;

  test.each(['ada', 'bob'])('%s, who is no administrator, may not', async (name) => {
    const before = after(old.team.place, 5);
    await as(old.team.place, old.tokens.get(name) ?? '', async (vault) => {
      expect(await code(prune(vault, { before }))).toBe('ACCESS_DENIED');
    });
    expect(log().subarray(0, all().length)).toEqual(all());
  });

  test('not more than the policy allows', async () => {
    await asOwner(old.team, async (owner) => {
      const now = Date.now();
      const days = (count: number) => ({ before: new Date(now - count * dayMs) });
      expect(await code(prune(owner, days(364)))).toBe('ACCESS_DENIED');
      await owner.write('policy-set', async (scope) =>
        Promise.resolve(setPolicy(scope, 'audit.days', '1000')),
      );
      expect(await code(prune(owner, days(600)))).toBe('ACCESS_DENIED');
      expect(await prune(owner)).toMatchObject({ removed: 0 });
      await owner.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, 'audit.days', '0')));
      expect(await code(prune(owner))).toBe('ACCESS_DENIED');
      expect(await code(prune(owner, days(10_000)))).toBe('ACCESS_DENIED');
      await owner.write('policy-set', async (scope) => Promise.resolve(setPolicy(scope, 'audit.days', '1')));
      expect(await prune(owner, days(2))).toMatchObject({ removed: old.lines.length });
    });
    await proved(old.team);
  });

  test('not where the log does not hold: nothing is removed, and nothing archived', async () => {
    const lines = log().toString('utf8').split('\n');
    lines[4] = (lines[4] ?? '').replace('"ok":true', '"ok":false');
    writeFileSync(old.team.place.audit.path, lines.join('\n'));
    const before = log();
    expect(await code(pruneOld(10, archives[0] ?? ''))).toBe('INTEGRITY');
    expect(log().subarray(0, before.length)).toEqual(before);
    expect(existsSync(archives[0] ?? '')).toBe(false);
  });
});

describe('an archive goes nowhere', () => {
  const refused = async (archive: string, exit: number): Promise<void> => {
    expect((await failureOf(pruneOld(10, archive))).exitCode).toBe(exit);
    expect(records(old.team.place)[0]?.op).toBe('log');
    expect(records(old.team.place).at(-1)).toMatchObject({ op: 'audit-prune', ok: false, to: '' });
    await proved(old.team);
  };

  test('where a file is', async () => {
    const [archive = ''] = archives;
    writeFileSync(archive, 'dear');
    await refused(archive, 8);
    expect(readFileSync(archive, 'utf8')).toBe('dear');
  });

  test('where a link is, even to nothing', async () => {
    const [archive = '', target = ''] = archives;
    symlinkSync(target, archive);
    await refused(archive, 8);
    expect(existsSync(target)).toBe(false);
  });

  test('over vault or log', async () => {
    await refused(old.team.place.path, 8);
    await refused(old.team.place.audit.path, 8);
  });

  test('where whoever writes next would remove it', async () => {
    await refused(`${old.team.place.path}.new`, 2);
    await refused(`${old.team.place.audit.path}.new`, 2);
  });
});

describe('who knows a record that was pruned', () => {
  test('reads on, and finds the log whole: another machine that was last here before', async () => {
    for (const [known, left] of [
      [5, 10],
      [10, 10],
      [30, 10],
    ] as const) {
      old.reset();
      const elsewhere = otherMachine(old.team);
      const line = old.lines[known - 1]?.toString('utf8') ?? '';
      writeFileSync(old.team.place.audit.path, Buffer.concat(old.lines.slice(0, known)));
      expect(line).not.toBe('');
      const remembered = await rememberedBy(elsewhere, known);
      await pruneOld(left);
      const sample = { ...old.team, place: elsewhere };
      expect(await proved(sample, { known: remembered })).toMatchObject({ pruned: left });
      await asOwner(sample, async (owner) => getIn(owner, 'staging', 'db'));
    }
  });

  /** What a machine knows that saw the log end at a record. */
  async function rememberedBy(place: typeof old.team.place, known: number) {
    old.reset();
    const next = records(place)[known];
    return Promise.resolve({
      path: place.audit.path,
      id: next?.log ?? '',
      seq: known,
      digest: next?.prev ?? '',
    });
  }

  test('notices if it was another one', async () => {
    await pruneOld(10);
    const [summary] = records(old.team.place);
    const known = { path: '', id: summary?.log ?? '', seq: 10, digest: summary?.detail.split(' ')[4] ?? '' };
    expect((await failureOf(proved(old.team, { known }))).message).toContain('is not the one that');
  });

  test('by a checkpoint', async () => {
    const line = Uint8Array.from(old.checkpoint);
    expect(await proved(old.team, { checkpoints: [line] })).toMatchObject({ checkpoints: 1 });
    await asOwner(old.team, async (owner) => {
      // The checkpoint names the last record but two.
      await getIn(owner, 'staging', 'db');
      await prune(owner, { before: after(old.team.place, 46) });
      expect(await checkpoint(owner)).toContain('"kind":"checkpoint"');
    });
    expect(await proved(old.team, { checkpoints: [line] })).toMatchObject({ pruned: 46, checkpoints: 1 });
  });
});
