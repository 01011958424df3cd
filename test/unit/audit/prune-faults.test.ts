/** Pruning stopped at each of its steps, by a kill or by the disk: nothing is lost, the next command works, and it can be run again. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { FileSystem } from '../../../src/storage/file-system.ts';
import { SecretsManagerError } from '../../../src/errors.ts';
import { after, contents, oldLog, proved, prune, type OldLog } from '../../support/pruning.ts';
import { open, withVault } from '../../support/sample-vault.ts';
import { asOwner, getIn } from '../../support/team.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { diskError, watchedFileSystem, type Step } from '../../support/watched-file-system.ts';

const count = 12;
let old: OldLog;

beforeAll(async () => {
  old = await oldLog();
});

interface Stopped {
  readonly outcome: unknown;
  readonly archive: string;
}

/** Prune with a file system that does something before one of the calls that come after the vault was opened. */
async function pruneWith(before: (step: Step, passed: number) => void): Promise<Stopped> {
  old.reset();
  const archive = path.join(temporaryFolder(), 'archive');
  let passed = 0;
  let armed = false;
  const fs: FileSystem = watchedFileSystem((step) => {
    if (!armed) return;
    passed += 1;
    before(step, passed);
  });
  const vault = await open({ ...old.team, place: { ...old.team.place, fs } });
  armed = true;
  const outcome: unknown = await prune(vault, { before: after(old.team.place, count), archive }).catch(
    (error: unknown) => error,
  );
  armed = false;
  vault.close();
  return { outcome, archive };
}

async function stepsOfPruning(): Promise<Step[]> {
  const steps: Step[] = [];
  await pruneWith((step) => {
    steps.push(step);
  });
  return steps;
}

async function expectNothingLost({ outcome, archive }: Stopped, at: string): Promise<string> {
  const { audit } = old.team.place;
  const first = JSON.parse(readFileSync(audit.path, 'utf8').split('\n')[0] ?? '') as { op: string };
  const isPruned = first.op === 'prune';
  const kept = Buffer.concat([isPruned ? (contents(archive) ?? Buffer.alloc(0)) : Buffer.alloc(0)]);
  const rest = readFileSync(audit.path);
  const all = Buffer.concat([kept, isPruned ? rest.subarray(rest.indexOf('\n') + 1) : rest]);
  const before = Buffer.concat([...old.lines]);
  expect(all.subarray(0, before.length).equals(before), `${at}: every record is there`).toBe(true);
  // What was acknowledged has happened.
  expect([at, outcome instanceof Error || isPruned]).toEqual([at, true]);

  await asOwner(old.team, async (owner) => getIn(owner, 'staging', 'db'));
  expect([at, (await proved(old.team)).pruned]).toEqual([at, isPruned ? count : 0]);
  const next = path.join(temporaryFolder(), 'next');
  const again = await withVault(old.team, async (vault) =>
    prune(vault, { before: after(old.team.place, 5), archive: next }),
  );
  expect([at, again.removed]).toEqual([at, 5]);
  const archives = isPruned ? [archive, next] : [next];
  expect([at, await proved(old.team, { archives })]).toMatchObject([
    at,
    { first: 1, pruned: 0, unsealed: 0 },
  ]);
  await asOwner(old.team, async (owner) => getIn(owner, 'staging', 'db'));
  return `${isPruned ? 'pruned' : 'not pruned'}, ${existsSync(archive) ? 'archived' : 'no archive'}`;
}

const shown = ({ call, path: of }: Step): string => `${call} ${path.basename(of)}`;

test('killed before any step', { timeout: 60_000 }, async () => {
  const steps = await stepsOfPruning();
  const seen = new Set<string>();
  for (const [index, step] of steps.entries()) {
    const dead = await pruneWith(({ call }, passed) => {
      if (passed > index && call !== 'closeSync') throw diskError('EIO');
    });
    seen.add(await expectNothingLost(dead, `killed before ${shown(step)}, step ${index + 1}`));
  }
  expect([...seen].sort()).toEqual(['not pruned, archived', 'not pruned, no archive', 'pruned, archived']);
});

test('a full disk at any step', { timeout: 60_000 }, async () => {
  const steps = await stepsOfPruning();
  const seen = new Set<string>();
  const writing = new Set([
    'writeSync',
    'fsyncSync',
    'openSync',
    'renameSync',
    'ftruncateSync',
    'unlinkSync',
  ]);
  for (const [index, step] of steps.entries()) {
    if (!writing.has(step.call)) continue;
    const full = await pruneWith((_, passed) => {
      if (passed === index + 1) throw diskError('ENOSPC');
    });
    const at = `no space at ${shown(step)}, step ${index + 1}`;
    const exit =
      full.outcome instanceof SecretsManagerError
        ? full.outcome.exitCode
        : full.outcome instanceof Error
          ? -1
          : 0;
    expect([at, exit]).toEqual([at, expect.toBeOneOf([0, 9, 10])]);
    seen.add(`${exit}: ${await expectNothingLost(full, at)}`);
  }
  expect([...seen]).toEqual(
    expect.arrayContaining([
      '10: not pruned, no archive',
      '9: not pruned, no archive',
      '9: not pruned, archived',
    ]),
  );
});
