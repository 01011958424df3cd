/** Backups that somebody made who was once allowed to write, or exchanged while they were looked at; logs that were pruned since. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { parseRecoveryKey } from '../../../src/format/key-text.ts';
import { ownerName } from '../../../src/vault/founding.ts';
import { pruneLog } from '../../../src/vault/operations/audit-prune.ts';
import { Backup, verifyBackup } from '../../../src/vault/operations/backup-proof.ts';
import { takeBackup } from '../../../src/vault/operations/backup.ts';
import { restoreBackup, type RestoreReport } from '../../../src/vault/operations/restore.ts';
import type { VerifyReport } from '../../../src/vault/operations/verify.ts';
import { logPathBeside, type Place } from '../../../src/vault/place.ts';
import { records } from '../../support/audit-records.ts';
import { failureOf } from '../../support/failure.ts';
import { get, open, put, withVault, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, openToken, remove, teamVault, verifiedByOwner } from '../../support/team.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function take(sample: SampleVault): Promise<string> {
  const destination = path.join(temporaryFolder(), 'copy');
  const options = { destination, asFolder: false, keep: null, progress: undefined };
  await withVault(sample, async (vault) => takeBackup(vault, options));
  return destination;
}

async function withBackup<T>(
  { place, recoveryKey }: SampleVault,
  file: string,
  work: (backup: Backup) => Promise<T>,
): Promise<T> {
  const secret = await parseRecoveryKey(recoveryKey);
  if (secret === null) throw new Error('not a recovery key');
  const credentials = async () => Promise.resolve({ type: 'recovery', secret } as const);
  const backup = await Backup.open(place, file, { principal: ownerName, credentials });
  try {
    return await work(backup);
  } finally {
    backup.close();
  }
}

async function verify(sample: SampleVault, file: string): Promise<VerifyReport> {
  return withBackup(
    sample,
    file,
    async (backup) => (await verifyBackup(sample.place, backup, 'backup-verify', undefined)).report,
  );
}

async function restore(sample: SampleVault, file: string): Promise<RestoreReport> {
  return withBackup(sample, file, async (backup) => restoreBackup(sample.place, backup));
}

/** The same vault and log somewhere else, for somebody who goes on with it alone. */
function taken({ place }: SampleVault): Place {
  const at = path.join(temporaryFolder(), 'team.vault');
  copyFileSync(place.path, at);
  copyFileSync(place.audit.path, logPathBeside(at));
  return {
    ...place,
    path: at,
    audit: { type: 'file', path: logPathBeside(at) },
    stateFolder: temporaryFolder(),
  };
}

it('a former administrator’s other history is refused: by the memory, and by the vault that is here', async () => {
  const sample = await teamVault();
  const ada = await asOwner(sample, async (owner) => add(owner, 'ada', { can: 'admin' }));
  const hers = taken(sample);
  await asOwner(sample, async (owner) => remove(owner, 'ada'));
  await as(hers, ada, async (vault) => {
    await put(vault, 'planted', 'by ada', { environment: 'production' });
    await add(vault, 'eve', { can: 'admin' });
  });
  const error = await failureOf(verify(sample, hers.path));
  expect(error).toMatchObject({
    code: 'ROLLBACK',
    message: expect.stringContaining('two histories') as unknown,
  });
  expect(records(sample.place).at(-1)).toMatchObject({ op: 'backup-verify', code: 'ROLLBACK' });
  // A machine without memory has the vault itself.
  const forgetful = { ...sample, place: { ...sample.place, stateFolder: null } };
  const before = readFileSync(sample.place.path);
  expect(await failureOf(restore(forgetful, hers.path))).toMatchObject({ code: 'ROLLBACK' });
  expect(readFileSync(sample.place.path)).toEqual(before);
});

