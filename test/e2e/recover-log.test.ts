/** What scripts/recover.py says of audit logs is what the product says: manipulated ones, pruned ones with their archives, checkpoints. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkpoint } from '../../src/vault/operations/audit-proof.ts';
import { eventfulLog } from '../support/eventful-log.ts';
import { manipulations } from '../support/log-manipulation.ts';
import { after, oldLog, prune, type OldLog } from '../support/pruning.ts';
import { asOwner, getIn } from '../support/team.ts';
import { put } from '../support/sample-vault.ts';
import {
  cannotRecover,
  recover,
  recoverMany,
  recoverTitle,
  type Unlocking,
} from '../support/second-reader.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe.skipIf(cannotRecover)(`${recoverTitle}: audit logs`, () => {
  it('finds every manipulation that the product finds, with a checkpoint as a witness', async () => {
    const log = await eventfulLog();
    const folder = temporaryFolder();
    const { path: file } = log.team.place;
    const stated = path.join(folder, 'checkpoint');
    writeFileSync(stated, `${log.checkpoint.toString('utf8')}\n`);
    const original = Buffer.concat([...log.lines]);
    const made = await Promise.all(
      fc.sample(manipulations(log, 'the checkpoint'), { numRuns: 250, seed: 20_261_131 }),
    );
    const all = [{ what: 'nothing', bytes: () => original }, ...made].map(({ what, bytes }, index) => {
      const at = path.join(folder, `${index}.log`);
      writeFileSync(at, bytes());
      const args = [file, '--recovery', '--principal', 'owner', '--audit', at, '--checkpoint', stated];
      const run: Unlocking = [args, log.team.recoveryKey];
      return { what, isSame: bytes().equals(original), run };
    });
    const verdicts = await recoverMany(all.map(({ run }) => run));
    for (const [index, { what, isSame }] of all.entries()) {
      const { status, stderr } = verdicts[index] ?? { status: -1, stderr: '' };
      expect([what, status], stderr).toEqual([what, isSame ? 0 : 7]);
    }
    expect(all.filter(({ isSame }) => !isSame).length).toBeGreaterThan(200);
  }, 120_000);

  describe('of a log that was pruned twice', () => {
    let old: OldLog;
    let archives: string[];

    beforeAll(async () => {
      old = await oldLog();
      const folder = temporaryFolder();
      archives = ['one', 'two'].map((name) => path.join(folder, name));
      for (const [index, count] of [8, 9].entries()) {
        const archive = archives[index] ?? '';
        await asOwner(old.team, async (owner) =>
          prune(owner, { before: after(old.team.place, count), archive }),
        );
      }
    });

    const read = async (...args: readonly string[]): Promise<[number, string]> => {
      const { place, recoveryKey } = old.team;
      const owner = ['--list', '--recovery', '--principal', 'owner', '--audit', place.audit.path, ...args];
      const { status, stdout, stderr } = await recover(place.path, owner, recoveryKey);
      return [status, status === 0 ? (/^audit log .*$/mu.exec(stdout.toString('utf8'))?.[0] ?? '') : stderr];
    };
    const holds = [0, expect.stringMatching(/whole, last number \d+, the snapshot names \d+$/u)] as const;
    const archived = (...order: readonly number[]): string[] =>
      order.flatMap((one) => ['--archive', archives[one] ?? '']);

    it('the log alone, and with its archives, is whole', async () => {
      expect(await read()).toEqual(holds);
      expect(await read(...archived(1))).toEqual(holds);
      expect(await read(...archived(0, 1))).toEqual(holds);
    });

    it('archives that do not fit are refused', async () => {
      for (const order of [[0], [1, 0], [0, 0, 1]])
        expect(await read(...archived(...order))).toEqual([7, expect.any(String)]);
      const [one = ''] = archives;
      const kept = readFileSync(one);
      writeFileSync(one, kept.toString('utf8').replace('"ok":true', '"ok":false'));
      expect(await read(...archived(0, 1))).toEqual([7, expect.any(String)]);
      writeFileSync(one, kept);
    });

    it('checkpoints are held against it: those of before, those of now', async () => {
      const file = path.join(temporaryFolder(), 'checkpoint');
      const now = await asOwner(old.team, async (owner) => checkpoint(owner));
      writeFileSync(file, `${old.checkpoint.toString('utf8')}\n${now}`);
      expect(await read('--checkpoint', file)).toEqual(holds);
      expect(await read('--checkpoint', file, ...archived(0, 1))).toEqual(holds);
      writeFileSync(file, now.replace(/"generation":\d+/u, '"generation":1'));
      expect(await read('--checkpoint', file)).toEqual([7, expect.stringContaining('wrong signature')]);
      writeFileSync(file, 'nonsense\n');
      expect(await read('--checkpoint', file)).toEqual([7, expect.stringContaining('checkpoint')]);
    });

    it('a vault, or a log, that is older than a checkpoint is refused', async () => {
      const { place } = old.team;
      const [vault, log] = [place.path, place.audit.path].map((file) => readFileSync(file));
      const file = path.join(temporaryFolder(), 'checkpoint');
      const later = await asOwner(old.team, async (owner) => {
        await put(owner, 'db', 'later', { environment: 'staging' });
        await getIn(owner, 'staging', 'db');
        return checkpoint(owner);
      });
      writeFileSync(file, later);
      expect(await read('--checkpoint', file)).toEqual(holds);
      const cut = readFileSync(place.audit.path, 'utf8').split('\n').slice(0, -2);
      writeFileSync(place.audit.path, `${cut.join('\n')}\n`);
      expect(await read('--checkpoint', file)).toEqual([7, expect.stringContaining('as a checkpoint names')]);
      writeFileSync(place.path, vault ?? '');
      writeFileSync(place.audit.path, log ?? '');
      expect(await read('--checkpoint', file)).toEqual([7, expect.stringContaining('rolled back')]);
    });

    it('they go with a log only', async () => {
      const { place, recoveryKey } = old.team;
      const { status } = await recover(place.path, ['--recovery', '--archive', 'x'], recoveryKey);
      expect(status).toBe(2);
    });
  });
});
