/** File systems that are really full or really read-only. */
import { cpSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { BinaryVault, fastKdf, type Ended, type RunOptions } from '../support/binary-vault.ts';
import { MountNamespace, namespacesLacking } from '../support/namespace.ts';
import { skipped } from '../support/tools.ts';

const reason = namespacesLacking();

/** A vault on a small disk of its own. */
class SmallDisk {
  readonly vault: BinaryVault;
  readonly #namespace: MountNamespace;

  private constructor(vault: BinaryVault, namespace: MountNamespace) {
    this.vault = vault;
    this.#namespace = namespace;
  }

  static async make(options: string): Promise<SmallDisk> {
    const vault = await BinaryVault.make();
    const disk = new SmallDisk(vault, await MountNamespace.open());
    cpSync(vault.in('.vault'), vault.in('kept'), { recursive: true });
    disk.shell(
      `mount -t tmpfs -o ${options} none ${vault.in('.vault')} && cp ${vault.in('kept')}/* ${vault.in('.vault')}/`,
    );
    return disk;
  }

  shell(line: string): string {
    return this.#namespace.shell(line);
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return this.vault.runWith('nsenter', this.#namespace.inside([binary, ...args]), {
      ...options,
      env: { VAULT_PATH: this.vault.file, ...options.env },
    });
  }

  async expectWhole(): Promise<void> {
    const verify = await this.run(['verify']);
    expect([verify.status, verify.stderr]).toEqual([0, expect.stringContaining('generation')]);
    const get = await this.run(['get', 'canary'], { shows: true });
    expect(get.stdout.toString()).toBe(this.vault.canary.value);
  }
}

describe.skipIf(reason !== '')(`a full disk${skipped(reason)}`, () => {
  test('refuses a put cleanly and keeps the vault', async () => {
    const disk = await SmallDisk.make('size=256k');
    const { status, stdout, stderr } = await disk.run(['put', 'large', '--exact'], {
      input: 'x'.repeat(512 * 1024),
    });
    expect([status, stdout.toString()]).toEqual([9, '']);
    expect(stderr).toMatch(/no space left/u);
    expect(disk.shell(`ls ${disk.vault.in('.vault')}`)).not.toContain('.new');
    await disk.expectWhole();
    expect(await disk.run(['put', 'small'], { input: 'fits' })).toMatchObject({ status: 0 });
    await disk.expectWhole();
    disk.vault.expectNoLeak();
  });

  test('shows no value that it cannot record', async () => {
    const disk = await SmallDisk.make('size=256k');
    disk.shell(`dd if=/dev/zero of=${disk.vault.in('.vault', 'filler')} bs=4k 2>/dev/null; true`);
    let refused: Ended | null = null;
    // The last page of the log may have room for a few records more.
    for (let attempt = 0; attempt < 12 && refused === null; attempt++) {
      const ended = await disk.run(['get', 'canary'], { shows: true });
      expect(ended.stdout.toString()).toBe(ended.status === 0 ? disk.vault.canary.value : '');
      refused = ended.status === 0 ? null : ended;
    }
    expect([refused?.status, refused?.stdout.toString()]).toEqual([expect.toBeOneOf([9, 10]), '']);
    expect(refused?.stderr).toMatch(/no space left|lock/u);
    for (const args of [
      ['put', 'x', '--generate'],
      ['exec', '--', 'touch', disk.vault.in('ran')],
      ['ls'],
      ['verify'],
    ]) {
      const { status, stdout } = await disk.run(args);
      expect([args, status, stdout.toString()]).toEqual([args, expect.toBeOneOf([9, 10, 125]), '']);
    }
    disk.shell(`rm ${disk.vault.in('.vault', 'filler')}; ! test -e ${disk.vault.in('ran')}`);
    await disk.expectWhole();
    expect(await disk.run(['put', 'x', '--generate'])).toMatchObject({ status: 0 });
  });

  test('without a free inode refuses a put cleanly', async () => {
    const disk = await SmallDisk.make('size=1m,nr_inodes=12');
    disk.shell(
      `cd ${disk.vault.in('.vault')}; for n in $(seq 20); do touch filler$n || break; done 2>/dev/null`,
    );
    for (const args of [
      ['put', 'x', '--generate'],
      ['put', 'y', '--generate'],
    ]) {
      const { status, stdout, stderr } = await disk.run(args);
      expect([status, stdout.toString(), stderr]).toEqual([
        expect.toBeOneOf([9, 10]),
        '',
        expect.stringMatching(/no space left/u),
      ]);
    }
    disk.shell(`rm ${disk.vault.in('.vault')}/filler*`);
    await disk.expectWhole();
  });

  test('makes no half vault', async () => {
    const vault = new BinaryVault();
    const namespace = await MountNamespace.open();
    namespace.shell(`mkdir ${vault.in('.vault')}; mount -t tmpfs -o size=8k none ${vault.in('.vault')}`);
    const init = async (): Promise<Ended> =>
      vault.runWith(
        'nsenter',
        namespace.inside([binary, 'init', vault.file, ...fastKdf, '--recovery-file', vault.in('key')]),
      );
    const { status, stdout, stderr } = await init();
    expect([status, stdout.toString(), stderr]).toEqual([
      expect.toBeOneOf([9, 10]),
      '',
      expect.stringMatching(/no space left/u),
    ]);
    namespace.shell(
      `! test -e ${vault.file}; ! test -e ${vault.in('key')}; mount -o remount,size=1m ${vault.in('.vault')}`,
    );
    const again = await init();
    expect([again.status, again.stderr]).toEqual([0, expect.stringContaining('recovery key written')]);
  });
});

