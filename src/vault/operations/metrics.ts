/**
 * What monitoring may know of a vault, as families of samples by the conventions of Prometheus: base units, `_total` on counters, labels
 * whose values can be added up. Numbers, times, and names of environments and operations; never the name of a secret.
 */
import type { VaultStatus } from './status.ts';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** No two have the same labels. None where the vault, or this unlock, has nothing to say. */
  readonly samples: readonly Sample[];
}

export interface MetricSource {
  readonly status: VaultStatus;
  readonly version: string;
  /** What the key derivation of this unlock took; `null` where there was none. */
  readonly stretchSeconds: number | null;
}

interface Metric extends Omit<MetricFamily, 'samples'> {
  readonly read: (source: MetricSource) => readonly Sample[];
}

const sample = (value: number, labels: Sample['labels'] = {}): Sample => ({ labels, value });
const one = (value: number | null): readonly Sample[] => (value === null ? [] : [sample(value)]);

const seconds = (time: string): number => Date.parse(time) / 1_000;

const countsAnew = 'Begins anew when the log was pruned or another took its place.';

/** In the order in which they are written. */
export const metrics: readonly Metric[] = [
  {
    name: 'vault_build_info',
    type: 'gauge',
    help: 'Always 1; the version of the program that wrote this is its label.',
    read: ({ version }) => [sample(1, { version })],
  },
  {
    name: 'vault_generation',
    type: 'gauge',
    help: 'How often the vault has been written.',
    read: ({ status }) => one(status.generation),
  },
  {
    name: 'vault_last_write_timestamp_seconds',
    type: 'gauge',
    help: 'When the vault was last written.',
    read: ({ status }) => one(seconds(status.updated)),
  },
  {
    name: 'vault_size_bytes',
    type: 'gauge',
    help: 'Size of the vault file.',
    read: ({ status }) => one(status.sizeBytes),
  },
  {
    name: 'vault_secrets',
    type: 'gauge',
    help: 'Secrets by environment and state, each in exactly one: removed (not purged yet), expired, expiring (within 30 days), live (all others). Environments that the reader has no access to are missing.',
    read: ({ status }) => status.environments.flatMap(secretsByState),
  },
  {
    name: 'vault_secrets_overdue',
    type: 'gauge',
    help: 'Secrets that are due for rotation, past their interval or certificates within 30 days of their end, whether expired or not.',
    read: ({ status }) => byEnvironment(status, ({ overdue }) => overdue),
  },
  {
    name: 'vault_secrets_never_rotated',
    type: 'gauge',
    help: 'Secrets that were never rotated and should have been: past their interval, or without one passwords, API keys, tokens and database credentials older than 90 days.',
    read: ({ status }) => byEnvironment(status, ({ neverRotated }) => neverRotated),
  },
  {
    name: 'vault_secrets_next_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the next secret expires, of those that have not. Missing where none will.',
    read: ({ status }) =>
      byEnvironment(status, ({ nextExpiry }) => (nextExpiry === null ? null : seconds(nextExpiry))),
  },
  {
    name: 'vault_rotations_pending',
    type: 'gauge',
    help: 'Rotations that were begun and have not ended.',
    read: ({ status }) => byEnvironment(status, ({ pending }) => pending),
  },
  {
    name: 'vault_operations_total',
    type: 'counter',
    help: `Operations in the audit log of this place by kind and result (ok, failed), the one that wrote this not yet among them. ${countsAnew}`,
    read: ({ status }) =>
      status.statistics.operations.flatMap(({ operation, ok, failed }) => [
        sample(ok, { operation, result: 'ok' }),
        sample(failed, { operation, result: 'failed' }),
      ]),
  },
  {
    name: 'vault_failed_unlocks_total',
    type: 'counter',
    help: `Attempts to unlock that failed, in the audit log of this place. ${countsAnew}`,
    read: ({ status }) => one(status.statistics.failedUnlocks),
  },
  {
    name: 'vault_last_operation_timestamp_seconds',
    type: 'gauge',
    help: 'When the last operation in the audit log of this place was recorded, before the one that wrote this.',
    read: ({ status: { statistics } }) =>
      one(statistics.last === null ? null : seconds(statistics.last.time)),
  },
  {
    name: 'vault_audit_head_sequence',
    type: 'gauge',
    help: 'Sequence number of the last record of the audit log. It falls only if the log is lost or cut.',
    read: ({ status: { statistics } }) => one(statistics.head?.sequence ?? null),
  },
  {
    name: 'vault_audit_records',
    type: 'gauge',
    help: 'Records in the audit log.',
    read: ({ status }) => one(status.statistics.records),
  },
  {
    name: 'vault_audit_size_bytes',
    type: 'gauge',
    help: 'Size of the audit log.',
    read: ({ status }) => one(status.statistics.sizeBytes),
  },
  {
    name: 'vault_key_derivation_seconds',
    type: 'gauge',
    help: 'What stretching the passphrase took at this unlock, on this machine. Missing where nothing was stretched, as for a token.',
    read: ({ stretchSeconds }) => one(stretchSeconds),
  },
];

/** One sample an environment; none for those that the reader has no access to. */
function byEnvironment(
  { environments }: VaultStatus,
  read: (environment: VaultStatus['environments'][number]) => number | null,
): readonly Sample[] {
  return environments.flatMap((environment) => {
    const value = read(environment);
    return value === null ? [] : [sample(value, { environment: environment.name })];
  });
}

function secretsByState(environment: VaultStatus['environments'][number]): readonly Sample[] {
  const { name, secrets, removed, expired, expiringSoon } = environment;
  if (secrets === null || removed === null || expired === null || expiringSoon === null) return [];
  const states = { live: secrets - expired - expiringSoon, expiring: expiringSoon, expired, removed };
  return Object.entries(states).map(([state, count]) => sample(count, { environment: name, state }));
}

export function metricFamilies(source: MetricSource): MetricFamily[] {
  return metrics.map(({ name, type, help, read }) => ({ name, type, help, samples: read(source) }));
}
