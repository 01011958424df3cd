/** `vault backup` and `vault backup restore` killed, or failed by the disk, at each system call that changes something. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { contentsOf, logOf, namesIn, recorded } from '../support/backups.ts';
import { addToken, holding } from '../support/binary-team.ts';
import { BinaryVault, type Ended } from '../support/binary-vault.ts';
import { callsOf, withFault, type Call, type Fault, type Traced } from '../support/strace.ts';
import { lacking, skipped } from '../support/tools.ts';

const reason = lacking('strace');
const killed = 137;
const unfinished = '.vault-unfinished';

/** Every call that changes something; of those that take and free the lock, the first and the last. */
function changing(calls: readonly Call[]): Call[] {
  const locking = calls.filter(({ name }) => name === 'fcntl');
  return calls.filter((call) => {
    if (call.name === 'fcntl') return call === locking[0] || call === locking.at(-1);
    return call.name !== 'openat' || call.text.includes('O_CREAT');
  });
}

/** A vault, an administrator's token, and a folder for backups. */
class Bench {
  readonly vault: BinaryVault;
  readonly options: Traced;

  private constructor(vault: BinaryVault, token: string) {
    this.vault = vault;
    const log = logOf(this.copy);
    const files = [this.copies, this.copy, this.copy + unfinished, log, log + unfinished];
    this.options = { ...holding(token), files };
  }

  static async make(): Promise<Bench> {
    const vault = await BinaryVault.make();
    mkdirSync(vault.in('copies'));
    return new Bench(vault, await addToken(vault, 'bot', '--can admin'));
  }

  get copies(): string {
    return this.vault.in('copies');
  }

  get copy(): string {
    return path.join(this.copies, 'copy');
  }

  async ok(...args: readonly string[]): Promise<Ended> {
    return this.vault.ok(args, this.options);
  }

  async calls(...args: readonly string[]): Promise<Call[]> {
    return callsOf(this.vault, args, this.options);
  }

  async fault(
    call: Parameters<typeof withFault>[1],
    fault: Fault,
    ...args: readonly string[]
  ): Promise<Ended> {
    return withFault(this.vault, call, fault, args, this.options);
  }

  async get(): Promise<Ended> {
    return this.vault.run(['get', 'canary'], { ...this.options, shows: true });
  }

  clear(): void {
    for (const name of namesIn(this.copies)) rmSync(path.join(this.copies, name));
  }
}

/** Whether this writes to the log: what cannot be put on record does not happen. */
const isRecord = ({ name, nth, text }: Call): boolean =>
  name === 'write' && nth > 2 && text.includes('{\\"log');

const backup = (bench: Bench): readonly string[] => ['backup', bench.copy];

