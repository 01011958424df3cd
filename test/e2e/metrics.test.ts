/** `vault metrics`, as Prometheus and its node exporter have it. docs/metrics.md. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import { expositionText } from '../../commands/exposition.ts';
import type { MetricFamily } from '../../src/vault/operations/metrics.ts';
import { binary } from '../binary-is-built.ts';
import { runProgram, scenario, type BinaryVault } from '../support/binary-vault.ts';
import { debianPackages } from '../support/debian-packages.ts';
import { lacking, skipped } from '../support/tools.ts';

const noPromtool = await debianPackages({ prometheus: ['promtool', '--version'] });
const noStrace = lacking('strace', 'prlimit');

/** A sample line, taken apart: names and labels are one series. */
const sampleLine =
  /^(?<series>(?<name>[a-z_]+)(?:\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})?) (?<value>\S+)$/u;

interface Series {
  readonly name: string;
  readonly series: string;
  readonly value: number;
}

/** Every sample, in order. Comments must be those of families that have samples, right before them. */
function samplesOf(text: string): Series[] {
  expect(text).toMatch(/\n$/u);
  const samples: Series[] = [];
  let family = '';
  for (const line of text.trimEnd().split('\n')) {
    const [, kind, name = ''] = /^# (HELP|TYPE) (\S+) .+$/u.exec(line) ?? [];
    if (kind === 'HELP') family = name;
    if (kind === 'TYPE') expect(name).toBe(family);
    if (kind !== undefined) continue;
    const groups = sampleLine.exec(line)?.groups;
    expect(groups, line).toMatchObject({ name: family });
    samples.push({ name: family, series: groups?.['series'] ?? '', value: Number(groups?.['value']) });
  }
  return samples;
}

async function metricsOf(vault: BinaryVault, ...args: readonly string[]): Promise<string> {
  return (await vault.ok(['metrics', ...args])).stdout.toString();
}

async function values(vault: BinaryVault): Promise<Map<string, number>> {
  return new Map(samplesOf(await metricsOf(vault)).map(({ series, value }) => [series, value]));
}

const oddNames = ['a"b', 'back\\slash', 'n\\n', 'größe', '東京', '{x="y"}', '#'];

/** Whatever environment names allow, operations that failed, and names of secrets that are to be nowhere. */
async function busy(vault: BinaryVault): Promise<void> {
  for (const name of oddNames) await vault.ok(['env', 'add', name, '-q']);
  const name = vault.watch(`name-of-a-secret-${vault.canary.value}`);
  for (const environment of ['development', 'a"b']) await vault.put(name, 'x', '--env', environment, '-q');
  await vault.put('soon', 'x', '--expires', '3d');
  await vault.put('due', 'x', '--rotate-every', '1s');
  await vault.fails(3, ['get', 'absent']);
  await vault.fails(4, ['ls'], { env: { VAULT_PASSPHRASE: 'wrong' } });
}

describe.skipIf(noPromtool !== null)(`promtool${skipped(noPromtool ?? '')}`, () => {
  scenario('has nothing to say against it', async (vault) => {
    await busy(vault);
    const ended = await vault.ok(['metrics']);
    const checked = await runProgram('promtool', ['check', 'metrics'], { input: ended.stdout, env: {} });
    expect([checked.stdout.toString(), checked.stderr, checked.status]).toEqual(['', '', 0]);
  });

  test('would say so', async () => {
    const input = '# HELP a_total A.\n# TYPE a_total counter\na_total{b="c"d"} 1\n';
    const checked = await runProgram('promtool', ['check', 'metrics'], { input, env: {} });
    expect(checked.status).not.toBe(0);
  });
});

