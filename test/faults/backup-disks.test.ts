/** Backups to and from file systems that are really full or really read-only. */
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { recorded, take } from '../support/backups.ts';
import { BinaryVault, type Ended } from '../support/binary-vault.ts';
import { MountNamespace, namespacesLacking } from '../support/namespace.ts';
import { skipped } from '../support/tools.ts';

const reason = namespacesLacking();

/** In a mount namespace the working folder is the root. */
async function inside(vault: BinaryVault, disk: MountNamespace, args: readonly string[]): Promise<Ended> {
  const env = { VAULT_PATH: vault.file };
  return vault.runWith('nsenter', disk.inside([binary, ...args]), { env, shows: args[0] === 'get' });
}

/** A vault, and a disk of its own in one folder of it. */
async function withDisk(
  folder: string,
  options: string,
): Promise<{
  vault: BinaryVault;
  disk: MountNamespace;
  run: (...args: readonly string[]) => Promise<Ended>;
}> {
  const vault = await BinaryVault.make();
  const disk = await MountNamespace.open();
  mkdirSync(vault.in(folder));
  disk.shell(`mount -t tmpfs -o ${options} none ${vault.in(folder)}`);
  const run = async (...args: readonly string[]): Promise<Ended> => inside(vault, disk, args);
  return { vault, disk, run };
}

const listing = (disk: MountNamespace, folder: string): string => disk.shell(`ls -A ${folder}`);

describe.skipIf(reason !== '')(`vault backup${skipped(reason)}`, () => {
  test.for([
    ['size=8k', 'without room'],
    ['size=1m,nr_inodes=2', 'without a free inode'],
  ] as const)('to a disk %s: 9, nothing left there, on record', async ([options]) => {
    const { vault, disk, run } = await withDisk('disk', options);
    const { status, stdout, stderr } = await run('backup', `${vault.in('disk')}/`);
    expect([status, stdout.toString(), stderr]).toEqual([9, '', expect.stringContaining('no space left')]);
    expect(listing(disk, vault.in('disk'))).toBe('');
    expect(recorded(vault.log, 'backup')).toEqual(['backup BACKEND']);
    disk.shell(`mount -o remount,size=1m,nr_inodes=100 ${vault.in('disk')}`);
    expect(await run('backup', `${vault.in('disk')}/`)).toMatchObject({ status: 0 });
    await vault.ok(['verify']);
    vault.expectNoLeak();
  });

  test('to a disk that is read-only: 9, and older backups stay', async () => {
    const { vault, disk, run } = await withDisk('disk', 'size=1m');
    const folder = `${vault.in('disk')}/`;
    expect(await run('backup', folder)).toMatchObject({ status: 0 });
    const before = listing(disk, folder);
    disk.shell(`mount -o remount,ro ${folder}`);
    const { status, stdout, stderr } = await run('backup', folder, '--keep', '1');
    expect([status, stdout.toString(), stderr]).toEqual([9, '', expect.stringContaining('read-only')]);
    expect(listing(disk, folder)).toBe(before);
  });

  test('restores from a disk that is read-only', async () => {
    const { vault, disk, run } = await withDisk('disk', 'size=1m');
    const { stdout } = await run('backup', `${vault.in('disk')}/`, '--quiet');
    const file = stdout.toString('utf8').trimEnd();
    disk.shell(`mount -o remount,ro ${vault.in('disk')}`);
    await vault.put('canary', 'newer');
    expect(await run('backup', 'verify', file)).toMatchObject({ status: 0 });
    expect(await run('backup', 'restore', file, '--yes')).toMatchObject({ status: 0 });
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });
});

describe.skipIf(reason !== '')(`vault backup restore${skipped(reason)}`, () => {
  test('on a full disk: nothing has changed, and nothing is left', async () => {
    const vault = await BinaryVault.make();
    const file = await take(vault, ['backups/']);
    await vault.put('canary', 'newest');
    const disk = await MountNamespace.open();
    const folder = path.dirname(vault.file);
    const copied = vault.in('copied');
    disk.shell(
      `cp -r ${folder} ${copied} && mount -t tmpfs -o size=64k none ${folder} && cp ${copied}/* ${folder}/`,
    );
    disk.shell(`dd if=/dev/zero of=${folder}/filler bs=4k 2>/dev/null; true`);
    const [names, sums] = [listing(disk, folder), disk.shell(`sha256sum ${vault.file}`)];
    const run = async (...args: readonly string[]): Promise<Ended> => inside(vault, disk, args);
    const { status, stderr } = await run('backup', 'restore', file, '--yes');
    expect([status, stderr]).toEqual([expect.toBeOneOf([9, 10]), expect.stringContaining('no space left')]);
    expect([listing(disk, folder), disk.shell(`sha256sum ${vault.file}`)]).toEqual([names, sums]);
    disk.shell(`rm ${folder}/filler`);
    expect((await run('get', 'canary')).stdout.toString()).toBe('newest');
    expect(await run('backup', 'restore', file, '--yes')).toMatchObject({ status: 0 });
    expect((await run('get', 'canary')).stdout.toString()).toBe(vault.canary.value);
    expect(await run('verify')).toMatchObject({ status: 0 });
    expect(readFileSync(vault.file).length).toBeGreaterThan(0);
  });
});