describe.skipIf(reason !== '')(`vault backup${skipped(reason)}`, () => {
  test.concurrent(
    'killed at each call leaves a whole backup or none, and the next one works',
    async () => {
      const bench = await Bench.make();
      const calls = changing(await bench.calls(...backup(bench)));
      const commit = calls.findIndex(({ name, text }) => name === 'link' && text.includes('/copy"'));
      expect(commit).toBeGreaterThan(12);
      expect(calls.length - commit).toBeGreaterThan(2);
      for (const [index, call] of calls.entries()) {
        const at = `${index} ${call.text}`;
        bench.clear();
        const ended = await bench.fault(call, 'signal=KILL', ...backup(bench));
        expect([at, ended.status, ended.stdout.toString()]).toEqual([
          at,
          killed,
          expect.toBeOneOf(['', `${bench.copy}\n`]),
        ]);
        // strace stops it before the call is made.
        const isThere = namesIn(bench.copies).includes('copy');
        expect([at, isThere]).toEqual([at, index > commit]);
        const verified = await bench.vault.run(['backup', 'verify', bench.copy], bench.options);
        expect([at, verified.status, verified.stderr]).toEqual([
          at,
          isThere ? 0 : 3,
          expect.not.stringContaining('no audit log'),
        ]);
        const again = await bench.vault.run(backup(bench), bench.options);
        expect([at, again.status, again.stderr]).toEqual([at, isThere ? 8 : 0, again.stderr]);
        await bench.ok('backup', 'verify', bench.copy);
        await bench.ok('verify');
      }
      expect(bench.vault.leftovers()).toEqual([]);
      bench.vault.expectNoLeak();
    },
    120_000,
  );

  for (const error of ['EIO', 'ENOSPC'] as const)
    test.concurrent(
      `${error} at each call: the right status, and no backup but a whole one`,
      async () => {
        const bench = await Bench.make();
        const all = await bench.calls(...backup(bench));
        const calls = (error === 'EIO' ? all : changing(all)).filter(({ name }) => name !== 'fcntl');
        expect(calls.length).toBeGreaterThan(20);
        const seen = new Set<number>();
        for (const call of calls) {
          bench.clear();
          const { status, stdout, stderr } = await bench.fault(call, `error=${error}`, ...backup(bench));
          expect(readFileSync(bench.vault.in('trace'), 'utf8'), call.text).toContain('(INJECTED)');
          const at = `${call.text} ${call.nth}: ${stderr}`;
          seen.add(status);
          // A name that cannot be taken away stays, and is taken away by the next one.
          const names = namesIn(bench.copies).filter(
            (name) => call.name !== 'unlink' || !name.endsWith(unfinished),
          );
          const done = { status: 0, names: ['copy', 'copy.audit.jsonl'], output: `${bench.copy}\n` };
          const failed = {
            status: expect.toBeOneOf(isRecord(call) ? [10] : [9, 10]) as unknown,
            names: [],
            output: '',
          };
          const found = { at, status, names, output: stdout.toString() };
          expect(found).toEqual({ at, ...(status === 0 && !isRecord(call) ? done : failed) });
          expect(stderr).toMatch(status === 0 ? /^vault: generation/u : /^vault: cannot /u);
          const verified = await bench.vault.run(['backup', 'verify', bench.copy], bench.options);
          expect([at, verified.status]).toEqual([at, status === 0 ? 0 : 3]);
          bench.clear();
          await bench.ok(...backup(bench));
          await bench.ok('verify');
        }
        expect(seen).toEqual(new Set([0, 9, 10]));
        expect(recorded(bench.vault.log, 'backup')).toContain('backup BACKEND');
        expect(bench.vault.leftovers()).toEqual([]);
      },
      120_000,
    );
});

/** A backup, and a newer vault in its place. @param newcomer whether somebody came after the backup, whose records it cannot prove */
async function newerThanBackup(newcomer: boolean): Promise<Bench> {
  const bench = await Bench.make();
  await bench.ok(...backup(bench));
  if (newcomer) {
    const token = await addToken(bench.vault, 'late', '--can read --env development');
    await bench.vault.ok(['ls'], holding(token));
  }
  await bench.vault.put('canary', 'newest');
  return bench;
}

/** Whether bytes are the start of a file in the vault's folder. */
function isKept(vault: BinaryVault, bytes: Buffer): boolean {
  const folder = path.dirname(vault.file);
  return namesIn(folder).some((name) =>
    readFileSync(path.join(folder, name)).subarray(0, bytes.length).equals(bytes),
  );
}

const isEqual = (a: readonly string[], b: readonly string[]): boolean => a.join('\n') === b.join('\n');

const restore = (bench: Bench): readonly string[] => ['backup', 'restore', bench.copy, '--yes'];