describe.skipIf(reason !== '')(`a read-only file system${skipped(reason)}`, () => {
  test('shows nothing that it cannot record, and changes nothing', async () => {
    const disk = await SmallDisk.make('size=1m');
    disk.shell(`mount -o remount,ro ${disk.vault.in('.vault')}`);
    for (const args of [
      ['get', 'canary'],
      ['put', 'x', '--generate'],
      ['ls'],
      ['verify'],
      ['rm', 'canary'],
    ]) {
      const { status, stdout, stderr } = await disk.run(args);
      expect([args, status, stdout.toString()]).toEqual([args, expect.toBeOneOf([9, 10]), '']);
      expect(stderr).toMatch(/^vault: .*(?:read-only|lock)/u);
    }
    disk.shell(`mount -o remount,rw ${disk.vault.in('.vault')}`);
    await disk.expectWhole();
  });

  test('for the log alone: the same', async () => {
    const disk = await SmallDisk.make('size=1m');
    disk.shell(
      `mount --bind ${disk.vault.log} ${disk.vault.log} && mount -o remount,bind,ro ${disk.vault.log}`,
    );
    const before = disk.shell(`cat ${disk.vault.file} | sha256sum`);
    for (const args of [['get', 'canary'], ['put', 'x', '--generate'], ['ls'], ['rm', 'canary']]) {
      const { status, stdout, stderr } = await disk.run(args);
      expect([args, status, stdout.toString(), stderr]).toEqual([
        args,
        10,
        '',
        expect.stringMatching(/audit log .*read-only/u),
      ]);
    }
    const { status } = await disk.run(['exec', '--', 'touch', disk.vault.in('ran')]);
    expect(status).toBe(125);
    expect(disk.shell(`cat ${disk.vault.file} | sha256sum; ! test -e ${disk.vault.in('ran')}`)).toBe(before);
    disk.shell(`umount ${disk.vault.log}`);
    await disk.expectWhole();
  });

  test('for the memory: works, and remembers nothing', async () => {
    const disk = await SmallDisk.make('size=1m');
    disk.shell(
      `mount --bind ${disk.vault.state} ${disk.vault.state} && mount -o remount,bind,ro ${disk.vault.state}`,
    );
    await disk.expectWhole();
    expect(await disk.run(['put', 'x', '--generate'])).toMatchObject({ status: 0 });
    await disk.expectWhole();
  });
});
