/** Every write, flush and rename may fail: a clean message, the right status, and a vault that is whole. */
import { readFileSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { BinaryVault } from '../support/binary-vault.ts';
import { callsOf, withFault, type Call } from '../support/strace.ts';
import { lacking, skipped } from '../support/tools.ts';

const reason = lacking('strace', 'prlimit');
const failing = new Set([
  'write',
  'pwrite64',
  'fsync',
  'fdatasync',
  'rename',
  'unlink',
  'ftruncate',
  'openat',
  'mkdir',
]);
const input = 'the new value';

async function callsThatMayFail(vault: BinaryVault, args: readonly string[]): Promise<Call[]> {
  return (await callsOf(vault, args, { input: 'x', shows: true })).filter(({ name }) => failing.has(name));
}

describe.skipIf(reason !== '')(`an error of the disk${skipped(reason)}`, () => {
  for (const error of ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS'] as const) {
    test.concurrent(
      `${error} at each call of put`,
      async () => {
        const vault = await BinaryVault.make();
        await vault.put('x', 'old');
        const calls = await callsThatMayFail(vault, ['put', 'x']);
        const seen = new Set<number>();
        // The rarer ones only where bytes or names are written.
        const common = error === 'EIO' || error === 'ENOSPC';
        const share = common
          ? calls
          : calls.filter(({ name }) => ['pwrite64', 'write', 'rename'].includes(name));
        for (const call of share) {
          await vault.put('x', 'old');
          const { status, stdout, stderr } = await withFault(vault, call, `error=${error}`, ['put', 'x'], {
            input,
          });
          const trace = readFileSync(vault.in('trace'), 'utf8');
          expect(trace, call.text).toContain('(INJECTED)');
          const at = `${call.text}: ${stderr}`;
          expect([at, status]).toEqual([at, expect.toBeOneOf([0, 9, 10])]);
          expect([at, stdout.toString()]).toEqual([at, '']);
          seen.add(status);
          const value = await vault.text('x');
          // What was acknowledged is there; what is said to be unchanged is.
          const happened = status === 0 || stderr.includes('durability unknown');
          expect([at, value]).toEqual([at, happened ? input : 'old']);
          expect(stderr).toMatch(status === 0 ? /version \d+\n$/u : /^vault: cannot|durability unknown/u);
          await vault.ok(['verify']);
        }
        expect([...seen]).toEqual(expect.arrayContaining([9, 10]));
        await vault.put('x', 'afterwards');
        expect(await vault.text('x')).toBe('afterwards');
        expect(vault.leftovers()).toEqual([]);
      },
      120_000,
    );
  }

  test.concurrent(
    'at each call of get: the value, or nothing of it',
    async () => {
      const vault = await BinaryVault.make();
      const calls = await callsThatMayFail(vault, ['get', 'canary']);
      let refused = 0;
      for (const call of calls) {
        const ended = await withFault(vault, call, 'error=ENOSPC', ['get', 'canary'], { shows: true });
        const shown = ended.stdout.toString();
        const at = `${call.text}: ${ended.stderr}`;
        const record = call.name === 'write' && call.text.includes('\\"log');
        const allowed = record ? [10] : [0, 9, 10];
        expect([at, ended.status, shown]).toEqual([
          at,
          expect.toBeOneOf(allowed),
          ended.status === 0 ? vault.canary.value : '',
        ]);
        if (ended.status === 10) refused += 1;
        await vault.ok(['verify']);
      }
      expect(refused).toBeGreaterThan(1);
    },
    120_000,
  );

  test.concurrent('a file that may not grow any more (ulimit -f) is not torn', async () => {
    const vault = await BinaryVault.make();
    const size = readFileSync(vault.log).length;
    // Some bytes of the record fit, and not all of them.
    for (const limit of [size + 1, size + 100, size + 600, 4_096]) {
      const { status, stderr } = await vault.runWith('prlimit', [`--fsize=${limit}`, binary, 'put', 'x'], {
        input,
      });
      expect([limit, status, stderr], stderr).toEqual([
        limit,
        expect.toBeOneOf([9, 10]),
        expect.stringMatching(/too large/u),
      ]);
      await vault.ok(['verify']);
    }
    expect(vault.leftovers()).toEqual([]);
    await vault.fails(3, ['get', 'x']);
    rmSync(vault.in('trace'), { force: true });
  });
});
