/** From a vault to families of samples: docs/metrics.md. */
import { beforeEach, describe, expect, test } from 'vitest';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Counted } from '../../../src/storage/count-store.ts';
import { metricFamilies, type MetricFamily } from '../../../src/vault/operations/metrics.ts';
import { removeSecret } from '../../../src/vault/operations/move.ts';
import { vaultStatus, type VaultStatus } from '../../../src/vault/operations/status.ts';
import type { Place } from '../../../src/vault/place.ts';
import { Vault } from '../../../src/vault/vault.ts';
import { records } from '../../support/audit-records.ts';
import {
  makeVault,
  open,
  placeIn,
  put,
  samplePassphrase,
  withVault,
  type SampleVault,
} from '../../support/sample-vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const day = 86_400_000;
const begun = Date.parse('2026-11-22T08:00:00.000Z');

let now: number;
let warnings: string[];
let sample: SampleVault;

beforeEach(async () => {
  now = begun;
  warnings = [];
  const folder = temporaryFolder();
  const changes: Partial<Place> = {
    stateFolder: path.join(folder, 'state'),
    now: () => new Date(now),
    warn: (message) => warnings.push(message),
  };
  sample = await makeVault(placeIn(folder, changes));
});

const status = async (): Promise<VaultStatus> =>
  withVault(sample, async (vault) => vault.read('status', async (scope) => vaultStatus(scope, vault.place)));

const families = async (stretchSeconds: number | null = null): Promise<ReadonlyMap<string, MetricFamily>> => {
  const all = metricFamilies({ status: await status(), version: '1.2.3', stretchSeconds });
  return new Map(all.map((family) => [family.name, family]));
};

describe('secrets', () => {
  test('are each in one state; overdue ones are counted apart', async () => {
    await withVault(sample, async (vault) => {
      await put(vault, 'plain', 'x');
      await put(vault, 'late', 'x', { metadata: { intervalSeconds: 86_400 } });
      await put(vault, 'expired and late', 'x', {
        metadata: { intervalSeconds: 86_400, expires: new Date(begun + day) },
      });
      await put(vault, 'expiring', 'x', { metadata: { expires: new Date(begun + 20 * day) } });
      await put(vault, 'far', 'x', { metadata: { expires: new Date(begun + 90 * day) } });
      await put(vault, 'removed', 'x');
      await vault.write('rm', async (scope) => removeSecret(scope, null, 'removed'));
    });
    now = begun + 2 * day;
    const all = await families();
    const counts = all
      .get('vault_secrets')
      ?.samples.map(({ labels, value }) => [labels['environment'], labels['state'], value]);
    expect(counts).toEqual([
      ['development', 'live', 3],
      ['development', 'expiring', 1],
      ['development', 'expired', 1],
      ['development', 'removed', 1],
      ['production', 'live', 0],
      ['production', 'expiring', 0],
      ['production', 'expired', 0],
      ['production', 'removed', 0],
    ]);
    expect(all.get('vault_secrets_overdue')?.samples[0]).toEqual({
      labels: { environment: 'development' },
      value: 2,
    });
    const development = (name: string): unknown =>
      all.get(name)?.samples.find(({ labels }) => labels['environment'] === 'development')?.value;
    expect(development('vault_secrets_never_rotated')).toBe(2);
    expect(development('vault_rotations_pending')).toBe(0);
    expect(all.get('vault_secrets_next_expiry_timestamp_seconds')?.samples).toEqual([
      { labels: { environment: 'development' }, value: (begun + 20 * day) / 1_000 },
    ]);
  });

  test('of an environment that one has no access to are not there', () => {
    const environment = {
      name: 'closed',
      secrets: null,
      removed: null,
      expired: null,
      expiringSoon: null,
      overdue: null,
      neverRotated: null,
      pending: null,
      nextExpiry: null,
      keysSince: null,
      rekeyDue: false,
    };
    return status().then((all) => {
      const closed = metricFamilies({
        status: { ...all, environments: [environment] },
        version: '',
        stretchSeconds: null,
      });
      expect(
        closed
          .filter(({ name }) => /^vault_(?:secrets|rotations)/u.test(name))
          .flatMap(({ samples }) => samples),
      ).toEqual([]);
    });
  });
});

