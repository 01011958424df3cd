/** `vault audit verify` and what goes with it, through the binary: a log that is not what it was is named, with line and record. */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { agedVault } from '../support/aged-vault.ts';
import { records } from '../support/audit-records.ts';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';
import { problemsWith } from '../support/published-schemas.ts';

const linesOf = (vault: BinaryVault): string[] => readFileSync(vault.log, 'utf8').trimEnd().split('\n');
const write = (vault: BinaryVault, lines: readonly string[]): void =>
  writeFileSync(vault.log, `${lines.join('\n')}\n`);

/** A log of eight records. */
async function filled(vault: BinaryVault): Promise<void> {
  for (let times = 0; times < 4; times++) await vault.get('canary');
  await vault.fails(4, ['ls'], { env: { VAULT_PASSPHRASE: 'wrong' } });
}

interface Damage {
  readonly what: string;
  readonly change: (lines: readonly string[]) => string[];
  readonly fault: { readonly kind: string; readonly line: number; readonly sequence: number };
  readonly proven: number | null;
  readonly says: string;
}

const damages: readonly Damage[] = [
  {
    what: 'a changed record',
    change: (lines) => lines.with(3, (lines[3] ?? '').replace('"op":"get"', '"op":"put"')),
    fault: { kind: 'changed', line: 4, sequence: 4 },
    proven: 3,
    says: 'was changed',
  },
  {
    what: 'a removed record',
    change: (lines) => lines.toSpliced(2, 1),
    fault: { kind: 'removed', line: 3, sequence: 4 },
    proven: 2,
    says: 'record 3 was removed',
  },
  {
    what: 'a swapped one',
    change: (lines) => lines.with(1, lines[4] ?? '').with(4, lines[1] ?? ''),
    fault: { kind: 'reordered', line: 2, sequence: 5 },
    proven: 1,
    says: 'reordered',
  },
  {
    what: 'one twice',
    change: (lines) => lines.toSpliced(5, 0, lines[1] ?? ''),
    fault: { kind: 'inserted', line: 6, sequence: 2 },
    proven: 5,
    says: 'inserted',
  },
  {
    what: 'an end that is gone',
    change: (lines) => lines.slice(0, 5),
    fault: { kind: 'truncated', line: 6, sequence: 6 },
    proven: 5,
    says: 'it was cut',
  },
];

describe('audit verify', () => {
  for (const { what, change, fault, proven, says } of damages)
    scenario(`names ${what}: for people, and with --json`, async (vault) => {
      await filled(vault);
      const damaged = change(linesOf(vault));
      write(vault, damaged);
      const message = await vault.fails(7, ['audit', 'verify']);
      expect(message).toContain(`line ${fault.line} (record ${fault.sequence})`);
      expect(message).toContain(says);
      expect(message).toContain(proven === null ? 'nothing' : `proven up to record ${proven}`);
      write(vault, damaged);
      const { status, stdout, stderr } = await vault.run(['audit', 'verify', '--json']);
      const output = JSON.parse(stdout.toString('utf8')) as unknown;
      expect([status, problemsWith('audit-verify', output)]).toEqual([7, []]);
      expect(output).toMatchObject({ holds: false, fault, proven: { sequence: proven } });
      const error = JSON.parse(stderr) as { message: string };
      expect([problemsWith('error', error), error.message.includes(says)]).toEqual([[], true]);
      // All of it is damage for `verify` too.
      write(vault, damaged);
      expect(await vault.fails(7, ['verify'])).toContain(`line ${fault.line} (record ${fault.sequence})`);
    });

  scenario('an unfinished end is told once, and mended', async (vault) => {
    writeFileSync(vault.log, `${readFileSync(vault.log, 'utf8')}{"log":"ha`);
    expect(await vault.fails(7, ['audit', 'verify'])).toContain('line 4 is unfinished: a killed process');
    await vault.ok(['audit', 'verify']);
    expect(linesOf(vault).map((line) => (JSON.parse(line) as { op: string }).op)).toContain('torn');
  });

  scenario('a log that is gone, where this machine knows it', async (vault) => {
    rmSync(vault.log);
    expect(await vault.fails(7, ['audit', 'verify'])).toContain('is missing: this machine names a record');
  });

  scenario('holds it against several checkpoints in one file', async (vault) => {
    const file = vault.in('checkpoints');
    const { stdout } = await vault.ok(['audit', 'checkpoint']);
    await vault.put('x', 'y');
    const next = await vault.ok(['audit', 'checkpoint']);
    writeFileSync(file, Buffer.concat([stdout, next.stdout]));
    const args = ['audit', 'verify', '--checkpoint', file];
    expect((await vault.ok(args)).stderr).toContain('it goes on from 2 checkpoints');
    expect(await vault.json([...args, '--checkpoint', file])).toMatchObject({ checkpoints: 4 });
    writeFileSync(file, '');
    expect(await vault.fails(2, args)).toContain('has no checkpoint');
    writeFileSync(file, Buffer.concat([stdout, Buffer.from('nonsense\n')]));
    await vault.fails(7, args);
    await vault.fails(3, ['audit', 'verify', '--checkpoint', vault.in('absent')]);
    await vault.fails(3, ['audit', 'verify', '--archive', vault.in('absent')]);
  });

  scenario('an older vault and log, put back together, are found by a checkpoint alone', async (vault) => {
    const old = [vault.file, vault.log].map((file) => readFileSync(file));
    await vault.put('x', 'y');
    await vault.ok(['audit', 'checkpoint', '--out', 'checkpoint']);
    for (const [index, file] of [vault.file, vault.log].entries()) writeFileSync(file, old[index] ?? '');
    vault.forget();
    await vault.ok(['audit', 'verify']);
    vault.forget();
    const message = await vault.fails(7, ['audit', 'verify', '--checkpoint', 'checkpoint']);
    expect(message).toMatch(/rolled back: generation 2, the checkpoint of \S+ has 3/u);
  });
});