describe('vault metrics', () => {
  scenario('is families of distinct series, each family in one place', async (vault) => {
    await busy(vault);
    const samples = samplesOf(await metricsOf(vault));
    const series = samples.map((sample) => sample.series);
    expect(new Set(series).size).toBe(series.length);
    const runs = samples.map(({ name }) => name).filter((name, index, all) => name !== all[index - 1]);
    expect(new Set(runs).size).toBe(runs.length);
    for (const name of oddNames) {
      const label = name.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
      expect(series).toContain(`vault_secrets_overdue{environment="${label}"}`);
    }
  });

  scenario('counts what was done before it, and itself the next time', async (vault) => {
    await busy(vault);
    const records = readFileSync(vault.log, 'utf8').trimEnd().split('\n').length;
    const before = await values(vault);
    const expected = {
      'vault_operations_total{operation="get",result="failed"}': 1,
      'vault_operations_total{operation="unlock",result="failed"}': 1,
      vault_failed_unlocks_total: 1,
      vault_audit_records: records,
      vault_audit_head_sequence: records,
      'vault_secrets{environment="development",state="expiring"}': 1,
      'vault_secrets{environment="development",state="live"}': 3,
      'vault_secrets{environment="a\\"b",state="live"}': 1,
      vault_size_bytes: statSync(vault.file).size,
    };
    for (const [series, value] of Object.entries(expected))
      expect([series, before.get(series)]).toEqual([series, value]);
    expect(before.has('vault_operations_total{operation="metrics",result="ok"}')).toBe(false);
    const after = await values(vault);
    expect(after.get('vault_operations_total{operation="metrics",result="ok"}')).toBe(1);
    expect(after.get('vault_audit_records')).toBe(records + 1);
    expect(await vault.json(['audit', '--op', 'metrics'])).toMatchObject([
      { success: true },
      { success: true },
    ]);
  });

  scenario('times the key derivation of a passphrase, and has none for a token', async (vault) => {
    const name = 'vault_key_derivation_seconds';
    expect((await values(vault)).get(name)).toBeGreaterThan(0);
    const add = ['access', 'add', 'monitoring', '--can', 'list', '--env', 'development', '--token', '-q'];
    const token = vault.watch((await vault.ok(add)).stdout.toString().trim());
    const { stdout } = await vault.ok(['metrics'], {
      env: { VAULT_PASSPHRASE: undefined, VAULT_ACCESS_TOKEN: token },
    });
    const series = samplesOf(stdout.toString()).map((sample) => sample.series);
    expect(series).not.toContain(name);
    expect(series).toContain('vault_secrets{environment="development",state="live"}');
    expect(series.filter((one) => one.includes('production'))).toEqual([]);
  });

  scenario('has the same as JSON', async (vault) => {
    await busy(vault);
    const families = (await vault.json(['metrics'])) as MetricFamily[];
    const own = ({ series }: Series): boolean => !series.includes('operation="metrics"');
    const text = samplesOf(await metricsOf(vault)).filter(own);
    expect(text.map(({ series }) => series)).toEqual(
      samplesOf(expositionText(families)).map(({ series }) => series),
    );
  });
});

describe('vault metrics --out', () => {
  scenario('writes a file that all may read, and nothing on standard output', async (vault) => {
    await busy(vault);
    const line = 'umask 077 && "$VAULT" metrics --out vault.prom';
    const { status, stdout } = await vault.shell(line);
    expect([status, stdout.toString()]).toEqual([0, '']);
    expect(statSync(vault.in('vault.prom')).mode & 0o777).toBe(0o644);
    const samples = samplesOf(readFileSync(vault.in('vault.prom'), 'utf8'));
    expect(samples.map(({ name }) => name)).toContain('vault_generation');
    expect(vault.canary.isIn(readFileSync(vault.in('vault.prom')))).toBe(false);
    const families = await vault.json(['metrics', '--out', 'vault.prom']);
    expect(families).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'vault_generation' })]));
    expect(readdirSync(vault.folder).filter((name) => name.startsWith('vault.prom'))).toEqual(['vault.prom']);
  });

  scenario('wants the name that the node exporter reads, before it asks for a credential', async (vault) => {
    const env = { VAULT_PASSPHRASE: undefined };
    for (const name of ['vault.txt', '-', 'prom', '/dev/stdout'])
      expect(await vault.fails(2, ['metrics', '--out', name, '--no-input'], { env })).toContain(
        'must end in .prom',
      );
  });

  scenario('follows no link and makes no folder', async (vault) => {
    writeFileSync(vault.in('target'), 'kept');
    symlinkSync('target', vault.in('link.prom'));
    await vault.fails(7, ['metrics', '--out', 'link.prom']);
    expect(readFileSync(vault.in('target'), 'utf8')).toBe('kept');
    mkdirSync(vault.in('folder.prom'));
    await vault.fails(9, ['metrics', '--out', 'folder.prom']);
    await vault.fails(9, ['metrics', '--out', 'absent/vault.prom']);
    expect(existsSync(vault.in('absent'))).toBe(false);
  });
});