describe('the log', () => {
  test('is counted before the operation that asks, and the next time with it', async () => {
    const first = (await status()).statistics;
    expect(first).toMatchObject({
      total: records(sample.place).length - 1,
      failed: 0,
      last: { operation: 'init' },
    });
    now += 1_500;
    await status();
    const all = await families();
    const operations = all
      .get('vault_operations_total')
      ?.samples.filter(({ labels }) => labels['operation'] === 'status');
    expect(operations).toEqual([
      { labels: { operation: 'status', result: 'ok' }, value: 2 },
      { labels: { operation: 'status', result: 'failed' }, value: 0 },
    ]);
    const value = (name: string) => all.get(name)?.samples[0]?.value;
    const written = records(sample.place).length - 1;
    expect(value('vault_audit_records')).toBe(written);
    expect(value('vault_audit_head_sequence')).toBe(written);
    expect(value('vault_last_operation_timestamp_seconds')).toBe((begun + 1_500) / 1_000);
    expect(value('vault_generation')).toBe(1);
    expect(value('vault_size_bytes')).toBe(readFileSync(sample.place.path).length);
  });

  test('has the attempts to unlock that failed', async () => {
    const credentials = async (attempt: number) =>
      Promise.resolve(attempt > 2 ? null : ({ type: 'passphrase', passphrase: 'wrong' } as const));
    await expect(Vault.open(sample.place, { principal: null, credentials })).rejects.toThrow(
      'wrong passphrase',
    );
    const all = await families();
    expect(all.get('vault_failed_unlocks_total')?.samples).toEqual([{ labels: {}, value: 2 }]);
    expect((await status()).statistics).toMatchObject({ failed: 2, failedUnlocks: 2 });
  });

  test('that is not where it was, on a machine that may begin another, is empty', async () => {
    rmSync(sample.place.audit.path);
    rmSync(sample.place.stateFolder ?? '', { recursive: true });
    const all = await families();
    for (const name of [
      'vault_last_operation_timestamp_seconds',
      'vault_audit_head_sequence',
      'vault_operations_total',
    ])
      expect([name, all.get(name)?.samples]).toEqual([name, []]);
    expect(all.get('vault_audit_records')?.samples).toEqual([{ labels: {}, value: 0 }]);
  });

  test('with lines that are no records: the person is told, and the others count', async () => {
    const log = readFileSync(sample.place.audit.path, 'utf8');
    writeFileSync(sample.place.audit.path, `nonsense\n${log}`);
    expect((await status()).statistics).toMatchObject({ unreadable: 1, last: { operation: 'init' } });
    expect(warnings).toEqual(['audit log: 1 line is no record and not counted: `vault verify` says more']);
  });

  test('is counted on from what this machine kept', async () => {
    await status();
    const folder = path.join(sample.place.stateFolder ?? '', 'counts');
    const [name = '', ...others] = readdirSync(folder);
    expect(others).toEqual([]);
    const kept = JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as Counted;
    writeFileSync(path.join(folder, name), JSON.stringify({ ...kept, records: kept.records + 1_000 }));
    expect((await status()).statistics.records).toBe(kept.records + 1_000 + 1);
  });

  test('counts alike on a machine without memory', async () => {
    await status();
    const bare = { ...sample, place: { ...sample.place, stateFolder: null } };
    const vault = await open(bare);
    const { statistics } = await vault.read('status', async (scope) => vaultStatus(scope, vault.place));
    vault.close();
    expect((await status()).statistics.total).toBe(statistics.total + 1);
  });
});

describe('the key derivation', () => {
  test('is timed by the monotonic clock, the last attempt alone', async () => {
    let clock = 1_000;
    const place: Place = { ...sample.place, monotonic: () => (clock += 1_000) };
    const credentials = async (attempt: number) =>
      Promise.resolve({
        type: 'passphrase',
        passphrase: attempt === 1 ? 'wrong' : samplePassphrase,
      } as const);
    const vault = await Vault.open(place, { principal: null, credentials });
    vault.close();
    // Two looks at the clock, with nothing else between them: not both attempts, and not the record of the first.
    expect(vault.stretchSeconds).toBe(1);
    const all = await families(vault.stretchSeconds);
    expect(all.get('vault_key_derivation_seconds')?.samples).toEqual([{ labels: {}, value: 1 }]);
  });

  test('is not there where nothing is stretched', async () => {
    const vault = await open(sample);
    vault.close();
    expect(vault.stretchSeconds).toBeNull();
    expect((await families(null)).get('vault_key_derivation_seconds')?.samples).toEqual([]);
  });
});