describe('audit prune', () => {
  scenario('beside others who read and write at the same time: not one record is lost', async (vault) => {
    const file = vault.in('aged.vault');
    const { place } = await agedVault(file);
    const of = ['--vault', file];
    const runs = [
      ...Array.from({ length: 6 }, () => ['get', 'a', ...of]),
      ['put', 'b', '--generate', ...of],
      ['audit', 'prune', '--yes', '--archive', 'kept', ...of],
      ...Array.from({ length: 6 }, () => ['get', 'a', ...of]),
      ['put', 'c', '--generate', ...of],
    ];
    const ended = await Promise.all(runs.map(async (args) => vault.run(args)));
    expect(ended.map(({ status, stderr }) => [status, status === 0 ? '' : stderr])).toEqual(
      runs.map(() => [0, '']),
    );
    const counts = new Map<string, number>();
    for (const { op } of records(place)) counts.set(op, (counts.get(op) ?? 0) + 1);
    expect([counts.get('get'), counts.get('put'), counts.get('audit-prune')]).toEqual([12, 3, 1]);
    expect(await vault.json(['audit', 'verify', '--archive', 'kept', ...of])).toMatchObject({
      first: 1,
      records: 4 + 1 + 12 + 2 + 1,
    });
  });

  scenario('asks, and does nothing where nobody can answer', async (vault) => {
    const file = vault.in('aged.vault');
    await agedVault(file);
    const before = readFileSync(`${file}.audit.jsonl`);
    expect(await vault.fails(2, ['audit', 'prune', '--vault', file])).toContain('keep no copy of them');
    expect(readFileSync(`${file}.audit.jsonl`)).toEqual(before);
  });

  scenario('not into a file that is there', async (vault) => {
    const file = vault.in('aged.vault');
    await agedVault(file);
    copyFileSync(file, vault.in('dear'));
    const args = ['audit', 'prune', '--yes', '--vault', file, '--archive'];
    expect(await vault.fails(8, [...args, 'dear'])).toContain('is there already');
    expect(readFileSync(vault.in('dear'))).not.toEqual(Buffer.alloc(0));
    await vault.fails(9, [...args, 'no/such/folder/kept']);
    expect(existsSync(vault.in('no'))).toBe(false);
    expect(await vault.json(['audit', 'verify', '--vault', file])).toMatchObject({ first: 1, pruned: 0 });
    await vault.ok([...args, 'kept']);
  });
});