describe.skipIf(noStrace !== '')(`vault metrics --out, where the write fails${skipped(noStrace)}`, () => {
  const old = '# an older one\n';

  const renames = 'rename,renameat,renameat2';

  /** Run with a fault in the rename that puts the file in its place. */
  async function withFault(vault: BinaryVault, fault: string): Promise<{ status: number; stderr: string }> {
    writeFileSync(vault.in('vault.prom'), old);
    const trace = vault.in('trace');
    const traced = ['-f', '-qq', '-o', trace, '-e', `trace=${renames}`];
    const command = [binary, 'metrics', '--out', 'vault.prom'];
    await vault.runWith('strace', [...traced, ...command]);
    const calls = readFileSync(trace, 'utf8').trimEnd().split('\n');
    const nth = calls.findIndex((line) => line.includes('"vault.prom"') || line.includes('/vault.prom"')) + 1;
    expect(nth).toBeGreaterThan(0);
    writeFileSync(vault.in('vault.prom'), old);
    const inject = ['-e', `inject=${renames}:${fault}:when=${nth}`];
    const ended = await vault.runWith('strace', [...traced, ...inject, ...command]);
    expect(readFileSync(trace, 'utf8')).toMatch(/vault\.prom".*INJECTED|killed by SIGKILL/u);
    return ended;
  }

  /** Files that the node exporter would read. */
  const read = (vault: BinaryVault): string[] =>
    readdirSync(vault.folder).filter((name) => name.endsWith('.prom'));

  scenario('the old file stays as it was, and nothing is left', async (vault) => {
    const { status, stderr } = await withFault(vault, 'error=EIO');
    expect([status, stderr]).toEqual([9, expect.stringContaining('vault.prom')]);
    expect(readFileSync(vault.in('vault.prom'), 'utf8')).toBe(old);
    expect(readdirSync(vault.folder).filter((name) => name.includes('.prom'))).toEqual(['vault.prom']);
  });

  scenario('by a kill, the old file stays, and what is left is not read', async (vault) => {
    await withFault(vault, 'signal=KILL');
    expect(readFileSync(vault.in('vault.prom'), 'utf8')).toBe(old);
    expect(read(vault)).toEqual(['vault.prom']);
    await vault.ok(['metrics', '--out', 'vault.prom']);
    expect(samplesOf(readFileSync(vault.in('vault.prom'), 'utf8')).length).toBeGreaterThan(9);
  });

  scenario('by a limit on the size of files, the old file stays', async (vault) => {
    writeFileSync(vault.in('vault.prom'), old);
    const whole = (await vault.ok(['metrics'])).stdout.length;
    const limit = whole - 1;
    expect(readFileSync(vault.log).length, 'the log can grow, the metrics cannot').toBeLessThan(
      limit - 1_000,
    );
    const args = [`--fsize=${limit}`, binary, 'metrics', '--out', 'vault.prom'];
    const { status, stderr } = await vault.runWith('prlimit', args);
    expect([status, stderr]).toEqual([9, expect.stringMatching(/vault\.prom.*too large/u)]);
    expect(readFileSync(vault.in('vault.prom'), 'utf8')).toBe(old);
  });
});