it('a former writer’s other history is told by the log, which never saw it', async () => {
  const sample = await teamVault();
  const ada = await asOwner(sample, async (owner) =>
    add(owner, 'ada', { can: 'read,write', env: 'development' }),
  );
  const hers = taken(sample);
  await asOwner(sample, async (owner) => remove(owner, 'ada'));
  await as(hers, ada, async (vault) => put(vault, 'planted', 'by ada', { environment: 'development' }));
  const { warnings } = await verify(sample, hers.path);
  expect(warnings).toEqual([expect.stringContaining('knows no such state')]);
  const sound = await take(sample);
  expect((await verify(sample, sound)).warnings).toEqual([]);
});

it('what was verified is what is restored, whatever stands in the file by then', async () => {
  const sample = await teamVault();
  await withVault(sample, async (vault) => put(vault, 'x', 'older'));
  const older = await take(sample);
  await withVault(sample, async (vault) => put(vault, 'x', 'newer'));
  const newer = await take(sample);
  const expected = readFileSync(newer);
  await withVault(sample, async (vault) => put(vault, 'x', 'newest'));
  await withBackup(sample, newer, async (backup) => {
    await verifyBackup(sample.place, backup, 'backup-restore', undefined);
    // In place, as somebody may who can write to the folder of backups while a question is being answered.
    writeFileSync(newer, readFileSync(older));
    writeFileSync(logPathBeside(newer), readFileSync(logPathBeside(older)));
    await restoreBackup(sample.place, backup);
  });
  expect(readFileSync(sample.place.path)).toEqual(expected);
  expect(await withVault(sample, async (vault) => get(vault, 'x'))).toBe('newer');
});

it('a log that was exchanged after it was verified is not taken over', async () => {
  const sample = await teamVault();
  const file = await take(sample);
  const other = await take(await teamVault());
  const elsewhere = temporaryFolder();
  const at = path.join(elsewhere, 'new', 'team.vault');
  mkdirSync(path.dirname(at));
  const here: Place = { ...sample.place, path: at, audit: { type: 'file', path: logPathBeside(at) } };
  await withBackup(sample, file, async (backup) => {
    await verifyBackup(here, backup, 'backup-restore', undefined);
    writeFileSync(logPathBeside(file), readFileSync(logPathBeside(other)));
    expect(await failureOf(restoreBackup(here, backup))).toMatchObject({ code: 'INTEGRITY' });
  });
  expect(() => readFileSync(at)).toThrow('ENOENT');
  expect(() => readFileSync(logPathBeside(at))).toThrow('ENOENT');
});

it('a log that was pruned after the backup is put aside: the older vault cannot prove it', async () => {
  let now = new Date('2026-01-01T00:00:00Z');
  const sample = await teamVault(undefined, { now: () => now });
  await withVault(sample, async (vault) => put(vault, 'x', 'old'));
  const file = await take(sample);
  await withVault(sample, async (vault) => put(vault, 'x', 'new'));
  now = new Date('2028-01-01T00:00:00Z');
  const vault = await open(sample);
  const prune = { before: null, archive: null, known: vault.rememberedLog };
  const { removed } = await vault.write('audit-prune', async (scope) => pruneLog(scope, sample.place, prune));
  vault.close();
  expect(removed).toBeGreaterThan(3);
  const pruned = readFileSync(sample.place.audit.path);
  const { kept } = await restore(sample, file);
  expect(kept).toHaveLength(2);
  expect(readFileSync(kept[1] ?? '').subarray(0, pruned.length)).toEqual(pruned);
  await verifiedByOwner(sample);
  expect(
    records(sample.place)
      .map(({ op }) => op)
      .slice(0, 2),
  ).toEqual(['log', 'backup-restore']);
});

it('who was made an administrator after the backup does not get in with it', async () => {
  const sample = await teamVault();
  const file = await take(sample);
  const ada = await asOwner(sample, async (owner) => add(owner, 'ada', { can: 'admin' }));
  await restore(sample, file);
  expect(await failureOf(openToken(sample.place, ada))).toMatchObject({ code: 'UNLOCK_FAILED' });
});