describe.skipIf(reason !== '')(`vault backup restore${skipped(reason)}`, () => {
  test.concurrent.for([{ newcomer: false }, { newcomer: true }])(
    'killed at each call loses nothing, and works the next time (log put aside: $newcomer)',
    { timeout: 120_000 },
    async ({ newcomer }) => {
      const bench = await newerThanBackup(newcomer);
      const { vault } = bench;
      const [newer, log, copies] = [
        readFileSync(vault.file),
        readFileSync(vault.log),
        contentsOf(bench.copies),
      ];
      const reset = vault.keep();
      const calls = changing(await bench.calls(...restore(bench)));
      const commit = calls.findIndex(({ name, text }) => name === 'rename' && text.includes('.vault.new"'));
      expect(commit).toBeGreaterThan(6);
      expect(calls.length - commit).toBeGreaterThan(3);
      for (const [index, call] of calls.entries()) {
        const at = `${index} ${call.text}`;
        reset();
        expect([at, (await bench.fault(call, 'signal=KILL', ...restore(bench))).status]).toEqual([
          at,
          killed,
        ]);
        expect([at, isKept(vault, newer), isKept(vault, log)]).toEqual([at, true, true]);
        expect([at, readFileSync(vault.file).equals(newer)]).toEqual([at, index <= commit]);
        const { status, stdout } = await bench.get();
        const value = index <= commit ? 'newest' : vault.canary.value;
        // The log is on its way, or this machine still remembers the newer vault: refused until it is restored.
        const allowed = !newcomer && index <= commit ? [0] : [0, 7];
        expect([at, status, stdout.toString()]).toEqual([
          at,
          expect.toBeOneOf(allowed),
          status === 0 ? value : '',
        ]);
        await bench.ok(...restore(bench));
        expect((await bench.get()).stdout.toString()).toBe(vault.canary.value);
        await bench.ok('verify');
        expect([at, isKept(vault, newer), isKept(vault, log)]).toEqual([at, true, true]);
        expect(namesIn(path.dirname(vault.file)).filter((name) => name.endsWith('.new'))).toEqual([]);
      }
      expect(contentsOf(bench.copies)).toEqual(copies);
      vault.expectNoLeak();
    },
  );

  test.concurrent.for([
    { error: 'EIO', newcomer: false },
    { error: 'ENOSPC', newcomer: true },
  ] as const)(
    '$error at each call: all is as it was, or it is done (log put aside: $newcomer)',
    { timeout: 120_000 },
    async ({ error, newcomer }) => {
      const bench = await newerThanBackup(newcomer);
      const { vault } = bench;
      const newer = readFileSync(vault.file);
      const reset = vault.keep();
      const names = namesIn(path.dirname(vault.file));
      const all = await bench.calls(...restore(bench));
      const calls = (error === 'EIO' ? all : changing(all)).filter(({ name }) => name !== 'fcntl');
      const seen = new Set<number>();
      for (const call of calls) {
        reset();
        const { status, stderr } = await bench.fault(call, `error=${error}`, ...restore(bench));
        const at = `${call.text} ${call.nth}: ${stderr}`;
        seen.add(status);
        const isDone = status === 0 || stderr.includes('durability unknown');
        expect([at, status, isKept(vault, newer)]).toEqual([at, expect.toBeOneOf([0, 9, 10]), true]);
        // Unless it is done, the vault that was there works as before, with the log that was there.
        const asBefore = {
          newer: readFileSync(vault.file).equals(newer),
          names: isEqual(namesIn(path.dirname(vault.file)), names),
          value: (await bench.get()).stdout.toString() === 'newest',
        };
        expect([at, asBefore]).toEqual([at, { newer: !isDone, names: !isDone, value: !isDone }]);
        await bench.ok(...restore(bench));
        expect((await bench.get()).stdout.toString()).toBe(vault.canary.value);
        await bench.ok('verify');
      }
      expect(seen).toEqual(new Set([0, 9, 10]));
      vault.expectNoLeak();
    },
  );

  test.concurrent('and vault backup work on a file system without hard links', async () => {
    const bench = await Bench.make();
    const { vault } = bench;
    const without = { name: 'link', nth: 'all' } as const;
    expect(await bench.fault(without, 'error=EPERM', ...backup(bench))).toMatchObject({ status: 0 });
    expect(readFileSync(vault.in('trace'), 'utf8').match(/^.* link\(.*\(INJECTED\)$/gmu)).toHaveLength(2);
    expect(namesIn(bench.copies)).toEqual(['copy', 'copy.audit.jsonl']);
    expect(await bench.fault(without, 'error=EPERM', ...backup(bench))).toMatchObject({ status: 8 });
    await vault.put('canary', 'newest');
    const newer = readFileSync(vault.file);
    expect(await bench.fault(without, 'error=EPERM', ...restore(bench))).toMatchObject({ status: 0 });
    expect(isKept(vault, newer)).toBe(true);
    expect((await bench.get()).stdout.toString()).toBe(vault.canary.value);
    await bench.ok('verify');
  });
});
